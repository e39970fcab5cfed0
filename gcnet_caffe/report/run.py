"""A run's folder, read: its experiment, its provenance and results.json, checked."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.evaluation.run_folder import ResultFolder, RunFolder, check_keys, people_of
from gcnet_caffe.evaluation.summary import FoldScores, PretrainResult, Spread, over_folds
from gcnet_caffe.evaluation.told import note_of
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE
from gcnet_caffe.nets.plain import PLAIN
from gcnet_caffe.report.blocks import EMPTY, Shown

#: Method -> its name in tables and figures.
LABELS = {
    "cnn": "CNN (baseline)",
    "metric": "metric-learning CNN",
    "S0R0": "GCNet S0R0",
    "S1R0": "GCNet S1R0",
    "S0R1": "GCNet S0R1",
    "S1R1": "GCNet S1R1",
    "hog-svm": "HOG + linear SVM",
    "lbp-svm": "LBP + linear SVM",
}


def label_of(method: str) -> str:
    """Return the name of a method in tables and figures."""
    return LABELS.get(method, method)


_WANTED: dict[str, type] = {
    "name": str,
    "synthetic": bool,
    "protocol": str,
    "classes": list,
    "methods": list,
}
_WANTED_OF_METHOD: dict[str, type] = {"method": str, "kind": str, "folds": dict}


@dataclass(frozen=True)
class Method:
    """A method of results.json (see `evaluation.summary`): a net or baseline, a setting, a seed.

    What an old results.json lacks is empty.
    """

    method: str
    kind: str
    folds: dict[str, FoldScores]
    setting: str = "default"
    seed: int | None = None
    parameters: int | None = None
    missing: dict[str, str] = field(default_factory=dict)
    accuracy: Spread = field(default_factory=lambda: over_folds([]))
    sequence_accuracy: Spread = field(default_factory=lambda: over_folds([]))
    recall: list[float | None] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)

    @property
    def classifies(self) -> bool:
        """Whether it predicts expressions: a generator alone does not."""
        none = any(scores.get("accuracy") is None for scores in self.folds.values())
        return self.method not in PLAIN and not none

    def generated(self, blob: str) -> dict[str, dict[str, float]]:
        """Return the scores of the images of an image blob: of each fold that has them."""
        folds: Mapping[str, Mapping[str, Any]] = self.folds
        return {fold: scores[blob] for fold, scores in folds.items() if scores.get(blob)}

    @property
    def size(self) -> Shown:
        """The number of its learnable parameters, or an empty cell."""
        return EMPTY if self.parameters is None else f"{self.parameters:,}"

    @property
    def label(self) -> str:
        """Its name in tables and figures."""
        return label_of(self.method)


class Trained(NamedTuple):
    """A net of one fold that has files."""

    method: Method
    fold: str
    folder: ResultFolder


@dataclass(frozen=True)
class Run:
    """A run; `experiment` and `provenance` are {} where their files are missing.

    Attributes
    ----------
    folder : RunFolder
    experiment : dict
        experiment.yaml.
    provenance : dict
        provenance.json.
    name, protocol : str
    synthetic : bool
        Whether all its faces are synthetic: one file that says so is enough.
    classes : list of str
        Expressions in the order of their labels.
    chance : float or None
        The share (0..1) of the largest class, over the test images of all folds.
    pretrained : list of dict
        The pre-trained nets.
    started : list of dict
        The nets that those of the folds started from.
    methods : list of Method
    """

    folder: RunFolder
    experiment: dict[str, Any]
    provenance: dict[str, Any]
    name: str
    protocol: str
    synthetic: bool
    classes: list[str]
    chance: float | None
    pretrained: list[PretrainResult]
    started: list[PretrainResult]
    methods: list[Method]

    @property
    def sources(self) -> tuple[str, ...]:
        """The data sets it was trained on: `source` of the rows of manifests/train.csv."""
        path = self.folder.manifest("train")
        if not path.is_file():
            return ()
        with open(path, newline="", encoding="utf-8", errors="replace") as stream:
            return tuple(sorted({row.get("source") or "" for row in csv.DictReader(stream)}))

    @property
    def partly_synthetic(self) -> bool:
        """Whether some of its faces are synthetic, and others are not."""
        return not self.synthetic and "synthetic" in self.sources

    @property
    def pictures(self) -> bool:
        """Whether pictures of the faces may be shown."""
        return self.experiment.get("pictures", True) is not False

    @property
    def folds(self) -> list[str]:
        """The names of its folds, those that failed included."""
        found = list(self.experiment.get("folds") or [])
        for method in self.methods:
            found += [fold for fold in (*method.folds, *method.missing) if fold not in found]
        return found

    @property
    def setting(self) -> str:
        """The setting that the run's own tables show: default, or the first."""
        settings = [m.setting for m in self.methods if m.kind == "net"]
        return "default" if "default" in settings or not settings else settings[0]

    @property
    def main(self) -> list[Method]:
        """The classifying nets of `setting` and its baselines, in the paper's order."""
        people = people_of(self.setting)
        baselines = [m for m in self.methods if m.kind != "net" and people_of(m.setting) == people]
        nets = [m for m in self.methods if m.kind == "net" and m.setting == self.setting]
        return sorted((m for m in (*nets, *baselines) if m.classifies), key=_paper_order)

    @property
    def compared(self) -> list[Method]:
        """Those of `main` that may be compared: without those that are told the answer."""
        return [m for m in self.main if not note_of(m.method, self.classes)]

    @property
    def notes(self) -> list[str]:
        """Why some of `main` are not compared; [] if all are."""
        return [*filter(None, dict.fromkeys(note_of(m.method, self.classes) for m in self.main))]

    def name_of(self, method: str) -> str:
        """Return the name of a method in figures; it says whether it may be compared."""
        apart = " (not compared)" if note_of(method, self.classes) else ""
        return f"{label_of(method)}{apart}"

    @property
    def mixed(self) -> bool:
        """Whether scores of generated references include queries that are their own reference.

        Earlier versions did not keep them apart, nor count them.
        """
        made = (s for m in self.methods for s in m.generated(GENERATED_REFERENCE).values())
        return NEUTRAL in self.classes and any("count" not in scores for scores in made)

    def first(self, name: str) -> Trained | None:
        """Return the first seed and fold of the net `name` that has files, or None."""
        for method in self.main:
            for fold in self.folds if method.method == name else ():
                place = method.folds.get(fold, {}).get("folder")
                if place:
                    return Trained(method, fold, self.folder.at(place))
        return None


