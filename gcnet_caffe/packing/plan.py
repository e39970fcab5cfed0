"""Which record of which manifest row goes into which LMDB, and under which key."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.datasets.expressions import NEUTRAL, labels_of
from gcnet_caffe.datasets.folds import (
    assign_folds,
    check_disjoint,
    fold_table_text,
    folder_of,
    ordered_subjects,
    read_fold_table,
    subjects_of,
)
from gcnet_caffe.datasets.manifest import Row, read_manifest
from gcnet_caffe.datasets.rows import Rows
from gcnet_caffe.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Target:
    """One LMDB to be written: the manifest's rows it holds, how many records of each, their order.

    Parameters
    ----------
    path : str
        The LMDB, relative to the output folder.
    rows : sequence of int
        Places in the manifest, from 0.
    copies : int or array of int
        Records per row.
    rng : numpy Generator, optional
        Shuffles the records; without it they keep the manifest's order.
    raised : mapping of int to int, optional
        Row -> what its label is raised by.
    """

    def __init__(
        self,
        path: str,
        rows: Sequence[int] | NDArray[np.int64],
        copies: int | NDArray[np.int64] = 1,
        rng: np.random.Generator | None = None,
        raised: Mapping[int, int] | None = None,
    ) -> None:
        self.raised = raised or {}
        self.path, self.rows = path, np.array(rows)
        self.copies = np.full(len(rows), copies)
        count = int(self.copies.sum())
        self._order = np.arange(count) if rng is None else np.argsort(rng.permutation(count))

    def records(self) -> Iterator[tuple[str, int, int]]:
        """Yield (key, row, copy) of each record, in the order of the keys.

        Row and copy count from 0. A key consists of the place in the LMDB (from 0), the row (from
        1) and the copy (from 0).
        """
        ends = np.cumsum(self.copies)
        of_records = np.searchsorted(ends, self._order, side="right")
        copies = self._order - (ends - self.copies)[of_records]
        for place, (row, copy) in enumerate(zip(self.rows[of_records].tolist(), copies.tolist())):
            yield f"{place:08d}_{row + 1:07d}_{copy:03d}", row, copy


@dataclass
class Plan:
    """What to pack.

    Attributes
    ----------
    manifest : str or Path
    rows : sequence of Row
        Its rows; if there is a `test_manifest`, those from `test_from` on are of that one.
    labels : list of int
        The label of each row.
    targets : list of Target
    paired : bool
        Whether the reference is packed too.
    seed : int
        Seed of the augmentation.
    photometric : bool
        Whether light, sharpness and noise of the augmented copies vary too.
    options : dict
        For packed.json.
    fold_table : str
        The content of folds.csv; "" without folds.
    test_manifest : str or Path, optional
    test_from : int
    """

    manifest: str | Path
    rows: Sequence[Row]
    labels: list[int]
    targets: list[Target]
    paired: bool
    seed: int
    photometric: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    fold_table: str = ""
    test_manifest: str | Path | None = None
    test_from: int = 0

    def where(self, row: int) -> tuple[str | Path, int]:
        """Return the manifest of a row (from 0), and the row's number there, from 1.

        Parameters
        ----------
        row : int
            From 0.

        Returns
        -------
        (manifest, number)
            The number counts from 1, in that manifest.
        """
        if row < self.test_from or not self.test_manifest:
            return self.manifest, row + 1
        return self.test_manifest, row - self.test_from + 1

    def copies(self) -> NDArray[np.int64]:
        """Return how many records of each row are needed; 0 for a row that is in no LMDB."""
        copies = np.zeros(len(self.rows), np.int64)
        for target in self.targets:
            copies[target.rows] = np.maximum(copies[target.rows], target.copies)
        return copies


def plan_pairs(
    manifest: str | Path,
    classes: Sequence[str],
    folds: int = 10,
    only: Sequence[int] | None = None,
    copies: int = 10,
    neutral_queries: bool = True,
    seed: int = 0,
    together: bool = False,
    fold_table: str | Path | None = None,
    copies_of: Mapping[str, int] | None = None,
    detect: bool = False,
    people: Sequence[int] = (),
    test_only: bool = False,
    photometric: bool = False,
    partial: Collection[str] = (),
) -> Plan:
    """Plan query-reference pairs for ``fold<k>/train_lmdb`` and ``fold<k>/test_lmdb``.

    The train LMDB holds `copies` records of each query, shuffled; the test LMDB one of each, in the
    manifest's order. If neutral is not a class, neutral queries have the label K and are in the
    train LMDB only: there is nothing to score.

    Parameters
    ----------
    manifest : str or Path
    classes : sequence of str
        Expression names; a name's label is its position.
    folds : int
        Number of folds the subjects are dealt into.
    only : sequence of int, optional
        The folds to pack; all by default.
    copies : int
        Records per train query, the first of them not augmented.
    neutral_queries : bool
        Whether to pack queries that are neutral themselves.
    seed : int
        Seed of the shuffle and of the augmentation, 0 or more.
    together : bool
        Whether the folds of `only` are one test set (``fold0+1/``), and the others the train set.
    fold_table : str or Path, optional
        A fold table to use instead of dealing the subjects into `folds`.
    copies_of : mapping, optional
        Another number of copies for the rows of a data set: its `source` -> copies.
    detect : bool
        Whether the landmarks are all to be detected, those that the manifest gives too.
    people : sequence of int
        For each N of these also plan ``fold<k>-people<N>/``: of the subjects to train on, only N.
        `seed` chooses them; the N of a smaller number are among those of a larger one. The test
        LMDB is that of ``fold<k>/``.
    test_only : bool
        Whether to leave the train LMDBs out.
    photometric : bool
        Whether light, sharpness and noise of the augmented copies vary too.
    partial : collection of str
        The `source` of each data set that has some of the classes only, all the same ones. The
        labels of its train records are raised by the number of labels; a net with `partial_labels`
        compares them with its classes alone.

    Returns
    -------
    Plan

    Raises
    ------
    ManifestError
        Unknown expression, missing reference, a subject or image in both train and test, or a fold
        without images.
    UsageError
        An argument makes no sense, or a fold has no subject.
    """
    rows = read_manifest(manifest, Rows)
    _check_sources(rows, "copies-of", copies_of or {}, manifest)
    _check_sources(rows, "partial", partial, manifest)
    labels = labels_of(rows, classes, manifest)
    subjects = subjects_of(rows, manifest)
    dealt = read_fold_table(fold_table, subjects) if fold_table else assign_folds(subjects, folds)
    folds = max(dealt.values()) + 1
    for number in (copies, *(copies_of or {}).values()):
        _check_numbers(copies=number, seed=seed)
    if not neutral_queries and NEUTRAL in classes:
        raise UsageError(f"--no-neutral-queries: {NEUTRAL} is one of the classes")
    kept = [i for i, row in enumerate(rows) if neutral_queries or row.expression != NEUTRAL]
    _check_references(rows, kept, manifest)
    per_row = np.array([(copies_of or {}).get(row.source, copies) for row in rows])
    some = [i for i in kept if rows[i].source in partial]
    own = {
        source: sorted({labels[i] for i in some if rows[i].source == source} - {len(classes)})
        for source in sorted(partial)
    }
    if len({*map(tuple, own.values())}) > 1:
        raise UsageError(
            "--partial: wanted data sets with the same classes, found "
            + "; ".join(f"{s}: {', '.join(classes[k] for k in own[s])}" for s in own)
        )
    raised = dict.fromkeys(some, len(classes) + (NEUTRAL not in classes))
    shuffled = np.random.default_rng(seed).permutation(ordered_subjects(subjects)).tolist()
    targets = list[Target]()
    for tested in _chosen(only, folds, together):
        name = "+".join(map(str, tested))
        fold = f"fold{name}"
        train = [i for i in kept if dealt[subjects[i]] not in tested]
        test = [i for i in kept if dealt[subjects[i]] in tested and labels[i] < len(classes)]
        _check_fold(rows, train, test, name, manifest)
        targets += _train_and_test(f"{fold}/", train, test, per_row[train], [seed, *tested], raised)
        trained = {subjects[i] for i in train}
        candidates = [subject for subject in shuffled if subject in trained]
        for count in sorted(set(people)):
            if not 1 <= count <= len(candidates):
                raise UsageError(
                    f"--people {count}: wanted 1 to {len(candidates)}, the people of {manifest} "
                    f"that {fold} does not test on"
                )
            chosen = set(candidates[:count])
            few = [i for i in train if subjects[i] in chosen]
            place = f"{folder_of(fold, count)}/"
            targets += _train_and_test(place, few, test, per_row[few], [seed, *tested], raised)
    if test_only:
        targets = [target for target in targets if target.path.endswith("/test_lmdb")]
    return Plan(
        manifest,
        Rows(map(_without_landmarks, rows)) if detect else rows,
        labels,
        targets,
        paired=True,
        seed=seed,
        photometric=photometric,
        options={
            "classes": list(classes),
            "folds": folds,
            "copies": copies,
            "neutral_queries": neutral_queries,
            **({"copies_of": dict(copies_of)} if copies_of else {}),
            **({"detect": True} if detect else {}),
            **({"people": list(people)} if people else {}),
            **({"test_only": True} if test_only else {}),
            **({"partial": [*own], "partial_labels": min(own.values())} if own else {}),
        },
        fold_table=fold_table_text(dealt),
    )


def plan_cross(
    manifest: str | Path,
    test: str | Path,
    classes: Sequence[str],
    drop: Sequence[str] = (),
    copies: int = 10,
    seed: int = 0,
    photometric: bool = False,
) -> Plan:
    """Plan a test on another data set.

    Test images without a reference are packed with the query in both channels; they cannot be used
    to train.

    Parameters
    ----------
    manifest, test : str or Path
        The manifest to train on, and the one to test on.
    classes : sequence of str
        Expression names; a name's label is its position.
    drop : sequence of str
        Expressions to leave out of both.
    copies : int
        Records per train query, the first of them not augmented.
    seed : int
        Seed of the shuffle and of the augmentation, 0 or more.
    photometric : bool
        As of `plan_pairs`.

    Returns
    -------
    Plan
        For ``train_lmdb`` (shuffled) and ``test_lmdb``.

    Raises
    ------
    ManifestError
        Unknown expression, no row left, a train row without a reference, or an image in both.
    UsageError
        An argument makes no sense.
    """
    _check_numbers(copies=copies, seed=seed)
    taken = (*classes, *drop)
    train_rows, test_rows = read_manifest(manifest, Rows), read_manifest(test, Rows)
    rows = Rows(itertools.chain(train_rows, test_rows))
    labels = labels_of(train_rows, taken, manifest) + labels_of(test_rows, taken, test)
    split = len(train_rows)
    train = [i for i, row in enumerate(train_rows) if row.expression not in drop]
    tested = [i for i in range(split, len(rows)) if labels[i] < len(classes)]
    _check_references(rows, train, manifest)
    for members, name in ((train, manifest), (tested, test)):
        if not members:
            raise ManifestError(f"{name}: no row with one of {', '.join(classes)}")
    both = {rows[i].path for i in train} & {rows[i].path for i in tested}
    if both:
        raise ManifestError(f"{test}: image {min(both)} is in both the train and the test images")
    return Plan(
        manifest,
        rows,
        labels,
        _train_and_test("", train, tested, copies, [seed, 0]),
        paired=True,
        seed=seed,
        photometric=photometric,
        options={
            "classes": list(classes),
            "dropped": {name: sum(row.expression == name for row in rows) for name in drop},
            "test_only": sum(not rows[i].reference for i in tested),
            "copies": copies,
        },
        test_manifest=test,
        test_from=split,
    )


def plan_identities(
    manifest: str | Path,
    held_out: float = 0.1,
    copies: int = 1,
    seed: int = 0,
    photometric: bool = False,
) -> Plan:
    """Plan single faces labelled by identity, for ``train_lmdb`` and ``test_lmdb``.

    The label is the rank of the subject in natural order. Each subject with at least two images
    gives a share of them to the test LMDB, drawn at random: at least one image, and never all.

    Parameters
    ----------
    manifest : str or Path
    held_out : float
        The share, above 0 and below 1.
    copies : int
        Records per train image, the first of them not augmented.
    seed : int
        Seed of the share, the shuffle and the augmentation, 0 or more.
    photometric : bool
        As of `plan_pairs`.

    Returns
    -------
    Plan

    Raises
    ------
    ManifestError
        No subject has two images.
    UsageError
        An argument makes no sense.
    """
    _check_numbers(copies=copies, seed=seed)
    if not 0 < held_out < 1:
        raise UsageError(f"--held-out {held_out}: wanted a share above 0 and below 1")
    rows = read_manifest(manifest, Rows)
    subjects = subjects_of(rows, manifest)
    ranks = {subject: i for i, subject in enumerate(ordered_subjects(subjects))}
    labels = [ranks[subject] for subject in subjects]
    test = _held_out_rows(labels, held_out, seed)
    if not test:
        raise ManifestError(f"{manifest}: no subject has two images, none can be held out")
    train = np.setdiff1d(np.arange(len(rows)), test)
    return Plan(
        manifest,
        rows,
        labels,
        _train_and_test("", train, test, copies, [seed, 0]),
        paired=False,
        seed=seed,
        photometric=photometric,
        options={"identities": len(ranks), "held_out": held_out, "copies": copies},
    )


def _train_and_test(
    folder: str,
    train: Sequence[int] | NDArray[np.int64],
    test: Sequence[int],
    copies: int | NDArray[np.int64],
    seed: Sequence[int],
    raised: Mapping[int, int] | None = None,
) -> list[Target]:
    """The two LMDBs in a folder; only the train LMDB has copies, and is shuffled."""
    rng = np.random.default_rng(seed)
    return [
        Target(f"{folder}train_lmdb", train, copies, rng, raised),
        Target(f"{folder}test_lmdb", test),
    ]


def _check_sources(
    rows: Sequence[Row], flag: str, sources: Collection[str], manifest: str | Path
) -> None:
    """Refuse a data set that the manifest does not have."""
    known = {row.source for row in rows} if sources else set()
    for source in sorted(set(sources) - known):
        raise UsageError(
            f"--{flag} {source}: found no such source in {manifest}, "
            f"only {', '.join(map(repr, sorted(known)))}"
        )


def _without_landmarks(row: Row) -> Row:
    return row._replace(landmarks=None, reference_landmarks=None, route="")


def _held_out_rows(labels: Sequence[int], share: float, seed: int) -> list[int]:
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(np.array(labels)[order], return_index=True)
    test: list[int] = []
    for label, rows in zip(found.tolist(), np.split(order, starts[1:])):
        count = min(len(rows) - 1, max(1, int(share * len(rows) + 0.5)))
        rng = np.random.default_rng([seed, 1, label])
        test += rng.choice(rows, count, replace=False).tolist()
    return sorted(test)


def _check_numbers(copies: int, seed: int) -> None:
    if not 1 <= copies <= 1000:
        raise UsageError(f"--copies {copies}: wanted 1 to 1000")
    if seed < 0:
        raise UsageError(f"--seed {seed}: wanted 0 or more")


def _check_references(rows: Sequence[Row], kept: Sequence[int], manifest: str | Path) -> None:
    for i in kept:
        if not rows[i].reference:
            raise ManifestError(
                f"{manifest}: row {i + 1}: column 'reference': empty; a pair needs an image of the "
                f"neutral face of subject {rows[i].subject!r}"
            )


def _chosen(only: Sequence[int] | None, folds: int, together: bool) -> list[tuple[int, ...]]:
    """The test sets, each as the folds it holds."""
    for fold in only or ():
        if not 0 <= fold < folds:
            raise UsageError(f"--fold {fold}: wanted 0 to {folds - 1}")
    chosen = sorted(set(only)) if only else list(range(folds))
    if not together:
        return [(fold,) for fold in chosen]
    if not 1 < len(chosen) < folds:
        raise UsageError("--together: wanted two or more folds in --fold, but not all of them")
    return [tuple(chosen)]


def _check_fold(
    rows: Sequence[Row],
    train: Sequence[int],
    test: Sequence[int],
    fold: str,
    manifest: str | Path,
) -> None:
    for name, members in (("train", train), ("test", test)):
        if not members:
            raise ManifestError(f"{manifest}: fold {fold} has no {name} image")
    check_disjoint([rows[i] for i in train], [rows[i] for i in test], manifest)
