"""Experiments as YAML: read, checked by a schema, completed with defaults.

An experiment says what is trained on which data; the command line says how (cores, GPUs, cluster).
The options under ``net`` and ``solver`` are the fields of `NetOptions` and `SolverOptions`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gcnet_caffe.datasets.expressions import parse_classes
from gcnet_caffe.datasets.protocols import PROTOCOLS, Protocol
from gcnet_caffe.errors import UsageError, shown
from gcnet_caffe.experiment.schema import experiment_schema
from gcnet_caffe.experiment.settings import net_and_solver, trained, with_own
from gcnet_caffe.nets import NetOptions, SolverOptions
from gcnet_caffe.text import odd_character, read

if TYPE_CHECKING:
    import jsonschema

#: The values of keys that are left out.
DEFAULTS: dict[str, Any] = {
    "title": "",
    "about": "",
    "variants": ["cnn", "metric", "S0R0", "S1R0", "S0R1", "S1R1"],
    "pretrain": None,
    "start": None,
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

#: Key of earlier releases -> its new name.
_RENAMED = {"fold_sheet": "fold_table"}


def read_experiment(path: str | Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Read the experiment at `path`.

    Parameters
    ----------
    path : str or Path
        A YAML file; its stem is the experiment's name.
    changes : sequence of str
        ``KEY=VALUE``, VALUE in YAML: replaces a value of the file, as ``solver.max_iter=1000`` or
        ``data.root=/data/CK+``.

    Returns
    -------
    dict
        The keys of `experiment_schema`, each with a value, and ``name``. Relative folders and
        manifests are relative to where the command runs.

    Raises
    ------
    UsageError
        The file is not YAML, has an unknown key (the message names the nearest known one), or a
        value is out of range.
    """
    found = _load(path)
    for change in changes:
        _apply(found, change)
    _check(found, path)
    experiment = {"name": Path(path).stem, **DEFAULTS, **found}
    protocol = PROTOCOLS[experiment["protocol"]]
    classes = experiment.get("classes") or list(protocol.classes)
    experiment["classes"] = list(parse_classes(",".join(classes)))
    _check_meaning(experiment, protocol, path)
    absolute: dict[str, Any] = _absolute(experiment)
    return absolute


def _load(path: str | Path) -> dict[str, Any]:
    try:
        text = read(path, UsageError, wanted="an experiment in YAML")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; wanted an experiment in YAML") from None
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


def _apply(found: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {change}: wanted KEY=VALUE, such as solver.max_iter=1000")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"--set {change}: {text!r} is not a YAML value") from None
    inner: Any = found
    *parents, last = key.split(".")
    for parent in parents:
        if isinstance(inner, dict):
            inner.setdefault(parent, {})
        inner = inner[_place(inner, parent, change)]
        if not isinstance(inner, (dict, list)):
            raise UsageError(f"--set {change}: {parent} has no keys")
    inner[_place(inner, last, change)] = value


def _place(found: dict[str, Any] | list[Any], key: str, change: str) -> Any:
    """The key itself, or its place in a list; those are counted from 0."""
    if isinstance(found, dict):
        return key
    if not key.isdecimal() or int(key) >= len(found):
        raise UsageError(
            f"--set {change}: {key}: wanted a place in the list, 0 to {len(found) - 1}"
        )
    return int(key)


def _check(found: dict[str, Any], path: str | Path) -> None:
    """Raise a UsageError of one line if `found` violates the schema."""
    import jsonschema

    schema = experiment_schema()
    if not found.keys() & set(schema["required"]):
        keys = ", ".join(schema["required"])
        raise UsageError(f"{path}: not an experiment in YAML; wanted the keys {keys}, ...")
    errors = jsonschema.Draft202012Validator(schema).iter_errors(found)
    error = jsonschema.exceptions.best_match(errors)
    if error is None:
        return
    where = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        close = difflib.get_close_matches(str(unknown), known, 1, 0.5)
        nearest = _RENAMED.get(unknown, *close)
        what = f"did you mean {nearest}?" if nearest else f"wanted one of {', '.join(known)}"
        key = ".".join(map(str, (*error.absolute_path, unknown))).replace("\0", "\\x00")
        raise UsageError(f"{path}: unknown key {key}; {what}")
    raise UsageError(f"{path}: {where or 'the file'}: {_in_words(error)}")


def _in_words(error: jsonschema.ValidationError) -> str:
    value: Any = error.validator_value
    found = f"found {shown(error.instance)}"
    wanted: dict[Any, Callable[[], str]] = {
        "enum": lambda: f"{found}, wanted one of {', '.join(map(str, value))}",
        "type": lambda: f"{found}, wanted {value}",
        "required": lambda: f"{error.message.split(' ')[0]} is missing",
        "minimum": lambda: f"{found}, wanted {value} or more",
        "maximum": lambda: f"{found}, wanted {value} or less",
        "exclusiveMinimum": lambda: f"{found}, wanted more than {value}",
        "minItems": lambda: f"wanted at least {value}",
        "pattern": lambda: f"{shown(error.instance)} contains NUL (U+0000)",
    }
    return wanted.get(error.validator, lambda: error.message.splitlines()[0])()


def _check_meaning(experiment: dict[str, Any], protocol: Protocol, path: str | Path) -> None:
    """Check what a schema cannot express."""
    across = not protocol.folds
    if across != ("test" in experiment):
        wanted = "`test:`, the data set to test on" if across else "no `test:`; it has folds"
        raise UsageError(f"{path}: protocol {experiment['protocol']}: wanted {wanted}")
    for key in ("folds", "only", "fold_table"):
        if across and key in experiment:
            raise UsageError(f"{path}: {key}: protocol {experiment['protocol']} has no folds")
    if across and "people" in experiment["sweep"]:
        raise UsageError(f"{path}: sweep.people: only for protocols with folds")
    for key in ("copies_of", "detect", "partial"):
        if across and key in experiment["pack"]:
            raise UsageError(f"{path}: pack.{key}: only for protocols with folds")
    before = (with_own(experiment, key) for key in ("pretrain", "start") if experiment[key])
    try:
        for options in (experiment, *before):
            for _, setting, _ in trained(experiment):
                net, solver = net_and_solver(options, setting)
                NetOptions(**net)
                SolverOptions(**solver)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def check_data(experiment: Mapping[str, Any], path: str | Path) -> None:
    """Check that the folders and files that an experiment reads are there.

    Parameters
    ----------
    experiment : mapping
        See `read_experiment`.
    path : path
        Its file, for the message.

    Raises
    ------
    UsageError
        One is missing.
    """
    data = experiment["data"]
    listed = {f"data.{i}": source for i, source in enumerate(data)}
    sources = listed if isinstance(data, list) else {"data": data}
    sources["test"] = experiment.get("test", {})
    for key in ("pretrain", "start"):
        sources[f"{key}.data"] = (experiment[key] or {}).get("data", {})
    for key, source in sources.items():
        for name in ("root", "manifest"):
            if name in source and not os.path.exists(source[name]):
                raise UsageError(
                    f"{path}: {key}.{name}: nothing at {source[name]}; give your path with "
                    f"--set {key}.{name}=..."
                )


def _absolute(value: Any) -> Any:
    """Make the paths of data sets absolute: the jobs run in another folder."""
    if isinstance(value, list):
        return [_absolute(item) for item in value]
    if not isinstance(value, dict):
        return value
    paths = ("root", "manifest", "fold_table")
    return {
        key: os.path.abspath(os.path.expanduser(item)) if key in paths else _absolute(item)
        for key, item in value.items()
    }
