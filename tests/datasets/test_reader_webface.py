"""The CASIA-WebFace reader: a miniature folder tree, and RecordIO written by the definition."""

import struct

import cv2
import numpy as np
import pytest

from gcnet_caffe.datasets.manifest import Row, read_manifest, write_manifest
from gcnet_caffe.datasets.readers import webface
from gcnet_caffe.errors import ImageError, ManifestError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.faces.recordio import read_image_record
from gcnet_caffe.packing.pack import pack_identities
from tests.datasets.trees import picture, plain

#: insightface, face_align.py: the five points of a crop of 112x112.
TEMPLATE = [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
]
MAGIC = struct.pack("<I", 0xCED7230A)


def encoded(shade):
    return cv2.imencode(".png", np.full((112, 112), shade, np.uint8))[1].tobytes()


def crop(path, subject):
    """The plain row to expect of a crop in a record."""
    return Row(path, subject, source="CASIA-WebFace", landmarks=TEMPLATE, route="constant")


def header(label, flag=0, ids=(0, 0)):
    return struct.pack("<IfQQ", flag, label, *ids)


def framed(data):
    """The record of `data`: in parts where the magic number stands in it at a multiple of 4."""
    parts, start = [], 0
    for place in range(0, len(data) - 3, 4):
        if data[place : place + 4] == MAGIC:
            parts.append(data[start:place])
            start = place + 4
    parts.append(data[start:])
    out = b""
    for number, part in enumerate(parts):
        kind = 0 if len(parts) == 1 else 1 if number == 0 else 3 if part is parts[-1] else 2
        out += MAGIC + struct.pack("<I", kind << 29 | len(part)) + part
        out += b"\0" * (-len(part) % 4)
    return out


def write(folder, payloads, first_key=0):
    folder.mkdir(parents=True, exist_ok=True)
    offset, lines, data = 0, [], b""
    for key, payload in enumerate(payloads, start=first_key):
        lines.append(f"{key}\t{offset}\n")
        data += framed(payload)
        offset = len(data)
    (folder / "train.rec").write_bytes(data)
    (folder / "train.idx").write_text("".join(lines))
    return [int(line.split("\t")[1]) for line in lines]


def old(folder):
    """Record 0 announces images 1..3 and identity records 4..5; one image label is a list."""
    return write(
        folder,
        [
            header(0, flag=2) + struct.pack("<2f", 4, 6),
            header(0) + encoded(10),
            header(9, flag=2) + struct.pack("<2f", 0, 7) + encoded(20),
            header(1) + MAGIC * 2 + encoded(30),
            header(0, flag=2) + struct.pack("<2f", 1, 3),
            header(0, flag=2) + struct.pack("<2f", 3, 4),
        ],
    )


def test_record_io_with_a_first_record_that_announces(tmp_path):
    offsets = old(tmp_path / "faces_webface_112x112")
    (tmp_path / "faces_webface_112x112/property").write_text("2,112,112\n")
    (tmp_path / "faces_webface_112x112/train.lst").write_text("1\t/data/0/a.jpg\t0\n")
    (tmp_path / "faces_webface_112x112/lfw.bin").write_bytes(b"\x80\x03")
    rows, survey = webface.read(tmp_path)
    file = "faces_webface_112x112/train.rec"
    assert plain(rows, tmp_path) == [
        crop(f"{file}#{offsets[i]}", subject) for i, subject in ((1, "0"), (2, "0"), (3, "1"))
    ]
    assert survey.skipped == {"records that are no image": 3}
    assert survey.known["images"][0] == 3
    assert [int(read_grey(row.path)[50, 50]) for row in rows[:2]] == [10, 20]


