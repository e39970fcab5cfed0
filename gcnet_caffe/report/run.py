"""A run's folder, read: its experiment, its provenance and results.json, checked."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.nets.catalog import VARIANTS
from gcnet_caffe.nets.plain import PLAIN
from gcnet_caffe.text import open_lines, read

#: Method -> how tables and pictures call it.
LABELS = {
    "cnn": "CNN (baseline)",
    "metric": "metric-learning CNN",
    "S0R0": "GCNet S0R0",
    "S1R0": "GCNet S1R0",
    "S0R1": "GCNet S0R1",
    "S1R1": "GCNet S1R1",
    "hog-svm": "HOG + linear SVM",
    "lbp-svm": "LBP + SVM",
}

_WANTED = {"name": str, "synthetic": bool, "protocol": str, "classes": list, "methods": list}
_WANTED_OF_METHOD = {"method": str, "kind": str, "folds": dict}


@dataclass(frozen=True)
class Method:
    """One line of results.json: a net or baseline under one setting and seed.

    `folds` is fold -> scores, `missing` fold -> reason; `accuracy` and `sequence_accuracy` hold
    'mean', 'std' and 'pooled' (0..1); `confusion` counts images, true label by predicted.
    """

    method: str
    kind: str
    folds: dict
    setting: str = "default"
    seed: Optional[int] = None
    parameters: Optional[int] = None
    missing: dict = field(default_factory=dict)
    accuracy: dict = field(default_factory=dict)
    sequence_accuracy: dict = field(default_factory=dict)
    recall: list = field(default_factory=list)
    confusion: list = field(default_factory=list)

    @property
    def classifies(self):
        """Whether it names expressions: a generator alone does not."""
        none = any(scores.get("accuracy") is None for scores in self.folds.values())
        return self.method not in PLAIN and not none

    @property
    def label(self):
        """Its name in tables and pictures."""
        return LABELS.get(self.method, self.method)


@dataclass(frozen=True)
class Run:
    """One run; `experiment` and `provenance` are {} where their files are missing."""

    folder: Path
    experiment: dict
    provenance: dict
    results: dict
    methods: list

    @property
    def name(self):
        """The experiment's name."""
        return self.results["name"]

    @property
    def synthetic(self):
        """Whether its faces are synthetic; any file that says so is believed."""
        return bool(self.results["synthetic"] or self.experiment.get("synthetic"))

    @property
    def protocol(self):
        """The protocol's name."""
        return self.results["protocol"]

    @property
    def classes(self):
        """Expression names in the order of their labels."""
        return self.results["classes"]

    @property
    def sources(self):
        """The data sets it was trained on: `source` of the rows of manifests/train.csv."""
        path = self.folder / "manifests/train.csv"
        if not path.is_file():
            return ()
        with open(path, newline="", encoding="utf-8", errors="replace") as stream:
            return tuple(sorted({row.get("source") or "" for row in csv.DictReader(stream)}))

    @property
    def pictures(self):
        """Whether pictures of the faces may be shown."""
        return self.experiment.get("pictures", True) is not False

    @property
    def folds(self):
        """The names of its folds, those that failed included."""
        found = list(self.experiment.get("folds") or [])
        for method in self.methods:
            found += [fold for fold in (*method.folds, *method.missing) if fold not in found]
        return found

    @property
    def setting(self):
        """The setting that the run's own tables show: default, or the first."""
        settings = [m.setting for m in self.methods if m.kind == "net"]
        return "default" if "default" in settings or not settings else settings[0]

    @property
    def main(self):
        """The classifying nets of `setting` and the baselines, in the paper's order."""
        shown = [m for m in self.methods if m.kind != "net" or m.setting == self.setting]
        return sorted((m for m in shown if m.classifies), key=_paper_order)

    def first(self, method):
        """(Method, fold, folder) of the first seed and fold of a net that has files, or None."""
        for found in self.main:
            for fold in self.folds if found.method == method else ():
                folder = found.folds.get(fold, {}).get("folder")
                if folder:
                    return found, fold, self.folder / folder
        return None


def _paper_order(method):
    known = [*VARIANTS, *(name for name in LABELS if name not in VARIANTS)]
    place = known.index(method.method) if method.method in known else len(known)
    return place, method.method, method.seed or 0


def read_run(folder):
    """Read the run in `folder`.

    Raises
    ------
    UsageError
        `folder` holds no results.json.
    GcnetError
        A file is broken; the message names it, the key, what was found and what was wanted.
    """
    folder = Path(folder)
    path = folder / "results.json"
    if not path.is_file():
        raise UsageError(f"{path}: not there; `gcnet summarize {folder}` writes it")
    results = _read(path, json.loads)
    _check(results, _WANTED, path, "")
    for i, method in enumerate(results["methods"]):
        _check(method, _WANTED_OF_METHOD, path, f"methods[{i}].")
    known = Method.__dataclass_fields__
    methods = [
        Method(**{key: value for key, value in m.items() if key in known and value is not None})
        for m in results["methods"]
    ]
    experiment = _read(folder / "experiment.yaml", _yaml, optional=True)
    provenance = _read(folder / "provenance.json", json.loads, optional=True)
    return Run(folder, experiment, provenance, results, methods)


def _yaml(text):
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _read(path, parse, optional=False):
    if optional and not path.is_file():
        return {}
    try:
        found = parse(read(path, GcnetError))
    except ValueError as error:
        raise GcnetError(f"{path}: cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise GcnetError(f"{path}: found a {type(found).__name__}, wanted names with values")
    return found


def _check(found, wanted, path, where):
    for key, kind in wanted.items():
        if not isinstance(found, dict) or not isinstance(found.get(key), kind):
            value = found.get(key, "nothing") if isinstance(found, dict) else found
            raise GcnetError(
                f"{path}: {where}{key}: found {str(value)[:60]!r}, wanted a {kind.__name__}"
            )


def read_test(path):
    """The rows (dicts) of a test.csv: key,path,subject,sequence,rank,expression,label.

    `rank` and `label` are int; no rank is 0.

    Raises
    ------
    GcnetError
        It is missing, or has no such columns or numbers.
    """
    if not path.is_file():
        raise GcnetError(f"{path}: not there")
    try:
        with open_lines(path, GcnetError) as stream:
            rows = list(csv.DictReader(stream))
        wanted = {"key", "subject", "sequence", "rank", "expression", "label"}
        if not rows or wanted - set(rows[0]):
            raise ValueError(f"wanted rows with the columns {', '.join(sorted(wanted))}")
        for row in rows:
            row.update(rank=int(row["rank"] or 0), label=int(row["label"]))
    except (ValueError, TypeError, csv.Error) as error:
        raise GcnetError(f"{path}: {error}") from None
    return rows
