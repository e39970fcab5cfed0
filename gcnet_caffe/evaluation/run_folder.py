"""The folder of a run: where everything is, and what each of its jobs left.

::

    experiment.yaml  plan.json             what was asked for, and what `gcnet run` does for it
    faces/<set>/  manifests/<set>.csv      <set>: train, test, pretrain, start; train1, train2, ...
    data/pairs/<fold>/  data/identity/  data/start/    LMDBs
                                           <fold>-people<N>: where fewer people are trained on
    pretrain/<setting>/<net>/seed<s>/      result folders: a net, its training, its evaluation
    start/<setting>/<variant>/seed<s>/     those that the nets of the folds start from
    nets/<setting>/<variant>/<fold>/seed<s>/
    baselines/<name>/<fold>/               result folders with an evaluation only; -people<N> too
    nets/<setting>/<variant>/<fold>/seed<s>/sequences/    evaluation on every frame of sequences
    sequences/<fold>/                      the test LMDB of these frames
    results.json  results.csv  provenance.json  report.html  logs/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gcnet_caffe.datasets.folds import folder_of
from gcnet_caffe.errors import NO_FILE, GcnetError, UsageError, extra, shown
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.text import read


class Experiment(NamedTuple):
    """What a summary needs of experiment.yaml.

    Attributes
    ----------
    name, protocol : str
    synthetic : bool
        Whether every image is rendered.
    classes : list of str
        Expressions in the order of their labels.
    variants, baselines : list of str
    seeds : list of int
    folds : list of str
        Names of the test sets.
    settings : list of str
    nets : list of [setting, variant]
        All that are trained on each fold, with each seed.
    """

    name: str
    protocol: str
    synthetic: bool
    classes: list[str]
    variants: list[str]
    seeds: list[int]
    baselines: list[str]
    folds: list[str]
    settings: list[str]
    nets: list[list[str]]


#: Key of experiment.yaml -> its type; `nets` may be left out.
_KEYS: dict[str, type] = {
    **{name: list for name in Experiment._fields if name != "nets"},
    **{"name": str, "protocol": str, "synthetic": bool},
}


def people_of(setting: str) -> int | None:
    """Return how many people a setting trains on, from its name; None if on all of them."""
    parts = dict(part.partition("=")[::2] for part in setting.split("+"))
    return int(parts["people"]) if "people" in parts else None


class _Place:
    """A file or folder, by its path in the folder that it belongs to."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __get__(self, folder: ResultFolder | RunFolder, owner: type) -> Path:
        return folder.path / self.path


