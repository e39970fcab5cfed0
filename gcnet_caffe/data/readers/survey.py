"""What a reader found, for its user to compare with what the data set is known to hold."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Survey:
    """Counts made by a reader.

    `known` maps what was counted to (found, published); `skipped` maps a reason to how many.
    """

    known: dict = field(default_factory=dict)
    skipped: Counter = field(default_factory=Counter)

    def text(self, rows):
        """The counts of `rows` and of what was skipped, as lines of text."""
        lines = [
            f"{name}: {found} (published: {known})" for name, (found, known) in self.known.items()
        ]
        lines += [
            f"subjects: {len({row.subject for row in rows})}",
            f"images: {len(rows)}" + _list(Counter(row.expression for row in rows)),
            f"with a reference: {sum(bool(row.reference) for row in rows)}",
            f"with landmarks: {sum(row.landmarks is not None for row in rows)}",
        ]
        lines += [f"skipped, {reason}: {count}" for reason, count in sorted(self.skipped.items())]
        return "\n".join(lines)


def _list(counts):
    named = [f"{name} {count}" for name, count in sorted(counts.items()) if name]
    return f" ({', '.join(named)})" if named else ""
