"""The names of the generated files."""

from __future__ import annotations

from gcnet_caffe.nets import gcnet, plain, pretrain
from gcnet_caffe.nets.options import NetOptions

NET_FOLDER = "prototxt"
SOLVER_FOLDER = "solvers"

#: The options of a net that its files, and its solver's, are named after.
NAMING = ("generator", "classifier")

#: Last words of a net's file, and the first of its second player's.
TRAIN_TEST, DISCRIMINATOR = "train_test", "discriminator"


def generates(variant: str) -> bool:
    """Whether the net of `variant` has a generator: its options `generator` and so on count."""
    return variant in plain.PLAIN or (
        variant in gcnet.VARIANTS and gcnet.VARIANTS[variant].generates
    )


def has_two_players(variant: str, options: NetOptions) -> bool:
    """Whether a discriminator is trained beside the net."""
    return generates(variant) and options.generator == "dcgan"


def stem(variant: str, fold: int | None, name: str, options: NetOptions) -> str:
    """Return the first words of the files of one fold: ``ck_fold0_S1R1_vae``.

    Those of deploy nets have no `fold`.
    """
    if variant in pretrain.PRETRAININGS:
        return variant.replace("-", "_")
    data = name if fold is None else f"{name}_fold{fold}"
    return f"{data}_{variant}{kind(variant, options)}"


def solver_name(variant: str, fold: int, name: str, options: NetOptions) -> str:
    """Return the file name of a solver; the paper's best network needs no variant in it."""
    if variant == "S1R1" and not kind(variant, options):
        return f"{name}_fold{fold}.prototxt"
    return f"{stem(variant, fold, name, options)}.prototxt"


def train_net_name(variant: str, fold: int, name: str, options: NetOptions) -> str:
    """Return the file name of the net that `caffe train` reads."""
    return f"{stem(variant, fold, name, options)}_{TRAIN_TEST}.prototxt"


def kind(variant: str, options: NetOptions) -> str:
    """Return what a name says of the generator and the classifier of `variant`."""
    return options.kind if generates(variant) else ""
