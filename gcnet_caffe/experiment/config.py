"""Experiments as YAML: read, held against a schema, completed with defaults.

An experiment says what is trained on what; how (cores, GPUs, cluster) is the command line's. The
options under ``net`` and ``solver`` are the fields of `NetOptions` and `SolverOptions`.
"""

import dataclasses
import difflib
import os
from pathlib import Path
from typing import Union

import yaml

from gcnet_caffe.datasets.expressions import parse_classes
from gcnet_caffe.datasets.protocols import PROTOCOLS
from gcnet_caffe.errors import UsageError, shown
from gcnet_caffe.experiment.schema import experiment_schema
from gcnet_caffe.nets import NetOptions, SolverOptions
from gcnet_caffe.text import odd_character, read

#: What a key that is left out means.
DEFAULTS = {
    "title": "",
    "about": "",
    "variants": ["cnn", "metric", "S0R0", "S1R0", "S0R1", "S1R1"],
    "pretrain": None,
    "pack": {},
    "net": {},
    "solver": {},
    "sweep": {},
    "also": [],
    "seeds": [1],
    "baselines": ["hog-svm", "lbp-svm"],
    "engine": "torch",
    "sequences": False,
    "pictures": True,
}


def read_experiment(path, changes=()):
    """Read the experiment at `path`.

    Parameters
    ----------
    path : str or Path
        A YAML file; its stem is the experiment's name.
    changes : sequence of str
        ``KEY=VALUE``, VALUE in YAML, put in place of the file's: ``solver.max_iter=1000``,
        ``data.root=/data/CK+``.

    Returns
    -------
    dict
        The keys of `experiment_schema`, each with a value, and ``name``. Relative folders and
        manifests are relative to where the command runs.

    Raises
    ------
    UsageError
        Not YAML, an unknown key (the nearest known one is named), a value out of range.
    """
    found = _load(path)
    for change in changes:
        _apply(found, change)
    _refuse_nul(found, path)
    _check(found, path)
    experiment = {"name": Path(path).stem, **DEFAULTS, **found}
    protocol = PROTOCOLS[experiment["protocol"]]
    classes = experiment.get("classes") or list(protocol.classes)
    experiment["classes"] = list(parse_classes(",".join(classes)))
    _check_meaning(experiment, protocol, path)
    return _absolute(experiment)


def _load(path):
    try:
        text = read(path, UsageError, wanted="an experiment in YAML")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such experiment") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: not a text file; wanted an experiment in YAML") from None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}:" if where else ""
        problem = getattr(error, "problem", error)
        raise UsageError(f"{path}:{line} not YAML: {problem}{_hint(text)}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: wanted keys and values, such as `protocol: ck7`{_hint(text)}")
    return found


def _hint(text: str) -> str:
    odd = odd_character(text)
    return f" ({odd})" if odd else ""


def _refuse_nul(found: Union[dict, list], path: Union[str, Path], keys: tuple = ()) -> None:
    """Raise a UsageError that names the key where a value, or a key, holds a NUL character."""
    for key, value in found.items() if isinstance(found, dict) else enumerate(found):
        here = (*keys, str(key))
        if isinstance(value, (dict, list)):
            _refuse_nul(value, path, here)
        if "\0" in str(key) or (isinstance(value, str) and "\0" in value):
            where = ".".join(here)
            raise UsageError(f"{path}: {where!r}: {shown(value)} holds NUL (U+0000)")


def _apply(found, change):
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {change}: wanted KEY=VALUE, such as solver.max_iter=1000")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"--set {change}: {text!r} is not a YAML value") from None
    *parents, last = key.split(".")
    for parent in parents:
        found = found.setdefault(parent, {})
        if not isinstance(found, dict):
            raise UsageError(f"--set {change}: {parent} holds no keys")
    found[last] = value


def _check(found, path):
    """Hold `found` against the schema; the first violation is one line."""
    import jsonschema

    errors = jsonschema.Draft202012Validator(experiment_schema()).iter_errors(found)
    error = jsonschema.exceptions.best_match(errors)
    if error is None:
        return
    where = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        nearest = difflib.get_close_matches(str(unknown), known, 1, 0.5)
        what = f"did you mean {nearest[0]}?" if nearest else f"wanted one of {', '.join(known)}"
        raise UsageError(
            f"{path}: unknown key {'.'.join(filter(None, (where, str(unknown))))}; {what}"
        )
    raise UsageError(f"{path}: {where or 'the file'}: {_in_words(error)}")


def _in_words(error):
    value, found = error.validator_value, f"found {shown(error.instance)}"
    wanted = {
        "enum": lambda: f"{found}, wanted one of {', '.join(map(str, value))}",
        "type": lambda: f"{found}, wanted {value}",
        "required": lambda: f"{error.message.split(' ')[0]} is missing",
        "minimum": lambda: f"{found}, wanted {value} or more",
        "exclusiveMinimum": lambda: f"{found}, wanted more than {value}",
        "minItems": lambda: f"wanted at least {value}",
    }
    return wanted.get(error.validator, lambda: error.message.splitlines()[0])()


def _check_meaning(experiment, protocol, path):
    """What a schema cannot say."""
    across = not protocol.folds
    if across != ("test" in experiment):
        wanted = "`test:`, the data set to test on" if across else "no `test:`; it has folds"
        raise UsageError(f"{path}: protocol {experiment['protocol']}: wanted {wanted}")
    for key in ("folds", "only", "fold_sheet"):
        if across and key in experiment:
            raise UsageError(f"{path}: {key}: protocol {experiment['protocol']} has no folds")
    try:
        for net in (experiment["net"], *(more["net"] for more in experiment["also"])):
            NetOptions(**net)
        SolverOptions(**experiment["solver"])
        for name, values in experiment["sweep"].items():
            for value in values:
                owner = NetOptions if name in _fields(NetOptions) else SolverOptions
                owner(**{name: value})
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def check_data(experiment, path):
    """Raise a UsageError where a folder or file that the experiment reads is not there."""
    data, pretrain = experiment["data"], experiment["pretrain"] or {}
    several = isinstance(data, list)
    sources = {f"data.{i}": source for i, source in enumerate(data)} if several else {"data": data}
    sources.update({"test": experiment.get("test", {}), "pretrain.data": pretrain.get("data", {})})
    for key, source in sources.items():
        for name in ("root", "manifest"):
            if name in source and not os.path.exists(source[name]):
                set_it = "--set data=[...]" if several else f"--set {key}.{name}=..."
                raise UsageError(
                    f"{path}: {key}.{name}: nothing at {source[name]}; say where yours is: {set_it}"
                )


def _absolute(value):
    """Make the folders and files that a data set is read from absolute: jobs run elsewhere."""
    if isinstance(value, list):
        return [_absolute(item) for item in value]
    if not isinstance(value, dict):
        return value
    paths = ("root", "manifest", "fold_sheet")
    return {
        key: os.path.abspath(os.path.expanduser(item)) if key in paths else _absolute(item)
        for key, item in value.items()
    }


def _fields(options):
    return {field.name for field in dataclasses.fields(options)}


def net_and_solver(experiment, setting):
    """Return the net's and the solver's options of a setting: those of all, and its own."""
    names = _fields(NetOptions)
    net, solver = dict(experiment["net"]), dict(experiment["solver"])
    for name, value in setting.items():
        (net if name in names else solver)[name] = value
    return net, solver
