"""The folder of a run: what was asked for, and what each of its jobs left."""

import json
from pathlib import Path

from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.text import read

#: What experiment.yaml must tell: key -> type.
_KEYS = {
    "name": str,
    "protocol": str,
    "synthetic": bool,
    "classes": list,
    "variants": list,
    "seeds": list,
    "baselines": list,
    "folds": list,
    "settings": list,
}


def read_experiment(run):
    """Return the keys of `run`/experiment.yaml that a summary needs.

    `nets` are [setting, variant] of all that were to be trained.

    Raises
    ------
    UsageError
        There is no such file.
    GcnetError
        It is no YAML, or a key is missing or of another type.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise UsageError("runs need PyYAML: pip install 'gcnet-caffe[report]'") from None
    path = Path(run) / "experiment.yaml"
    if not path.is_file():
        raise UsageError(f"{run}: no experiment.yaml here; wanted the folder of a run")
    try:
        found = yaml.safe_load(read(path, GcnetError, wanted="an experiment in YAML"))
    except yaml.YAMLError as error:
        raise GcnetError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise GcnetError(f"{path}: found {type(found).__name__}, wanted keys and values")
    for key, kind in _KEYS.items():
        if not isinstance(found.get(key), kind):
            what = repr(found[key]) if key in found else "nothing"
            raise GcnetError(f"{path}: key {key!r}: found {what}, wanted a {kind.__name__}")
    pairs = [[setting, v] for setting in found["settings"] for v in found["variants"]]
    return {**{key: found[key] for key in _KEYS}, "nets": found.get("nets", pairs)}


def read_job(folder, run):
    """Return (facts, None) of the evaluated job in `folder`, or (None, why there are none).

    Parameters
    ----------
    folder, run : Path
        `folder` is below `run`; `failed.txt` in it tells that the job failed, and why.

    Returns
    -------
    facts : dict or None
        What evaluation.json holds, `curve` (the Test accuracy of train.log as [iteration, value])
        and `folder`, relative to `run`.
    reason : str or None
    """
    failed, evaluation = folder / "failed.txt", folder / "evaluation.json"
    if failed.exists():
        return None, " ".join(failed.read_text(encoding="utf-8").split()) or "failed"
    if not evaluation.exists():
        return None, "not run"
    facts = _read_json(evaluation)
    return {**facts, "curve": _curve(folder), "folder": folder.relative_to(run).as_posix()}, None


def _read_json(path):
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise GcnetError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict) or "images" not in found:
        raise GcnetError(f"{path}: key 'images' is missing; wanted what gcnet evaluate writes")
    return found


def _curve(folder):
    """Each iteration once: where training was resumed, as it was tested last."""
    log = folder / "train.log"
    series = read_log(log).get(("Test", "accuracy"), ()) if log.exists() else ()
    return [list(point) for point in sorted(dict(series).items())]
