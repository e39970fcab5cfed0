"""The encoder, decoder and classifier of table I and section IV-A."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gcnet_caffe.nets.layer_names import FEATURE, SCORE
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import Fields, NetWriter, fixed, learned

#: (kernel size, output channels) of the encoder's and the decoder's three stages: table I.
ENCODER_BLOCKS = ((5, 32), (3, 64), (3, 96))
DECODER_BLOCKS = ((3, 64), (3, 32), (5, 1))

#: Outputs of the first FC layer: (0.5 * Wsize)^2 * nlayers / 2^nlayers, section IV-A.
FC_OUTPUTS = (64 // 2) ** 2 * 3 // 2**3

POOLING = {"pool": "MAX", "kernel_size": 2, "stride": 2}
XAVIER: Fields = {"type": "xavier"}
ONES: Fields = {"value": 1.0}

#: The last Scale of a decoder: (filler, bias filler, lr_mult), None = the decoder's own lr_mult.
#: 'statistics' starts at the spread and mean of the pixels; docs/interpretation.md says why.
LAST_SCALES = {
    "statistics": (0.25, 0.5, 0.01),
    "slow": (1.0, 0.0, 0.01),
    "plain": (1.0, 0.0, None),
}


def latent_size(options: NetOptions) -> int:
    """Return p, the number of values in an encoding: 6144 (same padding) or 3456 (valid)."""
    side = 64
    for kernel, _ in ENCODER_BLOCKS:
        side = (side if options.padding == "same" else side - kernel + 1) // 2
    return ENCODER_BLOCKS[-1][1] * side**2


class Code(NamedTuple):
    """What an encoder gives: its output blob, and the arg-max masks of its three poolings."""

    blob: str
    masks: tuple[str, ...]


def encoder(
    net: NetWriter,
    image: str,
    prefix: str,
    options: NetOptions,
    branch: str = "",
    shared: bool = False,
    masks: bool = True,
) -> Code:
    """Add an encoder: three times Convolution, BatchNorm, Scale, ReLU, MAX Pooling (table I).

    Parameters
    ----------
    net : NetWriter
        The net that it is added to.
    image : str
        The N x 1 x 64 x 64 blob it reads, values 0..1.
    prefix, branch : str
        Names are `prefix`_conv1`branch` and so on.
    options : NetOptions
    shared : bool
        Name the parameters (without `branch`), so that branches share them.
    masks : bool
        Give the poolings their second tops, the masks; one that no layer reads would be an output
        of the net.

    Returns
    -------
    Code
        Its blob is N x 96 x 8 x 8 with 'same' padding, N x 96 x 6 x 6 with 'valid'.
    """
    blob, found = image, []
    for i, (kernel, channels) in enumerate(ENCODER_BLOCKS, start=1):
        conv, bn, factors = (shared_names(prefix, kind, i, shared) for kind in PARAMS)
        blob = net.add(
            f"{prefix}_conv{i}{branch}",
            "Convolution",
            blob,
            param=[learned(name) for name in conv],
            convolution_param=_convolution(kernel, channels, options),
        )
        batch_norm(net, f"{prefix}_bn{i}{branch}", blob, options, bn)
        scale(net, f"{prefix}_scale{i}{branch}", blob, factors)
        net.add(f"{prefix}_relu{i}{branch}", "ReLU", blob, blob)
        pool, mask = f"{prefix}_pool{i}{branch}", f"{prefix}_mask{i}{branch}"
        tops = [pool, mask] if masks else [pool]
        net.add_tops(pool, "Pooling", blob, tops, pooling_param=POOLING)
        blob = pool
        found.append(mask)
    return Code(blob, tuple(found) if masks else ())


def decoder(
    net: NetWriter, code: Code, prefix: str, options: NetOptions, top: str, lr_mult: float = 1.0
) -> str:
    """Add a decoder: three times MaxUnpool, Deconvolution, BatchNorm, Scale, ReLU (table I).

    Parameters
    ----------
    net : NetWriter
        The net that it is added to.
    code : Code
        The encoding, with the masks of the encoder's poolings; the last one is undone first.
    prefix : str
        Names are `prefix`_unpool1 and so on.
    options : NetOptions
    top : str
        Name of the image blob, N x 1 x 64 x 64, values 0 or more.
    lr_mult : float
        Of its parameters; the last Scale follows `options.last_block`.

    Returns
    -------
    str
        `top`.
    """
    blob = code.blob
    last = len(DECODER_BLOCKS)
    for i, (kernel, channels) in enumerate(DECODER_BLOCKS, start=1):
        blob = net.add(
            f"{prefix}_unpool{i}", "MaxUnpool", [blob, code.masks[-i]], pooling_param=POOLING
        )
        name = f"{prefix}_deconv{i}"
        blob = net.add(
            name,
            "Deconvolution",
            blob,
            top if i == last else name,
            param=[learned(lr_mult=lr_mult)],
            convolution_param=_convolution(kernel, channels, options),
        )
        batch_norm(net, f"{prefix}_bn{i}", blob, options)
        if i < last:
            scale(net, f"{prefix}_scale{i}", blob, lr_mult=lr_mult)
        elif options.last_block != "none":
            factor, bias, slow = LAST_SCALES[options.last_block]
            mult = lr_mult if slow is None else slow
            filler = {"value": factor}
            scale(net, f"{prefix}_scale{i}", blob, lr_mult=mult, filler=filler, bias=bias)
        net.add(f"{prefix}_relu{i}", "ReLU", blob, blob)
    return blob


def classifier(
    net: NetWriter,
    blob: str,
    fc1: str,
    fc2: str,
    num_classes: int,
    options: NetOptions,
    train: bool,
) -> str:
    """Add Dropout, FC, ReLU, FC (section IV-A); return the blob of scores, N x num_classes.

    The first FC's top is named `feature` (N x 384, after the ReLU).

    Parameters
    ----------
    net : NetWriter
    blob : str
        What is classified, N x anything.
    fc1, fc2 : str
        Names of the two FC layers.
    num_classes : int
    options : NetOptions
    train : bool
        Whether there is a Dropout.
    """
    if train:
        ratio = {"dropout_ratio": options.dropout}
        blob = net.add(f"{fc1}_dropout", "Dropout", blob, dropout_param=ratio)
    feature = net.add(
        fc1, "InnerProduct", blob, FEATURE, inner_product_param=_inner_product(FC_OUTPUTS)
    )
    if options.fc_relu:
        net.add(f"{fc1}_relu", "ReLU", feature, feature)
    return net.add(
        fc2, "InnerProduct", feature, SCORE, inner_product_param=_inner_product(num_classes)
    )


#: The parameters of an encoder's layers, in Caffe's order.
PARAMS = {
    "conv": ("weight",),
    "bn": ("mean", "variance", "factor"),
    "scale": ("gamma", "beta"),
}


def shared_names(prefix: str, kind: str, i: int, shared: bool) -> list[str | None]:
    """Return the names of the parameters of layer `i` of a `kind` of PARAMS; None if not shared."""
    return [f"{prefix}_{kind}{i}_{part}" if shared else None for part in PARAMS[kind]]


def _convolution(kernel: int, channels: int, options: NetOptions) -> Fields:
    return {
        "num_output": channels,
        "bias_term": False,
        "pad": [kernel // 2 if options.padding == "same" else 0],
        "kernel_size": [kernel],
        "weight_filler": XAVIER,
    }


def _inner_product(outputs: int) -> Fields:
    return {"num_output": outputs, "weight_filler": XAVIER}


def batch_norm(
    net: NetWriter,
    name: str,
    blob: str,
    options: NetOptions,
    shared: Sequence[str | None] = (None, None, None),
) -> None:
    """Add a BatchNorm in place; `shared` are the names of its statistics."""
    # Caffe refuses a learning rate on the statistics; the branches share them by name
    net.add(
        name,
        "BatchNorm",
        blob,
        blob,
        param=[fixed(part) for part in shared],
        batch_norm_param={"moving_average_fraction": options.moving_average_fraction},
    )


def scale(
    net: NetWriter,
    name: str,
    blob: str,
    shared: Sequence[str | None] = (None, None),
    lr_mult: float = 1.0,
    filler: Fields = ONES,
    bias: float = 0.0,
) -> None:
    """Add a Scale with bias in place; `shared` are the names of its parameters."""
    net.add(
        name,
        "Scale",
        blob,
        blob,
        param=[learned(part, lr_mult) for part in shared],
        scale_param={
            "bias_term": True,
            "filler": filler,
            "bias_filler": {"value": bias},
        },
    )
