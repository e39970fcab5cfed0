"""Options that several verbs share, and those made from the fields of an options dataclass."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Collection, Iterable
from typing import Any

from gcnet_caffe.errors import UsageError
from gcnet_caffe.parallel import cores

_ENGINES = {
    "torch": "PyTorch",
    "caffe": "real Caffe",
    "onnxruntime": "ONNX Runtime",
    "opencv": "OpenCV's dnn",
}


def add_engine_flag(parser: argparse.ArgumentParser, engines: Iterable[str]) -> None:
    """Add --engine, one of `engines`; `torch` by default."""
    names = list(engines)
    text = ", ".join(f"{name} is {_ENGINES[name]}" for name in names)
    parser.add_argument(
        "--engine", choices=names, default="torch", help=f"what runs the net: {text}"
    )


def add_model_flag(parser: argparse.ArgumentParser) -> None:
    """Add --model, a trained network as `recognition.find_model.open_model` takes it."""
    parser.add_argument(
        "--model",
        metavar="DIR",
        help="trained network: a model folder (`gcnet package`) or the folder of a run's training; "
        "default: the small one that comes with this package",
    )


def add_detector_flag(parser: argparse.ArgumentParser, use: str, **more: Any) -> None:
    """Add --detector-model; `use` says what for, `more` are arguments of ``add_argument``."""
    parser.add_argument(
        "--detector-model",
        metavar="FILE",
        help=f"YuNet model file, {use}; default: that of the extra `landmarks`",
        **more,
    )


def add_option_flags(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    options_class: type,
    shown: object,
    skip: Collection[str] = (),
    only: Collection[str] = (),
) -> None:
    """Add a flag for each field of a dataclass: one place for every default.

    A field that is true by default becomes --no-FIELD. A flag that is not given leaves no trace in
    the parsed arguments.

    Parameters
    ----------
    parser : ArgumentParser or argument group
    options_class : type
        A dataclass; the metadata of its fields have their ``help``, ``choices`` where the values
        are a list, and ``negated``, the help of a flag ``--no-...``.
    shown : object
        An instance of it, whose values --help shows as defaults.
    skip : collection of str
        Fields that get no flag.
    only : collection of str
        The fields that get one; by default all.
    """
    types = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        if field.name in skip or (only and field.name not in only):
            continue
        default = getattr(shown, field.name)
        flag = field.name.replace("_", "-")
        text = field.metadata["help"]
        about: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": field.name}
        choices = field.metadata.get("choices")
        if choices:  # the class checks them, in its own words
            about["metavar"] = f"{{{','.join(choices)}}}"
        if isinstance(default, bool):
            name = f"--no-{flag}" if default else f"--{flag}"
            text = (default and field.metadata.get("negated")) or text
            parser.add_argument(name, action="store_const", const=not default, help=text, **about)
            continue
        text += "" if default in (None, "") else f" (default: {default})"
        parser.add_argument(f"--{flag}", type=_scalar(types[field.name]), help=text, **about)


def given_options(args: argparse.Namespace, options_class: type) -> dict[str, Any]:
    """Return {field: value} of the flags of `add_option_flags` that were given."""
    names = {field.name for field in dataclasses.fields(options_class)}
    return {name: value for name, value in vars(args).items() if name in names}


def add_cores_flag(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    """Add the option `name`, a number of processes; by default that of this machine's cores."""
    text += "; default: the number of cores of this machine (here %(default)s)"
    parser.add_argument(name, type=int, default=cores(), help=text, metavar="N")


def check_least(args: argparse.Namespace, **least: int) -> None:
    """Raise a UsageError if one of the parsed options is less than its least value."""
    for name, low in least.items():
        value = getattr(args, name)
        if value is not None and value < low:
            raise UsageError(f"--{name.replace('_', '-')} {value}: wanted at least {low}")


def _scalar(annotation: Any) -> Any:
    inner = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return inner[0] if inner else annotation
