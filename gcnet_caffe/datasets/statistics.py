"""What a manifest holds: class balance, subjects and images per fold, image sizes, landmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.datasets.folds import assign_folds, check_number, read_fold_table, subjects_of
from gcnet_caffe.datasets.manifest import Row, read_manifest
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.plotting import import_pyplot, save_figure


@dataclass
class ManifestStatistics:
    """Counts of a manifest's rows.

    Attributes
    ----------
    images, subjects, sequences : int
    expressions, sources, routes, references : Counter of str
        Number of images by what the manifest's columns say.
    folds : list of (subjects, expressive images, neutral images)
        What each fold tests on; empty where there are no subjects.
    folds_note : str
        Why there are no folds.
    sizes : Counter of (width, height)
        Of at most `sampled` images.
    unreadable : list of str
        Why each of the other sampled images cannot be read.
    sampled : int
        Number of images that were opened.
    """

    images: int
    subjects: int
    sequences: int
    expressions: Counter[str]
    sources: Counter[str]
    routes: Counter[str]
    references: Counter[str]
    folds: list[tuple[int, int, int]]
    folds_note: str
    sizes: Counter[tuple[int, int]]
    unreadable: list[str]
    sampled: int


def count_manifest(
    manifest: str | Path, folds: int = 10, sample: int = 500, fold_table: str | Path | None = None
) -> ManifestStatistics:
    """Count the rows of `manifest`.

    Parameters
    ----------
    manifest : str or Path
    folds : int
        Folds the subjects are dealt into.
    sample : int
        Images to open for their sizes, evenly spread over the rows.
    fold_table : str or Path, optional
        A fold table to use instead of dealing the subjects into `folds`.

    Returns
    -------
    ManifestStatistics

    Raises
    ------
    ManifestError
        The manifest or the fold table is missing or wrong.
    UsageError
        `folds` is below 2, or `sample` below 0.
    """
    check_number(folds)
    if sample < 0:
        raise UsageError(f"--sample {sample}: wanted 0 or more")
    rows = read_manifest(manifest)
    dealt, note = _folds_of(rows, folds, fold_table, manifest)
    of_fold = (
        [row for row in rows if dealt[row.subject] == fold] for fold in sorted(set(dealt.values()))
    )
    places = np.linspace(0, len(rows) - 1, min(sample, len(rows))).astype(int)
    sizes, unreadable = _sizes([rows[i].path for i in places])
    return ManifestStatistics(
        images=len(rows),
        subjects=len({row.subject for row in rows if row.subject}),
        sequences=len({(row.source, row.sequence) for row in rows if row.sequence}),
        expressions=Counter(row.expression or "(none)" for row in rows),
        sources=Counter(row.source or "(none)" for row in rows),
        routes=Counter(row.route or "to be detected" for row in rows),
        references=Counter(_reference(row) for row in rows),
        folds=[_fold_counts(members) for members in of_fold],
        folds_note=note,
        sizes=sizes,
        unreadable=unreadable,
        sampled=len(places),
    )


def _folds_of(
    rows: Sequence[Row], folds: int, fold_table: str | Path | None, manifest: str | Path
) -> tuple[dict[str, int], str]:
    """(subject -> fold, why there are none)."""
    if fold_table:
        return read_fold_table(fold_table, subjects_of(rows, manifest)), ""
    if not all(row.subject for row in rows):
        return {}, "no folds by subject: rows without a subject"
    try:
        return assign_folds((row.subject for row in rows), folds), ""
    except UsageError as error:
        return {}, str(error)


def _fold_counts(rows: Sequence[Row]) -> tuple[int, int, int]:
    """The subjects, expressive images and neutral images of one fold."""
    neutral = sum(row.expression == NEUTRAL for row in rows)
    return len({row.subject for row in rows}), len(rows) - neutral, neutral


def _reference(row: Row) -> str:
    if not row.reference:
        return "none (test only)"
    return "the image itself" if row.reference == row.path else "another image"


def _sizes(paths: Iterable[str]) -> tuple[Counter[tuple[int, int]], list[str]]:
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable = []
    for path in tqdm(paths, "reading images", unit="image", disable=None):
        try:
            height, width = read_grey(path).shape
            sizes[width, height] += 1
        except ImageError as error:
            unreadable.append(str(error))
    return sizes, unreadable


def statistics_text(found: ManifestStatistics) -> str:
    """Return the counts of a manifest as lines of text.

    Parameters
    ----------
    found : ManifestStatistics

    Returns
    -------
    str
    """
    columns = {
        "sources": found.sources,
        "expressions": found.expressions,
        "reference": found.references,
        "landmarks": found.routes,
    }
    lines = [
        f"images: {found.images}",
        f"subjects: {found.subjects}",
        f"sequences: {found.sequences}",
    ]
    for title, counts in columns.items():
        listed = (f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"{title}: {', '.join(listed)}")
    sizes = [f"{width}x{height} {count}" for (width, height), count in found.sizes.most_common(5)]
    more = len(found.sizes) - len(sizes)
    lines.append(
        f"sizes of {found.sampled} images: {', '.join(sizes) or 'none read'}"
        + (f", {more} others" if more > 0 else "")
    )
    lines += [f"unreadable: {reason}" for reason in found.unreadable[:5]]
    if len(found.unreadable) > 5:
        lines.append(f"unreadable: {len(found.unreadable) - 5} more")
    if found.folds_note:
        lines.append(found.folds_note)
    else:
        lines.append("fold  subjects  test images  neutral")
        for fold, (subjects, shown, neutral) in enumerate(found.folds):
            lines.append(f"{fold:4}  {subjects:8}  {shown:11}  {neutral:7}")
    return "\n".join(lines)


def draw_statistics(found: ManifestStatistics, out: str | Path, title: str) -> None:
    """Draw the counts of a manifest.

    Parameters
    ----------
    found : ManifestStatistics
    out : str or Path
        The picture file to write, or to replace.
    title : str
        Shown above the picture.

    Raises
    ------
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg, or Matplotlib is not installed.
    """
    plt = import_pyplot()
    with plt.rc_context({"axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(2, 2, figsize=(11, 7))
    _bars(axes[0, 0], "images by expression", found.expressions)
    _folds(axes[0, 1], found)
    _points(axes[1, 0], found)
    _bars(axes[1, 1], "images by origin of the landmarks", found.routes)
    figure.suptitle(f"{title}: {found.images} images, {found.subjects} subjects")
    figure.tight_layout()
    save_figure(figure, out, dpi=100)


def _bars(axis: Any, title: str, counts: Counter[str]) -> None:
    names = sorted(counts, key=lambda name: (name == NEUTRAL, name))
    bars = axis.barh(names, [counts[name] for name in names], color="C0")
    axis.bar_label(bars, padding=2, fontsize=8)
    axis.margins(x=0.12)
    axis.set(title=title, ylim=(max(len(names), 5) - 0.5, -0.5))  # few bars stay slim


def _folds(axis: Any, found: ManifestStatistics) -> None:
    axis.set_title("test images by fold, with the number of subjects")
    if not found.folds:
        axis.text(0.5, 0.5, found.folds_note, ha="center", va="center", wrap=True)
        axis.set_axis_off()
        return
    subjects, shown, neutral = zip(*found.folds)
    places = range(len(subjects))
    axis.bar(places, shown, color="C0", label="expressive")
    bars = axis.bar(places, neutral, bottom=shown, color="0.75", label=NEUTRAL)
    axis.bar_label(bars, labels=[str(count) for count in subjects], fontsize=8)
    highest = max(one + other for one, other in zip(shown, neutral))
    axis.set(xlabel="fold", xticks=places, ylim=(0, 1.25 * highest))
    if any(neutral):
        axis.legend(fontsize=8, ncols=2, loc="upper right", frameon=False)


def _points(axis: Any, found: ManifestStatistics) -> None:
    axis.set(title=f"sizes of {found.sampled} images (pixels)", xlabel="width", ylabel="height")
    if found.sizes:
        (widths, heights), counts = zip(*found.sizes), found.sizes.values()
        axis.scatter(widths, heights, s=[20 + 200 * n / found.sampled for n in counts], alpha=0.6)
        axis.set(xlim=(0, 1.15 * max(widths)), ylim=(0, 1.15 * max(heights)))
