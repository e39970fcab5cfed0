"""What a file is, by its first bytes: an image or video that is read, or one that is not.

The name is used only if the bytes are of no known kind: names may be wrong.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

#: Bytes of a file that `kind_of` looks at.
HEAD = 1024

#: The sorts of files: read as one picture; read frame by frame; a picture that is not read; not a
#: picture, but of a kind that error messages mention.
IMAGE, VIDEO, UNREAD, OTHER = "image", "video", "unread", "other"

#: How the names of such files end, in lower case.
IMAGE_NAMES = (
    ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
VIDEO_NAMES = (
    ".264", ".3g2", ".3gp", ".asf", ".avi", ".dv", ".flv", ".h264", ".m1v", ".m2ts", ".m2v",
    ".m4v", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".qt",
    ".rm", ".rmvb", ".vob", ".webm", ".wmv",
)  # fmt: skip
_UNREAD_NAMES = (
    ".arw", ".avif", ".cr2", ".cr3", ".crw", ".dds", ".dng", ".exr", ".hdr", ".heic", ".heif",
    ".hif", ".icns", ".jxl", ".jxr", ".nef", ".nrw", ".orf", ".pcx", ".pef", ".pfm", ".psd",
    ".raf", ".rw2", ".sr2", ".srw", ".svg", ".svgz", ".tga", ".x3f", ".xcf",
)  # fmt: skip
#: (endings of names, sort, words), for files whose bytes are of no known kind.
_BY_NAME = (
    (VIDEO_NAMES, VIDEO, "a video by its name"),
    (IMAGE_NAMES, IMAGE, "an image by its name"),
    (_UNREAD_NAMES, UNREAD, "a {ending} file"),
)


class Kind(NamedTuple):
    """The kind of a file: its sort (`IMAGE`, ...), and what it is in words, with the article."""

    sort: str
    words: str


RAW = "a camera's raw image"

#: (sort, words, the pattern of the first bytes), the more particular first.
_KINDS = (
    (IMAGE, "a JPEG image", rb"\xff\xd8\xff"),
    (IMAGE, "a PNG image", rb"\x89PNG\r\n\x1a\n"),
    (IMAGE, "a GIF image", rb"GIF8[79]a"),
    (IMAGE, "a BMP image", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    (IMAGE, "a WebP image", rb"RIFF....WEBP"),
    (IMAGE, "a JPEG 2000 image", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    (IMAGE, "a PBM, PGM or PPM image", rb"P[1-6]\s+[#\d]"),
    (UNREAD, RAW, rb"II\*\0....CR|II\x1a\0...\0HEAPCCDR|IIR[OS]|MMOR|IIU\0|FUJIFILMCCD-RAW"),
    (UNREAD, RAW, rb"\0MRM|FOVb|....ftypcrx "),
    (IMAGE, "a TIFF image", rb"II[*+]\0|MM\0[*+]"),
    (UNREAD, "an AVIF image", rb"....ftyp(avi[fs]|m[is]f1.{4}(.{4}){0,12}avi[fs])"),
    (UNREAD, "a HEIC image", rb"....ftyp(he[iv][cmsx]|m[is]f[12]|heif)"),
    (UNREAD, "a JPEG XL image", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    (UNREAD, "a JPEG XR image", rb"II\xbc"),
    (UNREAD, "a Photoshop image", rb"8BP[SB]"),
    (UNREAD, "a GIMP image", rb"gimp xcf"),
    (UNREAD, "an SVG drawing", rb"\s*<(svg[\s>]|(\?xml|!--|!DOCTYPE svg).*?<svg[\s>])"),
    (UNREAD, "an OpenEXR image", rb"\x76\x2f\x31\x01"),
    (UNREAD, "a Radiance image", rb"#\?RADIANCE|#\?RGBE"),
    (UNREAD, "a PFM image (floating point)", rb"P[fF]\s+\d"),
    (UNREAD, "an icon", rb"\0\0[\x01\x02]\0[\x01-\x40]\0...\0|icns"),
    (UNREAD, "a DDS image", rb"DDS "),
    (UNREAD, "a QOI image", rb"qoif"),
    (UNREAD, "a DICOM image", rb".{128}DICM"),
    (UNREAD, "a FITS image", rb"SIMPLE  ="),
    (UNREAD, "a DjVu image", rb"AT&TFORM"),
    (OTHER, "a PDF document", rb"%PDF"),
    (OTHER, "a PostScript document", rb"%!PS|\xc5\xd0\xd3\xc6"),
    (OTHER, "an HTML page", rb"\s*(?i:<!doctype html|<html)"),
    (OTHER, "a zip archive", rb"PK\x03\x04"),
    (OTHER, "a gzip archive", rb"\x1f\x8b"),
    (OTHER, "a tar archive", rb".{257}ustar"),
    (OTHER, "a RAR archive", rb"Rar!\x1a\x07"),
    (OTHER, "a 7z archive", rb"7z\xbc\xaf\x27\x1c"),
    (OTHER, "a Git LFS pointer (git lfs pull fetches the file)", rb"version https://git-lfs"),
    (VIDEO, "an AVI video", rb"RIFF....AVI[ \x19]"),
    (VIDEO, "a WebM video", rb"\x1a\x45\xdf\xa3.{0,64}webm"),
    (VIDEO, "a Matroska video", rb"\x1a\x45\xdf\xa3"),
    (OTHER, "a sound file", rb"....ftypM4[ABP] "),
    (VIDEO, "a 3GP video", rb"....ftyp3g"),
    (VIDEO, "a QuickTime video", rb"....ftypqt  |[\x00-\x08]...(moov|mdat|wide|free|skip|pnot)"),
    (VIDEO, "an MP4 video", rb"....ftyp"),
    (VIDEO, "a Flash video", rb"FLV\x01"),
    (VIDEO, "a Windows Media video", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    (VIDEO, "an MPEG video", rb"\x00\x00\x01[\xba\xb3]"),
    (VIDEO, "an MPEG transport stream", rb"G.{187}G.{187}G|.{4}G.{191}G.{191}G"),
    (VIDEO, "an Ogg video", rb"OggS.*?(\x80theora|OVP80|BBCD)"),
    (OTHER, "a sound file", rb"ID3|fLaC|OggS|RIFF....WAVE"),
    (VIDEO, "a RealMedia video", rb"\.RMF"),
    (VIDEO, "an MXF video", rb"\x06\x0e\x2b\x34\x02\x05\x01\x01"),
    (VIDEO, "an IVF video", rb"DKIF"),
    (VIDEO, "a YUV4MPEG2 video", rb"YUV4MPEG2 "),
)
#: Text may begin with a byte-order mark.
_PATTERNS = tuple(
    (Kind(sort, words), re.compile(rb"(?:\xef\xbb\xbf)?(?:" + pattern + rb")", re.S))
    for sort, words, pattern in _KINDS
)


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a file by its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes, or all of a shorter file.

    Returns
    -------
    Kind, or None
        None for bytes of no known kind.
    """
    return next((kind for kind, pattern in _PATTERNS if pattern.match(head[:HEAD])), None)


def file_kind(path: str | os.PathLike[str]) -> Kind | None:
    """Return the kind of the file `path` by its first bytes, or if these are unknown by its name.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Kind, or None
        None for a file of no known kind, and for what is not an ordinary file.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
        return None
    with open(path, "rb") as file:
        kind = kind_of(file.read(HEAD))
    return kind or kind_by_name(path)


def kind_by_name(path: str | os.PathLike[str]) -> Kind | None:
    """Return the kind of a file by its name alone.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Kind, or None
        None for an ending of no known kind.
    """
    name = os.fspath(path).lower()
    for endings, sort, words in _BY_NAME:
        if name.endswith(endings):
            return Kind(sort, words.format(ending=os.path.splitext(name)[1]))
    return None
