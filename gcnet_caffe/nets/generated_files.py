"""The generated files: which nets and solvers there are, their defaults and their texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets import adversary, gcnet, names, plain, pretrain
from gcnet_caffe.nets.names import NET_FOLDER, SOLVER_FOLDER
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.solver import SolverOptions, solver_text
from gcnet_caffe.nets.writer import NetWriter

ALL_VARIANTS = (*gcnet.VARIANTS, *pretrain.PRETRAININGS, *plain.PLAIN)

#: CK+'s folds hold about 98 images to test (327 sequences, 3 frames, 10 folds); --fit-test counts.
_CK_TEST_IMAGES = 98

#: The nets that are committed: variant, fold, what differs from the variant's defaults.
_COMMITTED: tuple[tuple[str, int, dict[str, Any]], ...] = (
    *((variant, 0, {}) for variant in ALL_VARIANTS),
    *(("S1R1", fold, {}) for fold in range(1, 10)),
    *(
        (variant, 0, {"generator": generator})
        for variant in ("S1R1", *plain.PLAIN)
        for generator in ("vae", "dcgan")
    ),
    ("S0R1", 0, {"classifier": False}),
)

#: Variant -> its defaults where they are not those of NetOptions.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "pretrain-autoencoder": {"test_batch_size": 50, "data": "data/webface"},
    "pretrain-identity": {"num_classes": 10575, "test_batch_size": 50, "data": "data/webface"},
}

#: Of DCGAN's authors; docs/interpretation.md says what became of Nesterov's.
_DCGAN_SOLVER: dict[str, Any] = {
    "type": "Adam",
    "base_lr": 0.0002,
    "momentum": 0.5,
    "weight_decay": 0.0,
}

#: What a file says of its net: by variant; by generator.
_ABOUT = {
    **dict.fromkeys(pretrain.PRETRAININGS, "Pre-training, section IV-A."),
    **dict.fromkeys(plain.PLAIN, "A generator alone, appendix A of the paper."),
}
_FIGURES = {"vae": "7b", "dcgan": "7c"}


def net_defaults(variant: str, fold: int = 0) -> NetOptions:
    """Return the NetOptions of a committed net."""
    return NetOptions(**{"data": f"data/ck7/fold{fold}", **_DEFAULTS.get(variant, {})})


def solver_defaults(
    variant: str, fold: int = 0, name: str = "ck", net: NetOptions | None = None
) -> SolverOptions:
    """Return the SolverOptions of a committed solver; `net` has the options of its net."""
    net = net or NetOptions()
    dcgan_like = names.generates(variant) and net.generator != "ae"
    return SolverOptions(
        net=f"{NET_FOLDER}/{names.train_net_name(variant, fold, name, net)}",
        snapshot_prefix=f"snapshots/{names.stem(variant, fold, name, net)}",
        test_iter=100 if variant in pretrain.PRETRAININGS else _CK_TEST_IMAGES,
        **(_DCGAN_SOLVER if dcgan_like else {}),
    )


def net_files(
    variant: str,
    options: NetOptions,
    fold: int = 0,
    name: str = "ck",
    with_reconstruction: bool = False,
) -> dict[str, str]:
    """Return {file name: text} of a variant: its train/test nets and its deploy nets.

    Parameters
    ----------
    variant : str
        One of `ALL_VARIANTS`.
    options : NetOptions
    fold : int
    name : str
        The first word of the file names: the data set.
    with_reconstruction : bool
        Add the deploy net that keeps decoders 2.

    Raises
    ------
    UsageError
        The variant has no such net.
    """
    defaults = net_defaults(variant, fold)
    made_by = _made_by("make_net", variant, options, fold, name, _flags(options, defaults))
    train = names.train_net_name(variant, fold, name, options)
    files = {train: _build(variant, options).text(made_by)}
    if names.has_two_players(variant, options):
        second = adversary.build(variant, options)
        files[_second_player(train)] = second.text(made_by)
    stem = names.stem(variant, None, name, options)
    flags = _flags(options, net_defaults(variant), "data")
    made_by = _made_by("make_net", variant, options, 0, name, flags)
    files[f"{stem}_deploy.prototxt"] = _build(variant, options, deploy=True).text(made_by)
    if with_reconstruction:
        net = _build(variant, options, deploy=True, with_reconstruction=True)
        made_by = [f"{made_by[0]} --with-reconstruction", *made_by[1:]]
        files[f"{stem}_deploy_reconstruction.prototxt"] = net.text(made_by)
    return files


def solver_files(
    variant: str,
    options: SolverOptions,
    fold: int = 0,
    name: str = "ck",
    net: NetOptions | None = None,
) -> dict[str, str]:
    """Return {file name: text} of the solver, or of both players' solvers.

    Parameters
    ----------
    variant, fold, name
        As for `net_files`.
    options : SolverOptions
    net : NetOptions, optional
        The options of its net.

    Raises
    ------
    UsageError
        There are two players, and the net's name has no place for the second.
    """
    net = net or NetOptions()
    flags = _flags(options, solver_defaults(variant, fold, name, net))
    named = NetOptions(**{name: getattr(net, name) for name in names.NAMING})
    flags = [*_flags(named, NetOptions()), *flags]
    made_by = _made_by("make_solver", variant, net, fold, name, flags)
    own = names.solver_name(variant, fold, name, net)
    if not names.has_two_players(variant, net):
        return {own: solver_text(options, made_by)}
    other = f"{own.removesuffix('.prototxt')}_{names.DISCRIMINATOR}.prototxt"
    second = dataclasses.replace(
        options,
        net=_second_player(options.net),
        snapshot_prefix=f"{options.snapshot_prefix}_{names.DISCRIMINATOR}",
    )
    made_by.append(
        "One of two that train in turns: gcnet train -solver (the generator's) "
        "-discriminator_solver (its name and _discriminator)"
    )
    return {own: solver_text(options, made_by), other: solver_text(second, made_by)}


def committed() -> dict[str, str]:
    """Return {path: text} of every generated file of the repository."""
    found: dict[str, str] = {}
    for variant, fold, more in _COMMITTED:
        net = dataclasses.replace(net_defaults(variant, fold), **more)
        nets = net_files(variant, net, fold, with_reconstruction=variant in ("S0R1", "S1R1"))
        solvers = solver_files(variant, solver_defaults(variant, fold, net=net), fold, net=net)
        found.update({f"{NET_FOLDER}/{name}": text for name, text in nets.items()})
        found.update({f"{SOLVER_FOLDER}/{name}": text for name, text in solvers.items()})
    return found


def _build(variant: str, options: NetOptions, deploy: bool = False, **how: bool) -> NetWriter:
    if variant == "pretrain-autoencoder":
        return pretrain.build_autoencoder(options, deploy)
    if variant == "pretrain-identity":
        return pretrain.build_identity(options, deploy)
    build = plain.build if variant in plain.PLAIN else gcnet.build
    return build(variant, options, deploy, **how)


def _second_player(path: str) -> str:
    """Return the path of the discriminator's net beside the generator's."""
    end = f"{names.TRAIN_TEST}.prototxt"
    if not path.endswith(end):
        raise UsageError(
            f"--net {path}: wanted a name that ends in {end}; the discriminator's is "
            f"{names.DISCRIMINATOR}_{end} in its folder"
        )
    return f"{path[: -len(end)]}{names.DISCRIMINATOR}_{end}"


def _flags(options: Any, defaults: Any, *without: str) -> list[str]:
    """Return the command-line flags that lead from `defaults` to `options`."""
    flags = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        flag = field.name.replace("_", "-")
        if isinstance(value, bool):
            text = f"--{flag}" if value else f"--no-{flag}"
        else:
            text = f"--{flag} {value}"
        if value != getattr(defaults, field.name) and field.name not in without:
            flags.append(text)
    return flags


def _made_by(
    tool: str, variant: str, net: NetOptions, fold: int, name: str, flags: Sequence[str]
) -> list[str]:
    words = [f"Made by: python tools/{tool}.py --variant {variant}"]
    words += [f"--fold {fold}"] if fold else []
    words += [f"--name {name}"] if name != "ck" else []
    return [" ".join([*words, *flags]), _about(variant, net)]


def _about(variant: str, net: NetOptions) -> str:
    if variant in _ABOUT:
        return _ABOUT[variant]
    if not net.classifier:
        return "GCNet without its classification layers, figure 8d of the paper."
    figure = gcnet.VARIANTS[variant].figure
    if names.generates(variant):
        figure = _FIGURES.get(net.generator, figure)
    return f"GCNet, figure {figure} of the paper."
