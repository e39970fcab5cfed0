"""Where trained networks are: a model folder, the folder of a run's training, or loose files."""

import json
from pathlib import Path

from gcnet_caffe.errors import ModelError, UsageError
from gcnet_caffe.evaluation.run_folder import read_experiment
from gcnet_caffe.files import sha256
from gcnet_caffe.formats import read_net, read_solver
from gcnet_caffe.inference.model import (
    FACTS,
    NET,
    SUMS,
    SYNTHETIC,
    WEIGHTS,
    check_preprocessing,
    make_model,
    model_facts,
    preprocessing,
    read_model_folder,
)
from gcnet_caffe.text import check_name

_PLAN = "plan.json"


def open_model(folder=None):
    """Open a model folder, or the folder of a run's training; by default the packaged model.

    Raises
    ------
    UsageError, ModelError
        See `read_model_folder` and `read_run_folder`.
    """
    check_name(folder, UsageError)
    folder = SYNTHETIC if folder is None else Path(folder)
    if (folder / SUMS).exists() or (folder / FACTS).exists():
        return read_model_folder(folder)
    return read_run_folder(folder)


def read_run_folder(folder):
    """Open the network that a run trained.

    Parameters
    ----------
    folder : path
        Of one training: ``RUN/nets/SETTING/VARIANT/FOLD/seedN``; or a folder above it that holds no
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
    folder = _only_training(Path(folder))
    run = next((up for up in folder.resolve().parents if (up / _PLAN).is_file()), None)
    if run is None:
        raise UsageError(f"{folder}: not in the folder of a run; wanted RUN/nets/...")
    place = folder.resolve().relative_to(run).as_posix()
    try:
        job = _read_json(run / _PLAN)["training"][place]
        data = run / job["data"]
    except (KeyError, TypeError):
        raise ModelError(f"{run / _PLAN}: tells nothing of {place}") from None
    training = {**_of_run(run), **_of_training(folder, place, job), "data": _of_data(data)}
    return _model(folder / NET, folder / WEIGHTS, data, training)


def read_files(net, weights, data):
    """Open a network from its files.

    Parameters
    ----------
    net, weights : path
        Deploy prototxt and .caffemodel.
    data : path
        Folder of the LMDBs that it was trained on: their ``packed.json`` tells the classes.
    """
    for path in (net, weights):
        if not Path(path).is_file():
            raise UsageError(f"{path}: no such file")
    return _model(net, weights, Path(data), {"data": _of_data(Path(data))})


def _model(net, weights, data, training):
    packed = data / "packed.json"
    found = _read_packed(packed)
    prepared = {**preprocessing(), **{key: found["crop"].get(key) for key in _PACKED}}
    check_preprocessing(prepared, packed)
    name = read_net(net).name
    return make_model(net, weights, model_facts(name, found["options"]["classes"], training))


#: What packed.json tells of the preprocessing.
_PACKED = ("size", "five_points", "clahe_clip_limit", "clahe_tiles")


def _only_training(folder):
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    if (folder / WEIGHTS).is_file():
        return folder
    found = sorted(path.parent for path in folder.glob(f"**/{WEIGHTS}") if _is_classifier(path))
    if not found:
        raise UsageError(
            f"{folder}: no trained network here; wanted a model folder (`gcnet package`), or of a "
            f"run the folder of a finished training, RUN/nets/SETTING/VARIANT/FOLD/seedN"
        )
    if len(found) > 1:
        raise UsageError(f"{folder}: {len(found)} trained networks; choose one, such as {found[0]}")
    return found[0]


def _is_classifier(path):
    return "pretrain" not in path.parts and (path.parent / NET).is_file()


def _of_run(run):
    experiment = read_experiment(run)
    facts = {key: experiment[key] for key in ("name", "protocol", "synthetic")}
    path = run / "provenance.json"
    if path.is_file():
        found = _read_json(path)
        names = ("git_commit", "command", "started", "versions")
        facts.update({key: found[key] for key in names if key in found})
    return facts


def _of_training(folder, place, job):
    facts = {"folder": place, "variant": job.get("variant"), "engine": job.get("engine")}
    facts["iterations"] = read_solver(folder / "solver.prototxt").max_iter
    facts["solver_sha256"] = sha256(folder / "solver.prototxt")
    facts["started_from"] = job.get("weights", [])
    path = folder / "evaluation.json"
    if path.is_file():
        found = _read_json(path)
        names = ("images", "accuracy", "chance", "sequences", "sequence_accuracy")
        facts["held_out"] = {key: found[key] for key in names if key in found}
    return facts


def _of_data(data):
    found = _read_packed(data / "packed.json")
    names = ("manifest", "options", "lmdbs", "versions")
    return {key: found[key] for key in names if key in found}


def _read_packed(path):
    found = _read_json(path)
    wanted = (("options", "classes"), ("crop", "size"), ("manifest", "sha256"))
    try:
        for key, inner in wanted:
            found[key][inner]
    except (KeyError, TypeError):
        raise ModelError(f"{path}: no {key}.{inner}; wanted what make-lmdb pairs writes") from None
    return found


def _read_json(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {error}") from None
