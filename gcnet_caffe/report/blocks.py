"""What a page is made of: sections of texts, tables, figures, listings and explained holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union

from gcnet_caffe.evaluation.summary import Spread

_Block = TypeVar("_Block")


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


#: A cell without a value; the table's note or a hole beside it says why.
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
class Hole:
    """What is missing here, and why."""

    text: str


@dataclass
class Listing:
    """Lines of a file or of commands, folded away under `title`."""

    title: str
    lines: list[str]


Block = Union[Table, Figure, Text, Hole, Listing]


@dataclass
class Section:
    """A part of the page: `key` is its anchor, `short` its name in the table of contents."""

    key: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    short: str | None = None

    def of(self, kind: type[_Block]) -> list[_Block]:
        """Return the blocks that are of the class `kind`."""
        return [block for block in self.blocks if isinstance(block, kind)]


def percent(value: float | None, digits: int = 1) -> Shown:
    """Return a share 0..1 in percent, or an empty cell when there is none."""
    if value is None or value != value:
        return EMPTY
    return f"{100 * value:.{digits}f}"


def spread(scores: Spread | None, digits: int = 1) -> Shown:
    """Return mean and standard deviation (0..1) in percent, or an empty cell."""
    mean, std = (scores.get("mean"), scores.get("std")) if scores else (None, None)
    if mean is None or mean != mean:
        return EMPTY
    if std is None or std != std:
        return percent(mean, digits)
    return f"{percent(mean, digits)} ± {percent(std, digits)}"


def number(value: float | None, digits: int = 4) -> Shown:
    """Return a number with `digits` significant digits, or an empty cell when there is none."""
    return EMPTY if value is None or value != value else f"{value:.{digits}g}"


def words(value: Any) -> str:
    """Return options (names, values and lists, nested) in words."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {words(found)}" for key, found in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(words(found) for found in value)
    return "" if value is None else str(value)
