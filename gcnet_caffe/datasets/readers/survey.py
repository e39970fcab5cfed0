"""What a reader found, for its user to compare with what the data set is known to hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row


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

    def instead(self) -> str:
        """Return what was skipped, as the end of a message that nothing is left; or ""."""
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(self.skipped.items()))
        return f"; found {counts}" if counts else ""


def _list(counts: Counter[str]) -> str:
    named = [f"{name} {count}" for name, count in sorted(counts.items()) if name]
    return f" ({', '.join(named)})" if named else ""
