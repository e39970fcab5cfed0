"""Where trained networks are: a model folder, the folder of a run's training, or loose files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gcnet_caffe.errors import NO_FILE, ModelError, UsageError
from gcnet_caffe.evaluation.run_folder import ResultFolder, RunFolder
from gcnet_caffe.files import sha256
from gcnet_caffe.formats import read_net, read_solver
from gcnet_caffe.inference.model import (
    FACTS,
    NET,
    SHIPPED,
    SUMS,
    WEIGHTS,
    TrainedModel,
    check_preprocessing,
    make_model,
    model_facts,
    preprocessing,
    read_model_folder,
)
from gcnet_caffe.packing.provenance import PACKED, read_packed
from gcnet_caffe.text import check_name


def open_model(folder: str | Path | None = None) -> TrainedModel:
    """Open a model folder, or the folder of a run's training; by default the packaged model.

    Parameters
    ----------
    folder : str or Path, optional

    Raises
    ------
    UsageError, ModelError
        See `read_model_folder` and `read_run_folder`.
    """
    check_name(folder, UsageError)
    folder = SHIPPED if folder is None else Path(folder)
    if (folder / SUMS).exists() or (folder / FACTS).exists():
        return read_model_folder(folder)
    return read_run_folder(folder)


def read_run_folder(folder: str | Path) -> TrainedModel:
    """Open the network that a run trained.

    Parameters
    ----------
    folder : str or Path
        Of one training: ``RUN/nets/SETTING/VARIANT/FOLD/seedN``; or a folder above it that has no
        other training.

    Returns
    -------
    TrainedModel
        Classes and preprocessing are those of the LMDBs that it was trained on.

    Raises
    ------
    UsageError
        No trained network is there, or several are.
    ModelError, GcnetError
        What the run left cannot be read, or is of another preprocessing.
    """
    found = _only_training(Path(folder))
    run = RunFolder.around(found.path)
    if run is None:
        raise UsageError(f"{found.path}: not in the folder of a run; wanted RUN/nets/...")
    place = run.place(ResultFolder(found.path.resolve()))
    try:
        job = run.plan()["training"][place]
        data = run.path / job["data"]
    except (KeyError, TypeError):
        raise ModelError(f"{run.plan_file}: nothing about {place}") from None
    training = {**_of_run(run), **_of_training(found, place, job)}
    return _model(found.deploy, found.weights, data, training)


def read_files(net: str | Path, weights: str | Path, data: str | Path) -> TrainedModel:
    """Open a network from its files.

    Parameters
    ----------
    net, weights : str or Path
        Deploy prototxt and .caffemodel.
    data : str or Path
        Folder of the LMDBs that it was trained on: the classes are in their ``packed.json``.

    Raises
    ------
    UsageError
        There is no such file.
    LmdbError, ModelError
        packed.json cannot be read, or is of another preprocessing.
    """
    for path in (net, weights):
        if not Path(path).is_file():
            raise UsageError(f"{path}: {NO_FILE}")
    return _model(net, weights, Path(data), {})


def _model(
    net: str | Path, weights: str | Path, data: Path, training: dict[str, Any]
) -> TrainedModel:
    packed = read_packed(data)
    if "classes" not in packed["options"]:
        raise ModelError(f"{data / PACKED}: no options.classes; wanted what make-lmdb pairs writes")
    prepared = {**preprocessing(), **{key: packed["crop"].get(key) for key in _PREPARED}}
    check_preprocessing(prepared, data / PACKED)
    origin = {**training, "data": _chosen(packed, "manifest", "options", "lmdbs", "versions")}
    facts = model_facts(read_net(net).name, packed["options"]["classes"], origin)
    return make_model(net, weights, facts, data / PACKED)


#: What packed.json has about the preprocessing.
_PREPARED = ("size", "five_points", "clahe_clip_limit", "clahe_tiles")


def _only_training(folder: Path) -> ResultFolder:
    if not folder.is_dir():
        fault = "is a file" if folder.is_file() else "no such folder"
        raise UsageError(f"{folder}: {fault}; wanted a model folder (`gcnet package` writes one)")
    if (folder / WEIGHTS).is_file():
        return ResultFolder(folder)
    found = sorted(path.parent for path in folder.glob(f"**/{WEIGHTS}") if _is_result(path, folder))
    if not found:
        raise UsageError(
            f"{folder}: no trained network here; wanted a model folder (`gcnet package`), or of a "
            f"run the folder of a finished training, RUN/nets/SETTING/VARIANT/FOLD/seedN"
        )
    if len(found) > 1:
        raise UsageError(f"{folder}: {len(found)} trained networks; choose one, such as {found[0]}")
    return ResultFolder(found[0])


def _is_result(path: Path, folder: Path) -> bool:
    """Whether the weights `path` are of a fold, or of a training before in the folder of such."""
    before = {"pretrain", "start"}.intersection(path.relative_to(folder).parts)
    return not before and (path.parent / NET).is_file()


def _of_run(run: RunFolder) -> dict[str, Any]:
    experiment = run.experiment()
    return {
        "name": experiment.name,
        "protocol": experiment.protocol,
        "synthetic": experiment.synthetic,
        **_chosen(run.provenance(), "git_commit", "command", "started", "versions"),
    }


def _of_training(folder: ResultFolder, place: str, job: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "folder": place,
        "variant": job.get("variant"),
        "engine": job.get("engine"),
        "iterations": read_solver(folder.solver).max_iter,
        "solver_sha256": sha256(folder.solver),
        "started_from": job.get("weights", []),
    }
    if folder.evaluation.is_file():
        facts["held_out"] = _chosen(folder.scores(), *_SCORES)
    return facts


_SCORES = ("images", "accuracy", "chance", "sequences", "sequence_accuracy")


def _chosen(found: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}
