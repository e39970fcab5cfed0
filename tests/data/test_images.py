import cv2
import numpy as np
import pytest

from gcnet_caffe.data.images import read_grey
from gcnet_caffe.errors import ImageError
from tests.data.drawn_faces import drawn_face


@pytest.mark.parametrize("name", ["a.png", "a.pgm", "a.tif", "a.bmp"])
def test_grey_pixels_come_back(tmp_path, name):
    cv2.imwrite(str(tmp_path / name), drawn_face())
    np.testing.assert_array_equal(read_grey(tmp_path / name), drawn_face())


def test_the_name_tells_nothing(tmp_path):
    (tmp_path / "subject01.happy").write_bytes(cv2.imencode(".png", drawn_face())[1].tobytes())
    np.testing.assert_array_equal(read_grey(tmp_path / "subject01.happy"), drawn_face())


def test_colour_becomes_grey(tmp_path):
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 1] = 200  # BGR: green
    cv2.imwrite(str(tmp_path / "a.png"), colour)
    assert abs(int(read_grey(tmp_path / "a.png")[0, 0]) - 0.587 * 200) <= 1


def gif(path, frames, mode):
    from PIL import Image

    frames = [Image.fromarray(frame).convert(mode) for frame in frames]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])
    return path


def test_gif_without_a_suffix(tmp_path):
    path = gif(tmp_path / "subject01.sad", [drawn_face()], "L")
    np.testing.assert_array_equal(read_grey(path), drawn_face())


def test_gif_s_first_frame(tmp_path):
    path = gif(tmp_path / "a.gif", [drawn_face(), drawn_face(shade=99)], "L")
    np.testing.assert_array_equal(read_grey(path), drawn_face())


def test_colour_gif(tmp_path):
    colour = np.zeros((20, 30, 3), np.uint8)
    colour[:, :15, 0] = 255  # RGB: red, and black
    grey = read_grey(gif(tmp_path / "a.gif", [colour], "P"))
    assert grey.shape == (20, 30) and abs(int(grey[0, 0]) - 76) <= 1 and grey[0, 29] == 0


def cut(data):
    return data[: len(data) * 9 // 10]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".pgm", ".bmp"])
def test_cut_off(tmp_path, suffix, capfd):
    (tmp_path / "a").write_bytes(cut(cv2.imencode(suffix, drawn_face())[1].tobytes()))
    with pytest.raises(ImageError, match=f"{tmp_path}/a: "):
        read_grey(tmp_path / "a")
    if suffix in (".png", ".jpg"):
        assert capfd.readouterr().err == ""


def test_cut_off_gif(tmp_path):
    path = gif(tmp_path / "a.gif", [drawn_face()], "L")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ImageError, match="a.gif: not a whole GIF"):
        read_grey(path)


@pytest.mark.parametrize("data", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n...IEND...."])
def test_no_image(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match=f"{tmp_path}/a.png: "):
        read_grey(tmp_path / "a.png")


def test_missing(tmp_path):
    with pytest.raises(ImageError, match="a.png: cannot read the image: No such file"):
        read_grey(tmp_path / "a.png")
