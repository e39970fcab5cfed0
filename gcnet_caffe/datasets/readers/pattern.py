r"""Plain folders: a regular expression finds subject and expression in each file's path.

The expression must match the whole path below --root, with forward slashes. Its named groups are
subject and, if wanted, expression, sequence and rank; files that do not match are left out. Two
examples, of identities without expressions, and of a set with a neutral image of each subject:

  --root orl --pattern 's(?P<subject>\d+)/\d+\.pgm'
  --root yale --pattern 'subject(?P<subject>\d+)\.(?P<expression>\w+)'
      --reference normal --expressions happy,sad,sleepy,surprised=surprise,wink
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.readers._common import contents, existing
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, UsageError, shown

_GROUPS = ("subject", "expression", "sequence", "rank")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    parser.add_argument("--root", required=True, help="folder of the images")
    parser.add_argument("--pattern", required=True, help="regular expression with named groups")
    parser.add_argument(
        "--expressions",
        metavar="FOUND[=NAME],...",
        help="the expressions to take, and their names in the manifest; default: all",
    )
    parser.add_argument(
        "--reference",
        default=NEUTRAL,
        metavar="FOUND",
        help="the expression of each subject's reference image; the manifest calls it neutral",
    )
    parser.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave the neutral images out of the queries",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        metavar="REGEX",
        help="leave out files whose whole path below the root matches; may be repeated",
    )
    parser.add_argument("--source", help="name of the data set; default: the root's name")


def read(
    root: str | Path,
    pattern: str,
    expressions: str | None = None,
    reference: str = NEUTRAL,
    neutral_queries: bool = True,
    exclude: Sequence[str] | None = None,
    source: str | None = None,
) -> tuple[list[Row], Survey]:
    """List the images below `root` that match `pattern`.

    A subject's reference is its first neutral image in natural order; if the pattern has the group
    sequence, the first of the same sequence.

    Parameters
    ----------
    root : str or Path
    pattern : str
        Regular expression with the named groups.
    expressions : str, optional
        ``found=name`` pairs or plain names, separated by commas.
    reference : str
        The found expression that is neutral.
    neutral_queries : bool
        Whether neutral images are queries too.
    exclude : sequence of str, optional
        Regular expressions of paths to leave out.
    source : str, optional
        Name of the data set, for the manifest; by default the name of the folder `root`.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder, a regular expression is wrong, or no image has an expression of
        the options.
    ManifestError
        Nothing matches.
    """
    root = existing(root)
    regex = _compile(pattern, "--pattern")
    unknown = sorted(set(regex.groupindex) - set(_GROUPS))
    if unknown or "subject" not in regex.groupindex:
        fault = f"unknown group {unknown[0]!r}" if unknown else "no group 'subject'"
        raise UsageError(f"--pattern {_quoted(pattern)}: {fault}; wanted {', '.join(_GROUPS)}")
    survey = Survey()
    excluded = [_compile(each, "--exclude") for each in exclude or ()]
    matches = _matches(root, regex, excluded, survey.skipped)
    found = [_row(root, match, source or root.resolve().name) for match in matches]
    if not found:
        raise ManifestError(
            f"{root}: no file below it matches --pattern {_quoted(pattern)}; found {contents(root)}"
        )
    names = _names(expressions, reference, {row.expression for row in found})
    listed = [row for row in found if row.expression in names]
    others = (row.expression for row in found if row.expression not in names)
    survey.skipped.update(f"expression {name!r} is not listed" for name in others)
    rows = _with_references([row._replace(expression=names[row.expression]) for row in listed])
    return [row for row in rows if neutral_queries or row.expression != NEUTRAL], survey


def _quoted(regex: str) -> str:
    """Return a regular expression as it was typed, on one line."""
    return repr(regex).replace("\\\\", "\\")


def _compile(regex: str, option: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        raise UsageError(f"{option} {_quoted(regex)}: not a regular expression: {error}") from None


def _matches(
    root: Path, pattern: re.Pattern[str], exclude: Sequence[re.Pattern[str]], skipped: Counter[str]
) -> Iterator[re.Match[str]]:
    paths = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    for path in sorted(paths, key=natural_key):
        match = pattern.fullmatch(path)
        if not match:
            skipped["does not match the pattern"] += 1
        elif any(regex.fullmatch(path) for regex in exclude):
            skipped["excluded"] += 1
        else:
            yield match


def _names(expressions: str | None, reference: str, found: set[str]) -> dict[str, str]:
    """The manifest's name of each expression found that is to be taken."""
    pairs = [item.strip().partition("=") for item in expressions.split(",")] if expressions else []
    names = {name: new_name or name for name, _, new_name in pairs} or {n: n for n in found}
    given = [("--expressions", name) for name in names]
    if reference != NEUTRAL:
        given.append(("--reference", reference))
    for option, name in given:
        if name not in found:
            raise UsageError(
                f"{option}: no image has {name!r}; there are {', '.join(sorted(found))}"
            )
    if reference in found:
        names[reference] = NEUTRAL
    return names


def _row(root: Path, match: re.Match[str], source: str) -> Row:
    groups = {**dict.fromkeys(_GROUPS, ""), **match.groupdict("")}
    rank = groups["rank"]
    if rank and not rank.isdigit():
        raise ManifestError(f"{root / match.string}: rank {shown(rank)} is not a whole number")
    return Row(
        path=str(root / match.string),
        subject=groups["subject"],
        expression=groups["expression"],
        sequence=groups["sequence"],
        rank=int(rank) if rank else None,
        source=source,
    )


def _with_references(rows: Sequence[Row]) -> list[Row]:
    references: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.expression == NEUTRAL:
            references.setdefault((row.subject, row.sequence), row.path)
    return [row._replace(reference=references.get((row.subject, row.sequence), "")) for row in rows]
