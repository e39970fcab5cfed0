"""The settings of a sweep, and which of a network's options change its files."""

import dataclasses
import functools
import itertools

from gcnet_caffe.experiment.config import net_and_solver
from gcnet_caffe.nets import NetOptions, SolverOptions, net_files, solver_defaults
from gcnet_caffe.nets.names import NAMING


def settings(experiment):
    """Return {name: {option: value}} of every combination of the sweep; `default` without one."""
    names = list(experiment["sweep"])
    found = {}
    for values in itertools.product(*experiment["sweep"].values()):
        setting = dict(zip(names, values))
        found[setting_name(setting)] = setting
    return found


def trained(experiment):
    """Return [(setting's name, setting, variant)] of every net: the sweep's, then `also`'s."""
    found = [
        (name, setting, variant)
        for name, setting in settings(experiment).items()
        for variant in experiment["variants"]
    ]
    for more in experiment["also"]:
        name = setting_name(more["net"])
        found += [(name, more["net"], variant) for variant in more["variants"]]
    return found


def setting_name(setting):
    """Return the folder of a setting: ``lambda_s=0.1+padding=valid``, or ``default``."""
    return "+".join(f"{name}={value}" for name, value in setting.items()) or "default"


def options_of(experiment, variant, setting):
    """Return the net's and the solver's options that change the files of `variant`.

    A job depends on these only: another lambda_s trains the nets with a contrastive loss again,
    and no others.
    """
    net, solver = net_and_solver(experiment, setting)
    named = tuple((name, net[name]) for name in NAMING if name in net)
    net = {name: value for name, value in net.items() if _changes_net(variant, name, value, named)}
    default = solver_defaults(variant, net=NetOptions(**net))
    return net, {name: value for name, value in solver.items() if getattr(default, name) != value}


def pretraining_setting(experiment, setting):
    """Return the part of `setting` that the pre-trained nets depend on."""
    depends = {}
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
def _changes_net(variant, name, value, named=()):
    """Whether the option changes the files of `variant`, given the options it is `named` after."""
    default = NetOptions(**{key: found for key, found in named if key != name})
    if getattr(default, name) == value:
        return False
    changed = dataclasses.replace(default, **{name: value})
    return _texts(variant, default) != _texts(variant, changed)


def _texts(variant, options):
    """The nets' files without the comments, which repeat the options."""
    files = net_files(variant, options)
    return [line for text in files.values() for line in text.splitlines() if line[:1] != "#"]


def _changes_solver(name, value):
    return getattr(SolverOptions(), name) != value


def flags(options):
    """Return options as words of a command line: ``--lambda-s 0.1 --no-fc-relu``."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words.append(f"--{flag} {value}")
    return " ".join(words)
