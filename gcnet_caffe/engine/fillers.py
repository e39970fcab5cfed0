"""How learnable blobs start. Source: Caffe include/caffe/filler.hpp."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer

_F = np.float32
_Numbers = Union[NDArray[Any], torch.Tensor]


def fill(filler: Any | None, shape: Sequence[int], layer: Layer) -> torch.Tensor:
    """Return a float32 CPU tensor of `shape`.

    Parameters
    ----------
    filler : FillerParameter or None
        None is zeros.
    shape : sequence of int
    layer : Layer
        Whose random numbers are drawn, and whose name is in the errors.

    Raises
    ------
    NetError
        No such filler, or it cannot fill such a blob.
    """
    if filler is None:
        return torch.zeros(shape)
    layer.check(
        filler.type in _FILLERS,
        f"filler type: found {filler.type!r}, wanted one of {', '.join(sorted(_FILLERS))}",
    )
    layer.check(math.prod(shape) > 0, f"filler {filler.type!r}: a blob of shape {shape} is empty")
    layer.check(
        filler.sparse == -1 or (filler.type == "gaussian" and filler.sparse >= 0),
        f"filler {filler.type!r}: sparse: found {filler.sparse}, wanted -1"
        + (" or more" if filler.type == "gaussian" else ""),
    )
    per_output = filler.sparse >= 0 or filler.type in ("msra", "positive_unitball", "xavier")
    layer.check(
        len(shape) > 0 or not per_output,
        f"filler {filler.type!r}: found a blob of no axes, wanted one axis or more",
    )
    numbers = _FILLERS[filler.type](filler, shape, layer)
    return torch.as_tensor(numbers).to("cpu", torch.float32).reshape(shape)


def _constant(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    return np.full(shape, filler.value, _F)


def _uniform(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    layer.check(filler.min <= filler.max, f"filler 'uniform': min {filler.min} > max {filler.max}")
    most = float(np.finfo(_F).max)
    layer.check(
        -most <= filler.min < most,
        f"filler 'uniform': min: found {filler.min:g}, wanted {-most:g} or more, below {most:g}",
    )
    return layer.context.rng.uniform(math.prod(shape), filler.min, filler.max)


def _gaussian(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    layer.check(filler.std > 0, f"filler 'gaussian': std: found {filler.std}, wanted more than 0")
    rng, count = layer.context.rng, math.prod(shape)
    numbers = rng.gaussian(count, filler.mean, filler.std)
    if filler.sparse < 0:
        return numbers
    probability = _F(filler.sparse) / _F(shape[0])
    layer.check(probability <= 1, f"filler 'gaussian': sparse: at most {shape[0]} outputs")
    return numbers * rng.bernoulli(count, float(probability))


def _positive_unitball(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    numbers = layer.context.rng.uniform(math.prod(shape), 0, 1)
    rows = torch.as_tensor(numbers).cpu().numpy().reshape(shape[0], -1)
    sums = np.add.accumulate(rows, axis=1, dtype=_F)[:, -1:]  # one after the other, as Caffe
    return rows / sums


def _scaled(filler: Any, shape: Sequence[int]) -> np.float32:
    """Return the n of xavier and msra: fan-in, fan-out or their mean."""
    count = math.prod(shape)
    fan_in = count // shape[0]
    fan_out = count // shape[1] if len(shape) > 1 else count
    norms = {filler.AVERAGE: _F(fan_in + fan_out) / _F(2), filler.FAN_OUT: _F(fan_out)}
    return norms.get(filler.variance_norm, _F(fan_in))


def _xavier(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    scale = np.sqrt(_F(3) / _scaled(filler, shape))
    return layer.context.rng.uniform(math.prod(shape), -scale, scale)


def _msra(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    alpha = _F(filler.alpha)  # of happynear/caffe-windows, include/caffe/filler.hpp
    std = np.sqrt(_F(2) / _scaled(filler, shape) / (_F(1) + alpha * alpha))
    return layer.context.rng.gaussian(math.prod(shape), 0, std)


def _bilinear(filler: Any, shape: Sequence[int], layer: Layer) -> _Numbers:
    layer.check(
        len(shape) == 4 and shape[2] == shape[3],
        f"filler 'bilinear': wanted a blob of 4 axes with square kernels, found {shape}",
    )
    size = shape[3]
    factor = math.ceil(size / 2)
    centre = _F((size - 1) / (2 * factor))
    line = 1 - np.abs(np.arange(size, dtype=_F) / _F(factor) - centre)
    return np.broadcast_to(line[:, None] * line[None, :], shape).copy()


_FILLERS: dict[str, Callable[[Any, Sequence[int], Layer], _Numbers]] = {
    "bilinear": _bilinear,
    "constant": _constant,
    "gaussian": _gaussian,
    "msra": _msra,
    "positive_unitball": _positive_unitball,
    "uniform": _uniform,
    "xavier": _xavier,
}
