"""Pooling, SPP and MaxUnpool.

Source: Caffe src/caffe/layers/pooling_layer.cpp, spp_layer.cpp, and native/max_unpool_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.shapes import deconvolved_size, per_axis, pooled_size, pyramid

_MAX, _AVE = caffe_pb.PoolingParameter.MAX, caffe_pb.PoolingParameter.AVE
_LOWEST = torch.finfo(torch.float32).min


def reached(
    full: int, pooled: int, kernel: int, stride: int, pad: int, device: torch.device | None = None
) -> torch.Tensor:
    """Return how many of `full` pixels and their padding each of the `pooled` windows has."""
    first = torch.arange(pooled, device=device) * stride
    return (first + kernel).clamp_max(full + 2 * pad) - first


def averages(
    padded: torch.Tensor, full: Sequence[int], kernel: Shape, stride: Shape, pad: Shape
) -> torch.Tensor:
    """Return the average of each window, which counts the padding that it reaches, as in Caffe.

    Parameters
    ----------
    padded : (N, C, H, W) tensor
        Every window is inside.
    full : two ints
        Height and width without padding.
    kernel, stride, pad : pairs of int
    """
    total = F.avg_pool2d(padded, kernel, stride, divisor_override=1)
    windows = zip(full, total.shape[2:], kernel, stride, pad)
    rows, columns = (reached(*w, total.device).to(total.dtype) for w in windows)
    return total / (rows[:, None] * columns)


class _Windows(Layer):
    """Reads kernel, stride and padding of a pooling_param into pairs (height, width)."""

    def _read_windows(self, shape: Shape) -> None:
        param = self.param.pooling_param
        self.check(len(shape) == 4, f"found a bottom of shape {shape}, wanted 4 axes")
        if param.global_pooling:
            given = [n for n in ("kernel_size", "kernel_h", "kernel_w") if param.HasField(n)]
            self.check(not given, f"global_pooling: {given} cannot be specified")
            self.kernel = shape[2:]
        else:
            self.kernel = self._pair("kernel_size", "kernel")
        self.stride, self.pad = self._pair("stride", "stride"), self._pair("pad", "pad")
        for name, sizes in (("kernel_size", self.kernel), ("stride", self.stride)):
            self.check(min(sizes) > 0, f"{name}: found {sizes}, wanted 1 or more")
        self.check(
            all(pad < kernel for pad, kernel in zip(self.pad, self.kernel)),
            f"pad {self.pad}: wanted less than the kernel {self.kernel}",
        )
        self.check(
            not param.global_pooling or (self.pad == (0, 0) and self.stride == (1, 1)),
            "global_pooling: only pad 0 and stride 1",
        )

    def _pair(self, name: str, short: str) -> Shape:
        param = self.param.pooling_param
        both = [f"{short}_h", f"{short}_w"]
        given = [field for field in (name, *both) if param.HasField(field)]
        self.check(
            given in ([], [name], both), f"found {given}, wanted {name}, or {both[0]} and {both[1]}"
        )
        return tuple(per_axis(param, name, short, 2, 0))


@register("Pooling")
class Pooling(_Windows):
    """MAX or AVE over windows; of MAX, the second top holds the place of each maximum.

    The place is the flat index in the h * w plane of the bottom; of equal values the first wins.
    """

    tops = (1, 2)
    channels_last = False  # whether the tops are to be in that format, whatever the bottom's

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.pooling_param
        self._read_windows(shapes[0])
        self.check(param.pool in (_MAX, _AVE), "pool: found STOCHASTIC, wanted MAX or AVE")
        self.check(
            param.pool == _MAX or self.num_tops == 1,
            "found a second top (the mask), which only MAX has",
        )
        self.floor = param.round_mode == param.FLOOR
        sizes = self._sizes(shapes[0][2:])
        self.check(min(sizes) > 0, f"kernel {self.kernel} is larger than the bottom {shapes[0]}")

    def _sizes(self, full: Sequence[int]) -> Shape:
        if self.param.pooling_param.global_pooling:
            return (1, 1)
        windows = zip(full, self.kernel, self.stride, self.pad)
        return tuple(pooled_size(*window, self.floor) for window in windows)

    def _fits_torch(self, full: Sequence[int], sizes: Shape) -> bool:
        """Whether PyTorch's pooling makes the same windows: it always drops those outside."""
        small = all(2 * pad <= kernel for pad, kernel in zip(self.pad, self.kernel))
        inside = all(
            (size - 1) * stride < pixels + pad
            for size, stride, pixels, pad in zip(sizes, self.stride, full, self.pad)
        )
        return small and inside

    def forward(self, bottom: torch.Tensor) -> Tops:
        if self.channels_last:
            bottom = bottom.contiguous(memory_format=torch.channels_last)
        full = bottom.shape[2:]
        sizes = self._sizes(full)
        kernel = tuple(full) if self.param.pooling_param.global_pooling else self.kernel
        plain = self._fits_torch(full, sizes)
        if self.param.pooling_param.pool == _AVE:
            return self._average(bottom, kernel, plain, sizes)
        masked = self.num_tops == 2
        if plain:
            pool: Callable[..., Tops] = F.max_pool2d
            return pool(
                bottom,
                kernel,
                self.stride,
                self.pad,
                ceil_mode=not self.floor,
                return_indices=masked,
            )
        padded = self._padded(bottom, sizes, _LOWEST)
        top, index = F.max_pool2d(padded, kernel, self.stride, return_indices=True)
        return (top, self._place(index, padded.shape[3], full)) if masked else top

    def _padded(self, bottom: torch.Tensor, sizes: Shape, value: float) -> torch.Tensor:
        """Pad so that every window is inside."""
        amounts = []
        for axis in (1, 0):
            before = self.pad[axis]
            extent = (sizes[axis] - 1) * self.stride[axis] + self.kernel[axis]
            amounts += [before, extent - before - bottom.shape[2 + axis]]
        return F.pad(bottom, amounts, value=value)

    def _place(self, index: torch.Tensor, width: int, full: Sequence[int]) -> torch.Tensor:
        """Turn the index in the padded plane into that in the bottom's; -1 in empty windows."""
        row, column = index // width - self.pad[0], index % width - self.pad[1]
        inside = (row >= 0) & (row < full[0]) & (column >= 0) & (column < full[1])
        return torch.where(inside, row * full[1] + column, -1)

    def _average(
        self, bottom: torch.Tensor, kernel: Shape, plain: bool, sizes: Shape
    ) -> torch.Tensor:
        # PyTorch's gradient on a GPU leaves out the padding if the memory format is channels-last
        if plain and not (any(self.pad) and bottom.device.type == "cuda"):
            return F.avg_pool2d(bottom, kernel, self.stride, self.pad, ceil_mode=not self.floor)
        padded = self._padded(bottom, sizes, 0.0)
        return averages(padded, bottom.shape[2:], kernel, self.stride, self.pad)


