"""Tables that users write or exchange: CSV files with a header, and numbers as text."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.errors import NO_FILE, GcnetError
from gcnet_caffe.text import odd_character, open_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_table(
    path: str | Path, what: str, columns: Sequence[str], error: type[GcnetError]
) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file: column -> cell.

    In a row that is too short the last columns are None; in one that is too long, the key None has
    the other cells.

    Parameters
    ----------
    path : str or Path
    what : str
        What the file is, for the message: "manifest", ...
    columns : sequence of str
        The columns it must have; it may have others, and in another order.
    error : class
        What is raised.

    Raises
    ------
    error
        The file cannot be read, it is not a CSV file in UTF-8, or a column is missing.
    """
    try:
        with open_lines(path, error) as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or ()
            missing = [name for name in columns if name not in header]
            if missing:
                odd = odd_character(",".join(header))
                raise error(
                    f"{path}: header: column {missing[0]!r} is missing; wanted {','.join(columns)}"
                    + (f" ({odd})" if odd else "")
                )
            yield from reader
    except FileNotFoundError:
        raise error(f"{path}: {NO_FILE}; wanted a {what}") from None
    except OSError as fault:
        raise error(f"{path}: cannot read the {what}: {fault.strerror}") from None
    except csv.Error as fault:
        raise error(f"{path}: not a CSV file in UTF-8: {fault}") from None


def finite_numbers(words: Sequence[str] | Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Return numbers that are given as text.

    Parameters
    ----------
    words : sequence of str, or of sequences of str
        The numbers of a line, or of several lines.

    Returns
    -------
    (N,) or (N, M) ndarray
        Empty unless all words are finite numbers, and all lines have as many.
    """
    try:
        numbers = np.array(words, np.float64)
    except ValueError:
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)