def test_record_io_of_new_builders(tmp_path):
    offsets = write(tmp_path, [header(i // 2) + encoded(10 * i) for i in range(5)])
    rows, _ = webface.read(tmp_path)
    assert plain(rows, tmp_path) == [
        crop(f"train.rec#{offset}", subject) for offset, subject in zip(offsets, "00112")
    ]
    assert read_grey(rows[3].path)[0, 0] == 30
    assert webface.read(tmp_path / "train.rec")[0][0].path == rows[0].path


def test_constant_landmarks_follow_the_size_of_the_crops(tmp_path):
    """insightface, face_align.py: multiples of 112 scale, 128 has 8 pixels more at the sides."""
    for side, nose in ((224, (112.0504, 143.4732)), (128, (64.0252, 71.7366)), (250, None)):
        image = cv2.imencode(".png", np.full((side, side), 9, np.uint8))[1].tobytes()
        write(tmp_path, [header(0) + image])
        row = webface.read(tmp_path)[0][0]
        assert row.route == ("constant" if nose else "")
        assert (row.landmarks is None) if nose is None else tuple(row.landmarks[2]) == nose


@pytest.mark.parametrize("label", [float("nan"), float("inf"), -1, 0.5])
def test_a_label_that_is_no_identity(tmp_path, label):
    write(tmp_path, [header(0) + encoded(1), header(label) + encoded(2)])
    with pytest.raises(ManifestError, match="train.rec: record 1: label .*; wanted 0, 1, 2"):
        webface.read(tmp_path)


def test_bytes_that_look_like_the_magic_number(tmp_path):
    image = encoded(40)
    tail = MAGIC + b"abcd" + MAGIC  # after the image, at multiples of 4
    offsets = write(tmp_path, [header(5) + image + b"\0" * (-len(image) % 4) + tail])
    with open(tmp_path / "train.rec", "rb") as stream:
        labels, data, _ = read_image_record(stream, offsets[0])
        assert labels == (5,) and data == image + b"\0" * (-len(image) % 4) + tail
        assert read_image_record(stream, offsets[0], head_only=True)[0] == (5,)


def test_record_io_is_packed(tmp_path):
    write(tmp_path, [header(i // 3) + encoded(10 * i) for i in range(6)])
    rows, _ = webface.read(tmp_path)
    write_manifest(tmp_path / "m.csv", rows)
    assert [row.path for row in read_manifest(tmp_path / "m.csv")] == [row.path for row in rows]
    packed = pack_identities(tmp_path / "m.csv", tmp_path / "out", held_out=0.3, workers=1)
    assert [facts.labels for facts in packed.lmdbs.values()] == [{0: 2, 1: 2}, {0: 1, 1: 1}]


def test_broken_record_io(tmp_path):
    offsets = old(tmp_path)
    data = (tmp_path / "train.rec").read_bytes()
    index = (tmp_path / "train.idx").read_text()
    cases = [
        (data[: offsets[3] + 20], index, "record 3: the record at byte .* is cut off"),
        (
            data[:-60],
            index.replace("3\t", "9\t"),
            "there are images 1 to 3, and the index",
        ),
        (data, index.replace(f"1\t{offsets[1]}", "1\t4"), "record 1: no record at byte 4"),
        (data, index + "six\t7\n", "train.idx: line 7: .*; wanted KEY<TAB>OFFSET"),
        (data, "", "the index is empty"),
    ]
    for rec, idx, message in cases:
        (tmp_path / "train.rec").write_bytes(rec)
        (tmp_path / "train.idx").write_text(idx)
        with pytest.raises(ManifestError, match=message):
            webface.read(tmp_path)
    (tmp_path / "train.idx").unlink()
    with pytest.raises(ManifestError, match="wanted the index beside"):
        webface.read(tmp_path)
    with pytest.raises(ImageError, match="train.rec#7: no record at byte 7"):
        read_grey(f"{tmp_path}/train.rec#7")


@pytest.mark.parametrize("top", ["", "CASIA-WebFace", "casia-webface"])
def test_folders(tmp_path, top):
    root = tmp_path / top
    for name in ("0000045/001.jpg", "0000045/010.jpg", "0000045/002.jpg", "0000107/001.jpg"):
        picture(root / name)
    (root / "0000200").mkdir()
    (root / "readme").mkdir()
    rows, survey = webface.read(tmp_path)
    assert plain(rows, root) == [
        Row(f"{name}.jpg", name[:7], source="CASIA-WebFace")
        for name in ("0000045/001", "0000045/002", "0000045/010", "0000107/001")
    ]
    assert survey.skipped == {"identities without images": 1}


def test_neither_form(tmp_path):
    (tmp_path / "lfw").mkdir()
    with pytest.raises(ManifestError, match="no identities .*; looked for .*found lfw"):
        webface.read(tmp_path)
