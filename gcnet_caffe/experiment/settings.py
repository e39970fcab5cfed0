"""The settings of a sweep, and which options change the files of a network."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import shlex
from collections.abc import Mapping
from typing import Any

from gcnet_caffe.nets import NetOptions, net_files, solver_defaults
from gcnet_caffe.nets.names import NAMING
from gcnet_caffe.nets.pretrain import PRETRAININGS

#: {option: value}: the fields of NetOptions and SolverOptions that a setting changes, and PEOPLE.
Setting = Mapping[str, Any]
#: The number of people to train on: an option of the packing, and of no net or solver.
PEOPLE = "people"
_NET_OPTIONS = {field.name for field in dataclasses.fields(NetOptions)}


def settings(experiment: Mapping[str, Any]) -> dict[str, Setting]:
    """Return the settings of an experiment by name.

    Parameters
    ----------
    experiment : mapping
        See `config.read_experiment`.

    Returns
    -------
    dict
        One setting, {option: value}, per combination of the sweep's values; without a sweep one
        empty setting, ``default``.
    """
    names = list(experiment["sweep"])
    found: dict[str, Setting] = {}
    for values in itertools.product(*experiment["sweep"].values()):
        setting = dict(zip(names, values))
        found[setting_name(setting)] = setting
    return found


def trained(experiment: Mapping[str, Any]) -> list[tuple[str, Setting, str]]:
    """Return (name of the setting, setting, variant) of every net that is trained.

    Those of the sweep come first, then those of the key ``also``.
    """
    found = [
        (name, setting, variant)
        for name, setting in settings(experiment).items()
        for variant in experiment["variants"]
    ]
    for more in experiment["also"]:
        name = setting_name(more["net"])
        found += [(name, more["net"], variant) for variant in more["variants"]]
    return found


def setting_name(setting: Setting) -> str:
    """Return the folder of a setting: ``lambda_s=0.1+padding=valid``, or ``default``."""
    return "+".join(f"{name}={value}" for name, value in setting.items()) or "default"


def net_and_solver(
    experiment: Mapping[str, Any], setting: Setting
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of net and solver: those of the experiment, changed by a setting.

    Parameters
    ----------
    experiment : mapping
        Its keys ``net`` and ``solver`` are used.
    setting : mapping
        {option: value}; an option of the net or of the solver.
    """
    net = {name: value for name, value in setting.items() if name in _NET_OPTIONS}
    others = {*_NET_OPTIONS, PEOPLE}
    solver = {name: value for name, value in setting.items() if name not in others}
    return {**experiment["net"], **net}, {**experiment["solver"], **solver}


def with_own(experiment: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the experiment with the options of net and solver of one of its trainings.

    Parameters
    ----------
    experiment : mapping
    key : str
        ``pretrain`` or ``start``, which the experiment has. Its options replace the experiment's.
    """
    own = {name: experiment[key].get(name, {}) for name in ("net", "solver")}
    return {**experiment, **{name: {**experiment[name], **own[name]} for name in own}}


def options_of(
    experiment: Mapping[str, Any], variant: str, setting: Setting
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of net and solver that change the files of a variant.

    A job depends on these only: another lambda_s trains the nets with a contrastive loss again,
    and no others.

    Parameters
    ----------
    experiment : mapping
    variant : str
        One of `nets.ALL_VARIANTS`.
    setting : mapping
        Options that this setting changes.

    Returns
    -------
    net, solver : dict
        Fields of `NetOptions` and of `SolverOptions`.
    """
    net, solver = net_and_solver(experiment, setting)
    named = tuple((name, net[name]) for name in NAMING if name in net)
    net = {name: value for name, value in net.items() if _changes_net(variant, name, value, named)}
    default = solver_defaults(variant, net=NetOptions(**net))
    return net, {name: value for name, value in solver.items() if getattr(default, name) != value}


def pretraining_setting(setting: Setting) -> dict[str, Any]:
    """Return the part of `setting` that the pre-trained nets depend on."""
    no_options: dict[str, Any] = {"net": {}, "solver": {}}
    return {
        name: value
        for name, value in setting.items()
        if any(any(options_of(no_options, net, {name: value})) for net in PRETRAININGS)
    }


@functools.cache
def _changes_net(
    variant: str, name: str, value: Any, named: tuple[tuple[str, Any], ...] = ()
) -> bool:
    """Whether the option changes the files of `variant`; `named` are options in their names."""
    default = NetOptions(**{key: found for key, found in named if key != name})
    if getattr(default, name) == value:
        return False
    changed = dataclasses.replace(default, **{name: value})
    return _texts(variant, default) != _texts(variant, changed)


def _texts(variant: str, options: NetOptions) -> list[str]:
    """The nets' files without the comments, which repeat the options."""
    files = net_files(variant, options)
    return [line for text in files.values() for line in text.splitlines() if line[:1] != "#"]


def flags(options: Mapping[str, Any]) -> str:
    """Return options as they are written on a command line: ``--lambda-s 0.1 --no-fc-relu``.

    An option without a value (None) is left out; one with a list is repeated.
    """
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            words += [f"--{flag} {shlex.quote(str(each))}" for each in values]
    return " ".join(words)
