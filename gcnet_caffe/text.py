"""Text files that users wrote: they are UTF-8, or an error says in one line what they are.

Messages give invisible characters by their Unicode names.
"""

from __future__ import annotations

import codecs
import contextlib
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from gcnet_caffe.errors import GcnetError, shown

#: Unicode gives control characters no names.
_CONTROLS = {
    0: "NUL",
    7: "BELL",
    8: "BACKSPACE",
    9: "TAB",
    10: "LINE FEED",
    11: "LINE TABULATION",
    12: "FORM FEED",
    13: "CARRIAGE RETURN",
    26: "SUBSTITUTE",
    27: "ESCAPE",
    127: "DELETE",
}
#: UTF-32 first: its mark of lowest byte first starts with UTF-16's.
_WIDE = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def character(char: str) -> str:
    """Return the name and number of a character, such as ``ZERO WIDTH SPACE (U+200B)``."""
    kind = "a control character" if is_control(char) else "a character without a name"
    name = _CONTROLS.get(ord(char)) or unicodedata.name(char, kind)
    return f"{name} (U+{ord(char):04X})"


def is_control(char: str) -> bool:
    """Whether a character is a control character of ASCII: no file name has one."""
    return ord(char) < 32 or ord(char) == 127


def odd_character(text: str) -> str:
    """Return where `text` has a character that looks like another one, or "" where it has none.

    Such are a no-break space, an invisible character, a full-width form or a curly quote. What is
    returned reads ``line 3 contains NO-BREAK SPACE (U+00A0)``. Comments (``#``) are left out.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        for char in line.split("#")[0]:
            if ord(char) > 127 and _is_odd(char):
                return f"line {number} contains {character(char)}"
    return ""


def _is_odd(char: str) -> bool:
    plain = unicodedata.normalize("NFKC", char)
    punctuation = unicodedata.category(char) in ("Pi", "Pf")
    return not char.isprintable() or punctuation or (plain.isascii() and not plain.isalnum())


def wide_encoding(data: bytes) -> str:
    """Return "UTF-16" or "UTF-32" where `data`, the start of a file, is that; otherwise ""."""
    for mark, name in _WIDE:
        if data.startswith(mark):
            return name
    first = data[:4]  # "na" without a mark: one of two bytes is NUL
    return "UTF-16" if len(first) > 3 and first.count(0) == 2 and b"\0\0" not in first else ""


def undecodable(data: bytes) -> str:
    """Return where `data` is not UTF-8, such as ``line 2: byte 0xC8 is not UTF-8``; or ""."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"line {line}: byte 0x{data[error.start]:02X} is not UTF-8"
    return ""


def refuse_wide(data: bytes, path: str | Path, error: type[GcnetError]) -> None:
    """Raise an `error` where `data`, the start of a file, is UTF-16 or UTF-32.

    PowerShell's ``>`` writes such files.
    """
    wide = wide_encoding(data)
    if wide:
        raise error(f"{path}: saved as {wide}; save it as UTF-8")


def decode(data: bytes, path: str | Path, error: type[GcnetError], wanted: str = "text") -> str:
    """Return the text of the file `path`, whose bytes are `data`; a byte-order mark is dropped.

    Parameters
    ----------
    data : bytes
    path : str or Path
        For the message only; nothing is read.
    error : class
        What is raised where `data` is not such a text.
    wanted : str
        What it should be, for the message.

    Raises
    ------
    error
        It is UTF-16, is not UTF-8, or holds a NUL character.
    """
    refuse_wide(data, path, error)
    bad = undecodable(data)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise error(f"{path}: line {line}: NUL (U+0000); wanted {wanted}")
    if bad:
        raise error(f"{path}: {bad}; save it as UTF-8 (wanted {wanted})")
    return data.decode("utf-8-sig")


def read(path: str | Path, error: type[GcnetError], wanted: str = "text") -> str:
    """Return the text of the file `path`.

    Parameters
    ----------
    path : str or Path
    error : class
        What is raised where the file is not such a text.
    wanted : str
        What it should be, for the message.

    Raises
    ------
    OSError
        The file cannot be read.
    error
        As `decode`; or the file's name holds a NUL character.
    """
    check_name(path, error)
    return decode(Path(path).read_bytes(), path, error, wanted).replace("\r\n", "\n")


def check_name(path: object, error: type[GcnetError]) -> None:
    """Raise an `error` where the name of a file holds a NUL character."""
    if "\0" in str(path):
        raise error(f"{shown(str(path))} contains NUL (U+0000), which a file name cannot contain")


@contextlib.contextmanager
def open_lines(
    path: str | Path, error: type[GcnetError], wanted: str = "a CSV file in UTF-8"
) -> Iterator[Iterator[str]]:
    """Yield an iterator over the lines of a file that may be large, as the csv module needs them.

    Line ends are kept as they are.

    Parameters
    ----------
    path, error, wanted
        As for `read`.

    Raises
    ------
    OSError, error
        As `read`; some of them only when the line is reached.
    """
    check_name(path, error)
    with open(path, "rb") as start:
        refuse_wide(start.read(4), path, error)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            yield _without_nul(file, path, error, wanted)
    except UnicodeDecodeError:
        bad = undecodable(Path(path).read_bytes())
        raise error(f"{path}: not {wanted}: {bad}") from None


def _without_nul(
    lines: Iterable[str], path: str | Path, error: type[GcnetError], wanted: str
) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            where = f"row {number - 1}" if number > 1 else "header"
            raise error(f"{path}: {where}: contains NUL (U+0000); wanted {wanted}")
        yield line
