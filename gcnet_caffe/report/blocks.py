"""What a page is made of: sections of texts, tables, figures, listings and explained holes."""

from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    `kind` is '' for an ordinary cell, 'best' for a marked one, 'empty' for one that has no value,
    'note' for words in a column of numbers.
    """

    text: str
    kind: str = ""

    def __str__(self):
        return self.text


#: A cell without a value; the table's note or a hole beside it tells why.
EMPTY = Cell("–", "empty")


@dataclass
class Table:
    """Rows under `columns`; those named in `words` hold words (left), the others numbers (right).

    `key` names the table in report.json; `note` stands below it.
    """

    key: str
    caption: str
    columns: list
    rows: list
    words: tuple = ()
    note: str = ""

    def cells(self):
        """The rows as lists of `Cell`."""
        return [[c if isinstance(c, Cell) else Cell(str(c)) for c in row] for row in self.rows]


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
    lines: list


@dataclass
class Section:
    """A part of the page: `key` is its anchor, `short` its name in the table of contents."""

    key: str
    title: str
    blocks: list = field(default_factory=list)
    short: Optional[str] = None

    def of(self, kind):
        """The blocks that are of the class `kind`."""
        return [block for block in self.blocks if isinstance(block, kind)]


def percent(value, digits=1):
    """A share 0..1 as a percentage in words, or an empty cell when there is none."""
    if value is None or value != value:
        return EMPTY
    return f"{100 * value:.{digits}f}"


def spread(scores, digits=1):
    """Mean and standard deviation (`scores`: {'mean', 'std'}, 0..1) in percent."""
    mean, std = (scores or {}).get("mean"), (scores or {}).get("std")
    if mean is None or mean != mean:
        return EMPTY
    if std is None or std != std:
        return percent(mean, digits)
    return f"{percent(mean, digits)} ± {percent(std, digits)}"


def number(value, digits=4):
    """A number with `digits` significant digits, or an empty cell when there is none."""
    return EMPTY if value is None or value != value else f"{value:.{digits}g}"


def words(value):
    """Options (names, values and lists, nested) in words."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {words(found)}" for key, found in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(words(found) for found in value)
    return "" if value is None else str(value)
