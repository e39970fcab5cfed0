"""The words of a prototxt, read as protobuf's C++ reads them, and so Caffe.

Python's protobuf differs: it keeps a bad escape as it is, and fails at a comment that is not UTF-8.
Here both are as in C++: a comment may hold any bytes but NUL, a string any bytes, and everything
else is ASCII.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, NoReturn

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.text import character, is_control, refuse_wide

_TOKEN = re.compile(
    rb"""
    (?P<skip> [\s{}:;,\[\]<>+-]+ | [0-9.][\w.]* )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<comment> \#[^\n\0]* )
    | (?P<string> "(?:[^"\\\n\0]|\\[^\n\0])*" | '(?:[^'\\\n\0]|\\[^\n\0])*' )
    | (?P<other> . )
    """,
    re.X | re.S,
)
_ESCAPE = re.compile(
    rb"""\\(?:
    (?P<octal> [0-7]{1,3} ) | x(?P<hex> [0-9A-Fa-f]{1,2} ) | u(?P<four> [0-9A-Fa-f]{4} )
    | U(?P<eight> 000[0-9A-Fa-f]{5} | 0010[0-9A-Fa-f]{4} ) | (?P<one> [abfnrtv\\?'"] ) | )
    """,
    re.X,
)
_LETTERS = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v"))

#: Fields that name a file or folder.
PATHS = {
    *("net", "train_net", "test_net", "snapshot_prefix", "weights"),
    *("source", "mean_file", "meanfile", "root_folder", "file_name"),
}


class Words(NamedTuple):
    """The `text` for Python's parser, and `raw`, the (line, field) of strings not in UTF-8."""

    text: str
    raw: list[tuple[int, str]]


def scan(data: bytes, origin: str | Path) -> Words:
    """Return the `Words` of a prototxt: its lines without comments, its strings in ASCII.

    Parameters
    ----------
    data : bytes
    origin : str or Path
        What errors call it.

    Raises
    ------
    SchemaError
        A string has an invalid escape, a file's name has a control character, or there is a
        character that a prototxt cannot have there. The message gives the line.
    """
    refuse_wide(data, origin, SchemaError)
    parts: list[bytes] = []
    raw: list[tuple[int, str]] = []
    field = ""
    for token in _TOKEN.finditer(data):
        kind, found = token.lastgroup, token[0]
        if kind == "comment":
            continue
        if kind == "word":
            field = found.decode()
        elif kind == "string":
            found = _string(found, field, _Place(data, token.start(), origin), raw)
        elif kind == "other" and not b" " < found < b"\x7f" or found in (b'"', b"'"):
            _refuse(data, field, _Place(data, token.start(), origin))
        parts.append(found)
    return Words(b"".join(parts).decode("ascii"), raw)


class _Place(NamedTuple):
    data: bytes
    position: int
    origin: str | Path

    @property
    def line(self) -> int:
        return self.data.count(b"\n", 0, self.position) + 1

    def error(self, text: str) -> SchemaError:
        return SchemaError(f"{self.origin}:{self.line}: {text}")


def _string(found: bytes, field: str, place: _Place, raw: list[tuple[int, str]]) -> bytes:
    """The string `found` as Python's parser reads it right; one not in UTF-8 is noted in `raw`."""
    if b"\\" not in found and found.isascii() and field not in PATHS:
        return found

    def refusal(what: str) -> SchemaError:
        return place.error(f"{field}: found {found.decode('utf-8', 'backslashreplace')}: {what}")

    if any(not escape.lastgroup for escape in _ESCAPE.finditer(found)):
        raise refusal("Invalid escape sequence; write / or \\\\")
    value = _ESCAPE.sub(_byte, found[1:-1])
    controls = [chr(byte) for byte in value if is_control(chr(byte))] if field in PATHS else []
    if "\0" in controls:
        raise refusal(f"contains {character(chr(0))}, which a file name cannot contain")
    if controls:
        raise refusal(f"contains {character(controls[0])}; write / or \\\\")
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        raw.append((place.line, field))
    plain = range(32, 127)
    octal = (chr(b) if b in plain and b not in b"\"'\\" else f"\\{b:03o}" for b in value)
    return f'"{"".join(octal)}"'.encode()


def _byte(escape: re.Match[bytes]) -> bytes:
    kind = escape.lastgroup or ""  # never: the caller has looked
    digits = escape[kind]
    if kind == "one":
        return bytes([_LETTERS.get(digits[0], digits[0])])
    if kind in ("octal", "hex"):
        return bytes([int(digits, 8 if kind == "octal" else 16) & 255])
    return chr(int(digits, 16)).encode("utf-8", "surrogatepass")


def _refuse(data: bytes, field: str, place: _Place) -> NoReturn:
    """Raise a SchemaError that says what is at `place`."""
    start = data[place.position : place.position + 4]
    if start[:1] in (b'"', b"'"):
        line = data[place.position :].split(b"\n", 1)[0]
        if b"\0" in line:
            raise place.error(f"{field}: a string with {character(chr(0))} in it")
        raise place.error(f"{field}: a string without its closing quote")
    char = start.decode("utf-8", "ignore")[:1]
    if start[0] < 128:
        raise place.error(f"not text: found {character(chr(start[0]))}; wanted a prototxt")
    if not char or ord(char) < 128:
        raise place.error(f"found the byte 0x{start[0]:02X}, which is not UTF-8, outside a string")
    if char == "\ufeff":
        raise place.error(
            f"found {character(char)}, a byte-order mark, which Caffe cannot read; save the file "
            "as UTF-8 without it"
        )
    raise place.error(f"found {character(char)}, which is allowed only in a string or comment")
