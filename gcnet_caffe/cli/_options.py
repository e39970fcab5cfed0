"""Command-line flags from the fields of an options dataclass: one place for every default."""

import argparse
import dataclasses
import typing


def add_option_flags(parser, options_class, shown, skip=(), only=None):
    """Add a flag for each field of `options_class`.

    `shown` is the instance whose values --help shows as defaults. A field that is true by default
    becomes --no-FIELD. A flag that is not given leaves no trace in the parsed arguments.
    """
    types = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        if field.name in skip or (only and field.name not in only):
            continue
        default = getattr(shown, field.name)
        flag = field.name.replace("_", "-")
        about = {"help": field.metadata["help"], "default": argparse.SUPPRESS, "dest": field.name}
        if isinstance(default, bool):
            name = f"--no-{flag}" if default else f"--{flag}"
            parser.add_argument(name, action="store_const", const=not default, **about)
            continue
        about["help"] += "" if default is None else f" (default: {default})"
        parser.add_argument(f"--{flag}", type=_scalar(types[field.name]), **about)


def given_options(args, options_class):
    """Return {field: value} of the flags that were given."""
    names = {field.name for field in dataclasses.fields(options_class)}
    return {name: value for name, value in vars(args).items() if name in names}


def _scalar(annotation):
    inner = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return inner[0] if inner else annotation
