"""The settings of a sweep, and which options change the files of a network."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any

from gcnet_caffe.experiment.config import net_and_solver
from gcnet_caffe.nets import NetOptions, SolverOptions, net_files, solver_defaults
from gcnet_caffe.nets.names import NAMING

#: {option: value}: the fields of NetOptions and SolverOptions that a setting changes.
Setting = Mapping[str, Any]


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
        A key of `nets.VARIANTS`.
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
    depends: dict[str, Any] = {}
    for name, value in setting.items():
        net, solver = net_and_solver({"net": {}, "solver": {}}, {name: value})
        if any(_changes_solver(*item) for item in solver.items()) or any(
            _changes_net(variant, *item)
            for item in net.items()
            for variant in ("pretrain-autoencoder", "pretrain-identity")
        ):
            depends[name] = value
    return depends


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


def _changes_solver(name: str, value: Any) -> bool:
    return getattr(SolverOptions(), name) != value


def flags(options: Mapping[str, Any]) -> str:
    """Return options as they are written on a command line: ``--lambda-s 0.1 --no-fc-relu``."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words.append(f"--{flag} {value}")
    return " ".join(words)
