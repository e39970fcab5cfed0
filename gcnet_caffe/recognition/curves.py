"""The probabilities of each person in a video over time, as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.plotting import import_pyplot, save_figure
from gcnet_caffe.report.pictures import GREY, class_colours, panels, style

#: People that are drawn: those with most frames.
_PEOPLE = 8


def draw_curves(
    rows: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    out: str | Path,
    threshold: float | None = None,
) -> None:
    """Draw a panel per person: the probability of each class over the seconds of a video.

    A person that is not found for a while leaves a gap. Of more than eight people, those with most
    frames are drawn.

    Parameters
    ----------
    rows : sequence of dict
        Of one video, as `Recognizer.rows` yields them.
    classes : sequence of str
        The network's.
    out : path
        The picture to write, or to replace.
    threshold : float, optional
        A dotted line: an answer below it is "not sure".

    Raises
    ------
    GcnetError
        There is no face in the rows.
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg; or Matplotlib is not installed.
    """
    import_pyplot()
    frames = Counter(row["person"] for row in rows if row["person"] is not None)
    if not frames:
        raise GcnetError(f"{out}: not drawn: no face was found")
    numbers = sorted({row["frame"] for row in rows})
    step = min((b - a for a, b in zip(numbers, numbers[1:])), default=1)
    people = sorted(person for person, _ in frames.most_common(_PEOPLE))
    with style():
        figure, axes = panels(len(people), 1, (9, 2))
        for axis, person in zip(axes, people):
            times, *values = points([row for row in rows if row["person"] == person], classes, step)
            for label, colour in class_colours(classes).items():
                if label < len(classes):
                    axis.plot(times, values[label], ".-", color=colour, lw=1.2, ms=2.5)
            if threshold is not None:
                axis.axhline(threshold, color=GREY, lw=0.8, ls=":")
            axis.set(title=f"person {person}", ylabel="probability", ylim=(0, 1))
            axis.grid(axis="y", color="#e6e6e6", lw=0.6)
        axes[-1].set_xlabel("seconds")
        if len(frames) > len(people):
            figure.suptitle(f"{len(people)} of {len(frames)} people, those with most frames")
        figure.legend(
            axes[0].lines[: len(classes)], classes, loc="outside lower center", ncols=8, fontsize=8
        )
        save_figure(figure, out, dpi=110)


def points(
    rows: Sequence[Mapping[str, Any]], classes: Sequence[str], step: int
) -> list[tuple[float, ...]]:
    """Return the times of one person's rows, then the values of each class.

    Where more than `step` frames are between two rows, all have a NaN.
    """
    found: list[list[float]] = []
    before = rows[0]["frame"]
    for row in rows:
        if row["frame"] - before > step:
            found.append([float("nan")] * (1 + len(classes)))
        found.append([row["time"], *(row[name] for name in classes)])
        before = row["frame"]
    return list(zip(*found))
