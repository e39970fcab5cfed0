"""Images inside other files: what a file is, its bytes tell, not its name."""

import cv2
import numpy as np
import pytest

from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.file_kinds import VIDEO, file_kind
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.faces.images_in_files import read_video, split_member
from tests.packing.drawn_faces import drawn_face

#: Container -> a codec that OpenCV's FFmpeg writes into it.
VIDEOS = {
    "webm": "VP80", "m4v": "mp4v", "3gp": "mp4v", "flv": "FLV1", "avi": "MJPG", "mkv": "MJPG",
    "mov": "MJPG", "mp4": "mp4v", "mpg": "PIM1", "ts": "mpg2", "ogv": "VP80", "wmv": "WMV2",
}  # fmt: skip


def write_video(path, codec, frames=3):
    """A film of drawn faces; frame i is lighter than the one before."""
    code = cv2.VideoWriter_fourcc(*codec)
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 25, (160, 120))
    if not video.isOpened():
        pytest.skip(f"this OpenCV writes no {path.suffix}")
    for i in range(frames):
        video.write(cv2.cvtColor(drawn_face(shade=100 + 40 * i), cv2.COLOR_GRAY2BGR))
    video.release()


@pytest.mark.parametrize("container", VIDEOS)
@pytest.mark.parametrize("name", ["clip", "clip.JPG", "clip.txt"])
def test_a_video_of_any_name(tmp_path, capfd, container, name):
    write_video(tmp_path / f"a.{container}", VIDEOS[container])
    capfd.readouterr()  # what FFmpeg says of the tag
    (tmp_path / f"a.{container}").rename(tmp_path / name)
    assert file_kind(tmp_path / name).sort == VIDEO
    assert len(read_video(tmp_path / name)) == 3
    shades = [read_grey(f"{tmp_path / name}#{i}")[62, 80] for i in range(3)]
    np.testing.assert_allclose(shades, (100, 140, 180), atol=12)
    with pytest.raises(ImageError, match=rf"{name}: an? .*; wanted an image"):
        read_grey(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_a_member_is_of_a_file_that_is_there_or_named_so(tmp_path):
    (tmp_path / "a#1.png").write_bytes(b"")
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / "folder#2").mkdir()
    wanted = {
        "a#1.png": ("a#1.png", ""),  # the file's own name
        "plain#7": ("plain", "7"),
        "none.csv#7": ("none.csv", "7"),
        "none.webm#7": ("none.webm", "7"),
        "none#7": ("none#7", ""),
        "folder#2/b.png": ("folder#2/b.png", ""),
    }
    for path, (file, member) in wanted.items():
        assert split_member(tmp_path / path) == (str(tmp_path / file), member)


@pytest.mark.parametrize("member", ["x", "-1", "0"])
def test_a_member_that_is_none(tmp_path, member):
    (tmp_path / "plain").write_bytes(b"\0" * 5000)
    with pytest.raises(ImageError, match=f"plain#{member}: ") as error:
        read_grey(f"{tmp_path}/plain#{member}")
    assert len(str(error.value)) < len(str(tmp_path)) + 100