@dataclass(frozen=True)
class ResultFolder:
    """The folder of a net (its training and evaluation), or of a baseline (its evaluation)."""

    path: Path

    train_test = _Place("train_test.prototxt")  # the net as it is trained
    deploy = _Place("deploy.prototxt")  # the net as it is used
    deploy_reconstruction = _Place("deploy_reconstruction.prototxt")  # with all decoders
    solver = _Place("solver.prototxt")  # the solver; beside it there may be a discriminator's
    snapshots = _Place("snapshots")  # the folder of the snapshots while training is not finished
    log = _Place("train.log")  # the training's log
    weights = _Place("weights.caffemodel")  # the weights after the last iteration
    evaluation = _Place("evaluation.json")  # the scores on the test set
    predictions = _Place("predictions.csv")  # the scores of each test image
    features = _Place("features.npz")  # the features of each test image
    faces = _Place("faces.png")  # some test faces, and what the net generates from them
    failed = _Place("failed.txt")  # one line: why the job failed; there only if it did

    @property
    def nets(self) -> list[Path]:
        """The net as it is trained, then its discriminator where it has one."""
        return [self.train_test, *self.path.glob(f"discriminator_{self.train_test.name}")]

    @property
    def solvers(self) -> list[Path]:
        """The solver, then the discriminator's where the net has one."""
        return [self.solver, *self.path.glob(f"discriminator_{self.solver.name}")]

    @property
    def every_frame(self) -> ResultFolder:
        """The evaluation of the net on every frame of the test sequences."""
        return ResultFolder(self.path / "sequences")

    def missing(self) -> str | None:
        """Return why there is no evaluation, or None where there is one."""
        if self.failed.exists():
            return " ".join(self.failed.read_text(encoding="utf-8").split()) or "failed"
        return None if self.evaluation.exists() else "not run"

    def scores(self) -> dict[str, Any]:
        """Read evaluation.json: what `evaluate` or `baseline` returned.

        Raises
        ------
        GcnetError
            It cannot be read, or has no key 'images'.
        """
        found = _read(self.evaluation)
        if "images" not in found:
            raise GcnetError(
                f"{self.evaluation}: key 'images' is missing; wanted what gcnet evaluate writes"
            )
        return found

    def curve(self) -> list[list[float]]:
        """Read the Test accuracy of train.log as [iteration, value], each iteration once.

        Where training was resumed, an iteration counts as it was tested last.
        """
        series = read_log(self.log).get(("Test", "accuracy"), ()) if self.log.exists() else ()
        return [list(point) for point in sorted(dict(series).items())]


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run; with the path ``Path()``, all paths are relative to it."""

    path: Path

    experiment_file = _Place("experiment.yaml")  # with all that was left out filled in
    plan_file = _Place("plan.json")  # what `gcnet run` does: see `experiment.plan`
    provenance_file = _Place("provenance.json")  # versions, commit, machine, time and commands
    results_file = _Place("results.json")  # the results of all jobs: see `summary`
    results_table = _Place("results.csv")  # the results of all jobs, a row per method
    report = _Place("report.html")  # the report's page
    logs = _Place("logs")  # the folder of what the jobs wrote to stderr
    snakemake_log = _Place("logs/snakemake.log")  # what Snakemake wrote
    identity_data = _Place("data/identity")  # the LMDBs that nets are pre-trained on
    start_data = _Place("data/start/fold0")  # the LMDBs of the nets that the others start from

    @classmethod
    def around(cls, folder: Path) -> RunFolder | None:
        """Return the run that `folder` is in, or None: the next folder above it with a plan."""
        parents = folder.resolve().parents
        return next((cls(path) for path in parents if cls(path).plan_file.is_file()), None)

    def faces(self, name: str) -> Path:
        """Return the folder of a set of synthetic faces."""
        return self.path / "faces" / name

    def manifest(self, name: str) -> Path:
        """Return the manifest of a set."""
        return self.path / "manifests" / f"{name}.csv"

    def pairs(self, fold: str, people: int | None = None) -> Path:
        """Return the folder of a fold's LMDBs; of those that train on `people` of the people."""
        return self.path / "data/pairs" / folder_of(fold, people)

    def net(self, setting: str, variant: str, fold: str, seed: int) -> ResultFolder:
        """Return the folder of a net."""
        return ResultFolder(self.path / "nets" / setting / variant / fold / f"seed{seed}")

    def pretrained(self, setting: str, net: str, seed: int) -> ResultFolder:
        """Return the folder of a pre-trained net."""
        return ResultFolder(self.path / "pretrain" / setting / net / f"seed{seed}")

    def all_pretrained(self) -> Iterator[tuple[str, str, int, ResultFolder]]:
        """Yield (setting, net, seed, folder) of each pre-trained net that is there."""
        for path in sorted(self.path.glob("pretrain/*/*/seed*")):
            seed = int(path.name.removeprefix("seed"))
            yield path.parent.parent.name, path.parent.name, seed, ResultFolder(path)

    def start(self, setting: str, variant: str, seed: int) -> ResultFolder:
        """Return the folder of the net that those of the folds start from."""
        return ResultFolder(self.path / "start" / setting / variant / f"seed{seed}")

    def baseline(self, name: str, fold: str, people: int | None = None) -> ResultFolder:
        """Return the folder of a baseline, as `pairs` has the data that it is trained on."""
        return ResultFolder(self.path / "baselines" / name / folder_of(fold, people))

    def sequences(self, fold: str) -> Path:
        """Return the folder of the LMDB with every frame of a fold's test sequences."""
        return self.path / "sequences" / fold

    def place(self, folder: ResultFolder) -> str:
        """Return the path of `folder` relative to the run's."""
        return folder.path.relative_to(self.path).as_posix()

    def at(self, place: str) -> ResultFolder:
        """Return the result folder at a path relative to the run's."""
        return ResultFolder(self.path / place)

    def experiment(self) -> Experiment:
        """Read what a summary needs of experiment.yaml.

        Raises
        ------
        UsageError
            There is no such file.
        GcnetError
            It is not YAML, or a key is missing or of another type.
        """
        path = self.experiment_file
        if not path.is_file():
            raise UsageError(f"{self.path}: no experiment.yaml here; wanted the folder of a run")
        found = self.options()
        check_keys(found, _KEYS, path)
        pairs = [[setting, v] for setting in found["settings"] for v in found["variants"]]
        return Experiment(**{key: found[key] for key in _KEYS}, nets=found.get("nets", pairs))

    def options(self) -> dict[str, Any]:
        """Read experiment.yaml whole; {} where it is missing."""
        return _read(self.experiment_file, _yaml, optional=True)

    def plan(self) -> dict[str, Any]:
        """Read plan.json; see `experiment.plan.make_plan`."""
        return _read(self.plan_file)

    def provenance(self) -> dict[str, Any]:
        """Read provenance.json; {} where it is missing."""
        return _read(self.provenance_file, optional=True)

    def results(self) -> dict[str, Any]:
        """Read results.json; see `summary`.

        Raises
        ------
        UsageError
            There is no such file.
        GcnetError
            It cannot be read.
        """
        if not self.results_file.is_file():
            raise UsageError(
                f"{self.results_file}: {NO_FILE}; `gcnet summarize {self.path}` writes it"
            )
        return _read(self.results_file)


def check_keys(found: object, wanted: dict[str, type], path: Path, where: str = "") -> None:
    """Check that `found`, from the file `path`, is a dict with the keys and types `wanted`.

    Parameters
    ----------
    found : object
    wanted : dict
        Key -> type.
    path : Path
    where : str
        What stands before a key in a message, such as ``methods[0].``.

    Raises
    ------
    GcnetError
        A key is missing or of another type.
    """
    for key, kind in wanted.items():
        value = found.get(key) if isinstance(found, dict) else found
        if not isinstance(found, dict) or not isinstance(value, kind):
            what = "nothing" if value is None else shown(value)
            raise GcnetError(f"{path}: key '{where}{key}': found {what}, wanted a {kind.__name__}")


def _read(
    path: Path, parse: Callable[[str], object] = json.loads, optional: bool = False
) -> dict[str, Any]:
    if optional and not path.is_file():
        return {}
    try:
        found = parse(read(path, GcnetError))
    except ValueError as error:
        kind, why = path.suffix[1:].upper(), " ".join(str(error).split())
        raise GcnetError(f"{path}: not {kind}: {why}") from None
    if not isinstance(found, dict):
        raise GcnetError(f"{path}: found a {type(found).__name__}, wanted names with values")
    return found


def _yaml(text: str) -> object:
    with extra("report", "the experiment of a run"):
        import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from None
