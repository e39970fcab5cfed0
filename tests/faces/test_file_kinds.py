"""What files are, by their first bytes."""

import os

import pytest

from gcnet_caffe.faces.file_kinds import IMAGE, OTHER, UNREAD, VIDEO, file_kind, kind_of


def box(brand, *compatible):
    brands = brand + bytes(4) + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(100)


HEADS = [
    (IMAGE, "a JPEG image", b"\xff\xd8\xff\xe0\0\x10JFIF"),
    (IMAGE, "a TIFF image", b"II*\0\x08\0\0\0" + bytes(20)),
    (UNREAD, "a camera's raw image", b"II*\0\x10\0\0\0CR\x02\0"),
    (UNREAD, "a camera's raw image", box(b"crx ", b"isom")),
    (UNREAD, "a HEIC image", box(b"heic", b"mif1", b"heic")),
    (UNREAD, "a HEIC image", box(b"mif1", b"mif1", b"heic")),
    (UNREAD, "an AVIF image", box(b"avif", b"mif1")),
    (UNREAD, "an AVIF image", box(b"mif1", b"miaf", b"avif")),
    (UNREAD, "a JPEG XL image", b"\xff\x0a\x10"),
    (UNREAD, "a Photoshop image", b"8BPS\0\1"),
    (UNREAD, "an SVG drawing", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    (UNREAD, "an SVG drawing", b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made -->\n<svg >"),
    (UNREAD, "a PFM image (floating point)", b"Pf\n8 8\n-1.0\n"),
    (OTHER, "a PDF document", b"%PDF-1.7"),
    (OTHER, "an HTML page", b"\n<!DOCTYPE html><html><svg></svg>"),
    (OTHER, "a sound file", box(b"M4A ")),
    (OTHER, "a sound file", b"OggS\0\2" + bytes(22) + b"\x13OpusHead"),
    (VIDEO, "an MP4 video", box(b"isom")),
    (VIDEO, "a 3GP video", box(b"3gp4")),
    (VIDEO, "a QuickTime video", box(b"qt  ")),
    (VIDEO, "a QuickTime video", b"\0\0\0\x08wide\0\0\1\0mdat"),
    (VIDEO, "a WebM video", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm"),
    (VIDEO, "a Matroska video", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x88matroska"),
    (VIDEO, "an AVI video", b"RIFF\0\0\1\0AVI LIST"),
    (VIDEO, "an MPEG transport stream", (b"G" + bytes(187)) * 4),
    (VIDEO, "an MPEG transport stream", (bytes(4) + b"G" + bytes(187)) * 4),
    (VIDEO, "an Ogg video", b"OggS\0\2" + bytes(22) + b"\x2a\x80theora"),
]


@pytest.mark.parametrize("sort, words, head", HEADS)
def test_first_bytes(sort, words, head):
    assert kind_of(head) == (sort, words)


@pytest.mark.parametrize(
    "text",
    [b"", b"BMW builds cars in Munich", b"the free world", b"P1 is first", b"MMII", b"G" * 9],
)
def test_text_is_no_kind(text):
    assert kind_of(text) is None


def test_the_name_tells_where_the_bytes_do_not(tmp_path):
    def kind(name, data=b"bytes of no kind"):
        (tmp_path / name).write_bytes(data)
        found = file_kind(tmp_path / name)
        return found and found.sort

    assert [kind(name) for name in ("a.JPG", "a.Mp4", "a.heic", "a.txt", "Thumbs.db", "a")] == [
        IMAGE, VIDEO, UNREAD, None, None, None,
    ]  # fmt: skip
    assert kind("a.mp4", b"\xff\xd8\xff") == IMAGE
    assert kind("b.txt", box(b"isom")) == VIDEO


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert file_kind(tmp_path / "a.jpg") is None
