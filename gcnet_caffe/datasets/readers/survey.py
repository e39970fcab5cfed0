"""What a reader found, for its user to compare with what the data set is known to hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.errors import ManifestError


@dataclass
class Survey:
    """Counts made by a reader.

    Attributes
    ----------
    known : dict
        What was counted -> (found, published).
    skipped : Counter of str
        Why something was left out -> how many.
    noted : Counter of str
        What the reader decided by itself -> how many.
    where : str or Path
        The file or folder that was read.
    """

    known: dict[str, tuple[int, object]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    where: str | Path = ""

    def text(self, rows: Sequence[Row]) -> str:
        """Return the counts as lines of text.

        Parameters
        ----------
        rows : sequence of Row
            What the reader found.

        Returns
        -------
        str
        """
        lines = [f"read from {self.where}"] if self.where else []
        lines += [
            f"{name}: {found} (published: {known})" for name, (found, known) in self.known.items()
        ]
        subjects = {row.subject for row in rows if row.subject}
        references = sum(bool(row.reference) for row in rows)
        landmarks = sum(row.landmarks is not None for row in rows)
        lines += [
            f"subjects: {len(subjects) or 'unknown, so no folds by subject'}",
            f"images: {len(rows)}" + _list(Counter(row.expression for row in rows)),
            f"with a reference: {references}" + ("" if references else ", so no pairs to train on"),
            f"with landmarks: {landmarks}, to be detected: {len(rows) - landmarks}",
        ]
        lines += [f"noted, {what}: {count}" for what, count in sorted(self.noted.items())]
        lines += [f"skipped, {reason}: {count}" for reason, count in sorted(self.skipped.items())]
        return "\n".join(lines)

    def finished(
        self, rows: list[Row], wanted: str, known: Mapping[str, tuple[int, object]]
    ) -> tuple[list[Row], Survey]:
        """Return the rows of a reader and this survey, with what is known of the data set.

        Parameters
        ----------
        rows : list of Row
        wanted : str
            What the reader looked for, for the message.
        known : dict
            What was counted -> (found, published).

        Raises
        ------
        ManifestError
            There are no rows; the message says what was skipped.
        """
        if not rows:
            counts = ", ".join(f"{why} {count}" for why, count in sorted(self.skipped.items()))
            found = f"; found {counts}" if counts else ""
            raise ManifestError(f"{self.where}: no {wanted}{found}")
        self.known.update(known)
        return rows, self


def _list(counts: Counter[str]) -> str:
    named = [f"{name} {count}" for name, count in sorted(counts.items()) if name]
    return f" ({', '.join(named)})" if named else ""
