"""What a page is made of: sections of texts, tables, figures, listings and what is missing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, Union

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.summary import Spread

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    `kind` is '' for an ordinary cell, 'best' for a marked one, 'empty' for one that has no value,
    'note' for words in a column of numbers.
    """

    text: str
    kind: str = ""

    def __str__(self) -> str:
        return self.text


#: A cell without a value; the table's note or a `Missing` beside it says why.
EMPTY = Cell("–", "empty")

#: What stands in a table: words, or a marked cell.
Shown = Union[str, Cell]


@dataclass
class Table:
    """Rows under `columns`.

    Attributes
    ----------
    key : str
        The table's name in report.json.
    caption : str
    columns : sequence of str
    rows : sequence of rows
    words : sequence of str
        The columns of words, aligned to the left; numbers are aligned to the right.
    note : str
        What stands below the table.
    """

    key: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Shown]]
    words: Sequence[str] = ()
    note: str = ""

    def cells(self) -> list[list[Cell]]:
        """Return the rows as lists of `Cell`."""
        return [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in self.rows]


@dataclass
class Figure:
    """A picture as a data URI; `alt` says in words what it shows, `wide` lets a phone scroll it."""

    uri: str
    alt: str
    caption: str
    wide: bool = False


@dataclass
class Text:
    """A paragraph."""

    text: str


@dataclass
class Missing:
    """What is missing here, and why."""

    text: str


#: Stands where a picture of faces would.
NO_PICTURES = Missing("The experiment says `pictures: false`: its faces may not be passed on.")

#: Stands where an earlier version scored generated references of all queries together.
MIXED = Missing(
    "An earlier version scored the generated references of this run, and did not keep queries that "
    "are their own reference apart. Delete the files nets/*/*/*/*/evaluation.json of the run, and "
    "give `gcnet run` again: it evaluates again and trains nothing."
)


@dataclass
class Listing:
    """Lines of a file or of commands, folded away under `title`."""

    title: str
    lines: list[str]


Block = Union[Table, Figure, Text, Missing, Listing]


@dataclass
class Section:
    """A part of the page: `key` is its anchor, `short` its name in the table of contents."""

    key: str
    title: str
    short: str
    blocks: Sequence[Block]


def percent(value: float | None, digits: int = 1) -> Shown:
    """Return a share 0..1 in percent, or an empty cell when there is none."""
    return EMPTY if value is None or value != value else f"{100 * value:.{digits}f}"


def spread(scores: Spread, digits: int = 1) -> Shown:
    """Return mean and standard deviation (0..1) in percent, or an empty cell without a mean."""
    mean, std = percent(scores["mean"], digits), percent(scores["std"], digits)
    return mean if EMPTY in (mean, std) else f"{mean} ± {std}"


def spread_of(values: Sequence[float]) -> Shown:
    """Return the mean of values (0..1) and the standard deviation of a sample in percent."""
    mean = statistics.mean(values) if values else None
    std = statistics.stdev(values) if len(values) > 1 else None
    return spread({"mean": mean, "std": std, "pooled": None})


def number(value: float | None, digits: int = 4) -> Shown:
    """Return a number with `digits` significant digits, or an empty cell when there is none."""
    return EMPTY if value is None or value != value else f"{value:.{digits}g}"


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign."""
    return f"{value:+.{digits}f}".replace("-", "−")


def or_missing(make: Callable[[], _Made], what: str) -> _Made | Missing:
    """Return what `make` returns; where it cannot read a file, a `Missing`: `what`, and why."""
    try:
        return make()
    except (GcnetError, OSError) as error:
        return Missing(f"{what}: {error}")


def words(value: Any) -> str:
    """Return options (names, values and lists, nested) in words."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {words(found)}" for key, found in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(words(found) for found in value)
    return "" if value is None else str(value)
