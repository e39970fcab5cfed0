"""MXNet's RecordIO files of images (``train.rec`` with ``train.idx``), read without MXNet.

Source: dmlc-core's recordio format, MXNet's ``IRHeader``. A record is the magic number, a word of
3 bits of continuation and 29 bits of length, the bytes, and zeros up to a multiple of 4. If the
bytes hold the magic number, it is left out and the record continues in a next part. The bytes start
with flag (uint32), label (float32) and two ids (uint64); if the flag is above 0, that many float32
labels follow and are used instead. The image is the rest.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from gcnet_caffe import text
from gcnet_caffe.errors import NO_FILE, ManifestError, shown

_MAGIC = 0xCED7230A
_WORDS = struct.Struct("<II")
_HEADER = struct.Struct("<IfQQ")
_WHOLE, _FIRST, _LAST = 0, 1, 3


def read_index(path: Path) -> dict[int, int]:
    """Return {key: byte offset} of an index file: lines of ``key<TAB>offset``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of int to int

    Raises
    ------
    ManifestError
        The file is missing or empty, or a line is not of that form.
    """
    try:
        lines = text.read(path, ManifestError, "lines of KEY<TAB>OFFSET").splitlines()
    except FileNotFoundError:
        raise ManifestError(f"{path}: {NO_FILE}; wanted the index beside the .rec file") from None
    index = {}
    for number, line in enumerate(lines, start=1):
        words = line.split("\t")
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            raise ManifestError(f"{path}: line {number}: {shown(line)}; wanted KEY<TAB>OFFSET")
        index[int(words[0])] = int(words[1])
    if not index:
        raise ManifestError(f"{path}: the index is empty")
    return index


def starts_record(stream: BinaryIO) -> bool:
    """Return whether a record begins where the open file `stream` is."""
    return stream.read(4) == struct.pack("<I", _MAGIC)


def read_image_record(
    stream: BinaryIO, offset: int, head_only: bool = False
) -> tuple[tuple[float, ...], bytes, int]:
    """Read the record at `offset` of an open .rec file.

    Parameters
    ----------
    stream : binary file
    offset : int
        Byte at which the record begins.
    head_only : bool
        Read little more than the labels: the image may be cut off.

    Returns
    -------
    labels : tuple of float
        The label, or as many labels as the flag says.
    image : bytes
        The encoded image; empty if the record has only labels.
    flag : int

    Raises
    ------
    ValueError
        There is no whole record.
    """
    data = _read(stream, offset, _HEADER.size + 64 if head_only else None)
    if len(data) < _HEADER.size:
        raise ValueError(f"a record of {len(data)} bytes has no header of {_HEADER.size}")
    flag, label, _, _ = _HEADER.unpack_from(data)
    end = _HEADER.size + 4 * flag
    if end > len(data):
        raise ValueError(f"a record should have {flag} labels, and has {len(data)} bytes")
    labels = struct.unpack_from(f"<{flag}f", data, _HEADER.size) if flag else (label,)
    return labels, data[end:], flag


def _read(stream: BinaryIO, offset: int, most: int | None) -> bytes:
    """The bytes of a record, or at least the first `most` of them."""
    stream.seek(offset)
    parts = []
    while True:
        words = stream.read(_WORDS.size)
        magic, word = _WORDS.unpack(words) if len(words) == _WORDS.size else (0, 0)
        if magic != _MAGIC:
            raise ValueError(f"no record at byte {offset} (cut off, or of another .rec file?)")
        kind, length = word >> 29, word & ((1 << 29) - 1)
        wanted = length if most is None else min(length, most)
        part = stream.read(wanted)
        if len(part) < wanted:
            raise ValueError(f"the record at byte {offset} is cut off")
        parts.append(part)
        if kind in (_WHOLE, _LAST) or (most is not None and len(part) < length):
            return struct.pack("<I", _MAGIC).join(parts)
        if (kind == _FIRST) != (len(parts) == 1):
            raise ValueError(f"the record at byte {offset} is in pieces out of order")
        stream.seek(-length % 4, 1)