@register("SPP")
class SPP(Layer):
    """Spatial pyramid pooling: level i has 2^i x 2^i windows; more than one give a row an image."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(len(shapes[0]) == 4, f"found a bottom of shape {shapes[0]}, wanted 4 axes")
        self.check(min(shapes[0][2:]) > 0, f"found a bottom of shape {shapes[0]}, wanted pixels")
        levels = self.param.spp_param.pyramid_height
        self.check(levels > 0, "pyramid_height: found 0, wanted 1 or more")
        self._pools: dict[Shape, list[Pooling]] = {}
        self.pools_of(shapes[0])

    def pools_of(self, shape: Shape) -> list[Pooling]:
        """Return a Pooling for each level of bottoms of `shape`."""
        size = tuple(shape[2:])
        if size not in self._pools:
            named = {"name": self.name, "type": "Pooling", "top": ["pooled"]}
            self._pools[size] = [
                Pooling(caffe_pb.LayerParameter(**named, pooling_param=param), self.context)
                for param in pyramid(self.param.spp_param, size)
            ]
            for pool in self._pools[size]:
                pool.setup([shape])
        return self._pools[size]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        tops = [pool(bottom) for pool in self.pools_of(tuple(bottom.shape))]
        return tops[0] if len(tops) == 1 else torch.cat([top.flatten(1) for top in tops], 1)


class _Unpool(torch.autograd.Function):
    """Unpooling of windows that do not overlap; the gradient is a look-up, done channels-last.

    PyTorch's own unpooling gives channels-last blobs on the CPU only.
    """

    @staticmethod
    def forward(
        ctx: Any, pooled: torch.Tensor, mask: torch.Tensor, height: int, width: int
    ) -> torch.Tensor:
        ctx.save_for_backward(mask)
        if pooled.device.type != "cpu" and not pooled.is_contiguous():
            return _unpool_channels_last(pooled, mask, height, width)
        top: torch.Tensor = torch.ops.aten.max_unpool2d(pooled, mask, (height, width))
        return top

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (mask,) = ctx.saved_tensors
        n, c, h, w = mask.shape
        if gradient.is_contiguous():
            found = gradient.flatten(2).gather(2, mask.reshape(n, c, -1)).reshape(mask.shape)
            return found, None, None, None
        found = _rows(gradient).gather(1, _rows(mask)).reshape(n, h, w, c).permute(0, 3, 1, 2)
        return found, None, None, None


def _rows(blob: torch.Tensor) -> torch.Tensor:
    """Return an (N, C, H, W) blob as (N, H * W, C): a view, if it is channels-last."""
    return blob.permute(0, 2, 3, 1).flatten(1, 2)


def _unpool_channels_last(
    pooled: torch.Tensor, mask: torch.Tensor, height: int, width: int
) -> torch.Tensor:
    n, c = pooled.shape[:2]
    empty = pooled.new_zeros(n, height * width, c)
    made = empty.scatter_(1, _rows(mask), _rows(pooled))
    return made.reshape(n, height, width, c).permute(0, 3, 1, 2)


@register("MaxUnpool")
class MaxUnpool(_Windows):
    """Each pooled value goes back to the pixel that its mask gives; values at one pixel add up.

    Bottoms: pooled data, its mask, and optionally a blob of the size to restore.
    """

    bottoms = (2, 3)
    takes_indices = True

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.pooling_param
        self.check(param.pool == _MAX, "undoes MAX pooling only")
        self.check(not param.global_pooling, "cannot undo global_pooling")
        self._read_windows(shapes[0])
        self.check(shapes[0] == shapes[1], f"data is {shapes[0]} but its mask is {shapes[1]}")
        self.overlapping = any(s < k for s, k in zip(self.stride, self.kernel))
        self._checked = False
        full = self.top_shapes(shapes)[0][2:]
        windows = zip(full, self.kernel, self.stride, self.pad)
        self.check(
            min(full) > 0 and tuple(pooled_size(*window) for window in windows) == shapes[0][2:],
            f"pooling {full[0]} x {full[1]} does not give {shapes[0][2]} x {shapes[0][3]}, the "
            "size of the pooled data",
        )

    def forward(
        self, pooled: torch.Tensor, mask: torch.Tensor, sized: torch.Tensor | None = None
    ) -> torch.Tensor:
        windows = zip(pooled.shape[2:], self.kernel, self.stride, self.pad)
        undone = tuple(deconvolved_size(*window) for window in windows)
        full = undone if sized is None else tuple(sized.shape[2:])
        mask = mask.long()
        if not torch.compiler.is_compiling() and not self._checked:
            self._check_mask(mask, full)
        if not self.overlapping:
            unpooled: torch.Tensor = _Unpool.apply(pooled, mask, *full)
            return unpooled
        n, c = pooled.shape[:2]
        empty = pooled.new_zeros(n, c, full[0] * full[1])
        top = empty.scatter_add(2, mask.reshape(n, c, -1), pooled.reshape(n, c, -1))
        return top.reshape(n, c, *full)

    def _check_mask(self, mask: torch.Tensor, full: Shape) -> None:
        """Refuse the mask of another pooling; only the first pass is checked."""
        self._checked = True
        row, column = mask // full[1], mask % full[1]
        for place, axis, shape in ((row, 0, (-1, 1)), (column, 1, (1, -1))):
            first = torch.arange(mask.shape[2 + axis], device=mask.device) * self.stride[axis]
            first = (first - self.pad[axis]).view(shape)
            fits = (place >= first) & (place < first + self.kernel[axis])
            fits &= (place >= 0) & (place < full[axis])
            self.check(
                bool(fits.all()),
                f"a mask entry is outside its window in a plane of {full[0]} x {full[1]}: the "
                "pooled size was odd, or the mask comes from another pooling; give the pooled "
                "blob as third bottom",
            )
