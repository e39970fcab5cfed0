"""`gcnet package`: a trained network as one folder that can be passed on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe import files
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb, read_net, read_weights
from gcnet_caffe.formats.blobs import numbers, set_numbers
from gcnet_caffe.formats.weights import check_filled, has_weights
from gcnet_caffe.inference.model import (
    FACTS,
    NET,
    SUMS,
    WEIGHTS,
    Calibration,
    TrainedModel,
    read_model_folder,
    sums_text,
)


def package(
    model: TrainedModel,
    folder: str | Path,
    mantissa_bits: int | None = None,
    calibration: Calibration | None = None,
) -> TrainedModel:
    """Write a trained network as a model folder, whole or not at all.

    The weights are those of the deploy net's layers; what only training needs is left out.

    Parameters
    ----------
    model : TrainedModel
    folder : path
        Where to write it; it must not exist.
    mantissa_bits : int, optional
        Round the weights to this many of their 23 bits, 1 to 22 (7 is bfloat16's precision). The
        file keeps its length, and archives and git compress it to less than half. Not rounded are
        BatchNorm's statistics and the filters of pixels whose maxima are unpooled: short weights
        times 8-bit pixels give equal sums, and then rounding decides where a maximum is.
    calibration : Calibration, optional
        What `evaluation.calibration.calibrate` found; it goes into ``model.json``.

    Returns
    -------
    TrainedModel
        Read back from the folder and verified.

    Raises
    ------
    UsageError
        `folder` exists, or `mantissa_bits` is not in 1 to 22.
    WeightsError
        The weights lack a layer of the net.
    """
    with files.atomic(folder) as scratch:
        scratch.mkdir()
        shutil.copyfile(model.net, scratch / NET)
        deployed, facts = deploy_weights(model.net, model.weights), model.facts.copy()
        if mantissa_bits is not None:
            _round(deployed, mantissa_bits, _unpooled_filters(read_net(model.net)))
            facts["mantissa_bits"] = mantissa_bits
        if calibration is not None:
            facts["calibration"] = calibration
        (scratch / WEIGHTS).write_bytes(deployed.SerializeToString(deterministic=True))
        (scratch / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (scratch / SUMS).write_text(sums_text(scratch), encoding="utf-8")
        read_model_folder(scratch)
    return read_model_folder(folder)


def deploy_weights(net: str | Path, weights: str | Path) -> Any:
    """Return the layers of the file `weights` that the prototxt `net` has, as a NetParameter.

    Raises
    ------
    WeightsError
        A layer that has weights is not in the file.
    """
    param = read_net(net)
    found = {layer.name: layer for layer in read_weights(weights).layer if layer.blobs}
    check_filled(param.layer, found, net, weights)
    deployed = caffe_pb.NetParameter(name=param.name)
    for layer in param.layer:
        if layer.name not in found or not has_weights(layer):
            continue
        saved = deployed.layer.add(name=layer.name, type=layer.type)
        saved.blobs.extend(found[layer.name].blobs)
        for blob in saved.blobs:
            blob.ClearField("diff")
    return deployed


def _unpooled_filters(net: Any) -> set[str]:
    """Return the names of an Input's convolutions whose maxima a pooling with a mask takes."""
    pixels = {top for layer in net.layer if layer.type == "Input" for top in layer.top}
    pooled = {layer.bottom[0] for layer in net.layer if layer.type == "Pooling" and layer.top[1:]}
    return {
        layer.name
        for layer in net.layer
        if layer.type == "Convolution" and layer.bottom[0] in pixels and layer.top[0] in pooled
    }


def _round(param: Any, bits: int, kept: set[str]) -> None:
    if not 1 <= bits <= 22:
        raise UsageError(f"--mantissa-bits {bits}: wanted 1 to 22")
    for layer in param.layer:
        if layer.type == "BatchNorm" or layer.name in kept:
            continue
        for blob in layer.blobs:
            set_numbers(blob, "data", rounded_floats(numbers(blob, "data"), bits))


def rounded_floats(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Return `values` rounded to the nearest numbers with `bits` bits after the leading one."""
    fraction, exponent = np.frexp(values)  # 0.5 <= |fraction| < 1
    step = np.float32(2.0 ** (bits + 1))
    rounded = np.ldexp(np.rint(fraction * step) / step, exponent)
    return np.asarray(rounded, np.float32)