def one_seed(methods: Sequence[Method]) -> list[Method]:
    """Return the first of each name."""
    names = [m.method for m in methods]
    return [m for place, m in enumerate(methods) if names.index(m.method) == place]


def in_paper_order(names: Iterable[str]) -> list[str]:
    """Return the names of methods in the order of the paper's tables, others after them."""
    return sorted(names, key=_place)


def _place(name: str) -> tuple[int, str]:
    return [*LABELS, name].index(name), name


def _paper_order(method: Method) -> tuple[int, str, int]:
    return *_place(method.method), method.seed or 0


def read_run(path: str | Path) -> Run:
    """Read the folder of a run.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    UsageError
        The folder has no results.json.
    GcnetError
        A file is broken; the message has the file, the key, what was found and what was wanted.
    """
    folder = RunFolder(Path(path))
    results = folder.results()
    check_keys(results, _WANTED, folder.results_file)
    for i, method in enumerate(results["methods"]):
        check_keys(method, _WANTED_OF_METHOD, folder.results_file, f"methods[{i}].")
    known = Method.__dataclass_fields__
    methods = [
        Method(**{key: value for key, value in m.items() if key in known and value is not None})
        for m in results["methods"]
    ]
    experiment = folder.options()
    return Run(
        folder,
        experiment,
        folder.provenance(),
        results["name"],
        results["protocol"],
        bool(results["synthetic"] or experiment.get("synthetic")),
        results["classes"],
        results.get("chance"),
        results.get("pretrain") or [],
        results.get("start") or [],
        methods,
    )
