"""What a reader found, for its user to compare with what the data set is known to hold."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Survey:
    """Counts made by a reader.

    `known` maps what was counted to (found, published); `skipped` maps a reason to how many, and
    `noted` what was done to how many. `where` is the file or folder that was read.
    """

    known: dict = field(default_factory=dict)
    skipped: Counter = field(default_factory=Counter)
    noted: Counter = field(default_factory=Counter)
    where: str = ""

    def text(self, rows):
        """The counts of `rows` and of what was skipped, as lines of text."""
        lines = [f"read from {self.where}"] if self.where else []
        lines += [
            f"{name}: {found} (published: {known})" for name, (found, known) in self.known.items()
        ]
        subjects = {row.subject for row in rows if row.subject}
        references = sum(bool(row.reference) for row in rows)
        landmarks = sum(row.landmarks is not None for row in rows)
        lines += [
            f"subjects: {len(subjects) or 'not told, so no folds by subject'}",
            f"images: {len(rows)}" + _list(Counter(row.expression for row in rows)),
            f"with a reference: {references}" + ("" if references else ", so no pairs to train on"),
            f"with landmarks: {landmarks}, to be detected: {len(rows) - landmarks}",
        ]
        lines += [f"noted, {what}: {count}" for what, count in sorted(self.noted.items())]
        lines += [f"skipped, {reason}: {count}" for reason, count in sorted(self.skipped.items())]
        return "\n".join(lines)

    def instead(self):
        """What was skipped, as the end of a message that nothing is left; empty if nothing was."""
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(self.skipped.items()))
        return f"; found {counts}" if counts else ""


def _list(counts):
    named = [f"{name} {count}" for name, count in sorted(counts.items()) if name]
    return f" ({', '.join(named)})" if named else ""
