"""Layers that move elements: source Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register


@register("Concat")
class Concat(Layer):
    """The bottoms one after the other along `axis` (or the old concat_dim)."""

    bottoms = (1, None)

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.concat_param, list(shapes[0])
        old = param.HasField("concat_dim")
        self.check(not (old and param.HasField("axis")), "give axis or concat_dim, not both")
        self.dim = self.axis(param.concat_dim if old else param.axis, len(shape))
        for index, other in enumerate(shapes[1:], 1):
            rest = [list(s[: self.dim]) + list(s[self.dim + 1 :]) for s in (shapes[0], other)]
            self.check(
                len(other) == len(shape) and rest[0] == rest[1],
                f"bottom {index} is {other}, bottom 0 {shapes[0]}: only axis {self.dim} may differ",
            )
            shape[self.dim] += other[self.dim]
        return [tuple(shape)]

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        return bottoms[0] if len(bottoms) == 1 else torch.cat(bottoms, self.dim)


@register("Slice")
class Slice(Layer):
    """The bottom cut along `axis` (or the old slice_dim) at slice_point, or evenly."""

    tops = (1, None)

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.slice_param, shapes[0]
        old = param.HasField("slice_dim")
        self.check(not (old and param.HasField("axis")), "give axis or slice_dim, not both")
        self.dim = self.axis(param.slice_dim if old else param.axis, len(shape))
        total, count, points = shape[self.dim], self.num_tops, list(param.slice_point)
        if points:
            self.check(
                len(points) == count - 1,
                f"slice_point: found {len(points)}, wanted {count - 1} for {count} tops",
            )
            edges = [0, *points, total]
            self.check(
                all(a < b for a, b in zip(edges, edges[1:])),
                f"slice_point {points}: wanted increasing values inside {total}",
            )
            self.sizes = [b - a for a, b in zip(edges, edges[1:])]
        else:
            self.check(total % count == 0, f"{total} cannot be cut into {count} equal tops")
            self.sizes = [total // count] * count
        return [(*shape[: self.dim], size, *shape[self.dim + 1 :]) for size in self.sizes]

    def forward(self, bottom: torch.Tensor) -> Tops:
        return tuple(bottom.split(self.sizes, self.dim))


@register("Split")
class Split(Layer):
    """Copies of the bottom."""

    tops = (1, None)

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        return [shapes[0]] * self.num_tops

    def forward(self, bottom: torch.Tensor) -> Tops:
        return (bottom,) * self.num_tops


@register("Silence")
class Silence(Layer):
    """Takes blobs so that they are no outputs."""

    bottoms, tops = (1, None), (0, 0)
    takes_indices = True

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        return []

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        return ()


@register("Flatten")
class Flatten(Layer):
    """The axes from `axis` to `end_axis` as one."""

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.flatten_param, shapes[0]
        self.first = self.axis(param.axis, len(shape))
        self.last = self.axis(param.end_axis, len(shape), "end_axis")
        self.check(self.first <= self.last, f"axis {self.first} is behind end_axis {self.last}")
        middle = math.prod(shape[self.first : self.last + 1])
        return [(*shape[: self.first], middle, *shape[self.last + 1 :])]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.flatten(self.first, self.last)


@register("Reshape")
class Reshape(Layer):
    """The same elements in another shape; 0 copies an axis, -1 is inferred."""

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.reshape_param, shapes[0]
        count = len(shape)
        first = param.axis if param.axis >= 0 else count + param.axis + 1
        self.check(0 <= first <= count, f"axis {param.axis}: out of range for {count} axes")
        self.check(param.num_axes >= -1, f"num_axes: found {param.num_axes}, wanted -1 or more")
        last = count if param.num_axes == -1 else first + param.num_axes
        self.check(last <= count, f"num_axes {param.num_axes}: only {count - first} axes are left")
        self.first, self.last, self.dims = first, last, list(param.shape.dim)
        self.check(
            self.dims.count(-1) <= 1 and all(dim >= -1 for dim in self.dims),
            f"shape {self.dims}: wanted sizes, 0 and at most one -1",
        )
        return [self._shape(shape)]

    def _shape(self, shape: Shape) -> Shape:
        middle: list[int] = []
        for index, dim in enumerate(self.dims):
            if dim == 0:
                self.check(
                    self.first + index < len(shape),
                    f"shape {self.dims}: nothing to copy at {index}",
                )
                dim = shape[self.first + index]
            middle.append(dim)
        found = [*shape[: self.first], *middle, *shape[self.last :]]
        total, known = math.prod(shape), math.prod(dim for dim in found if dim != -1)
        if -1 in found:
            self.check(known > 0 and total % known == 0, f"{tuple(shape)} cannot become {found}")
            found[found.index(-1)] = total // known
        self.check(math.prod(found) == total, f"{tuple(shape)} cannot become {tuple(found)}")
        return tuple(found)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.reshape(self._shape(tuple(bottom.shape)))


@register("Tile")
class Tile(Layer):
    """`tiles` copies of the bottom along `axis`."""

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.tile_param, shapes[0]
        self.check(param.HasField("tiles") and param.tiles > 0, "tiles: wanted 1 or more")
        self.dim = self.axis(param.axis, len(shape))
        return [(*shape[: self.dim], shape[self.dim] * param.tiles, *shape[self.dim + 1 :])]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        repeats = [1] * bottom.dim()
        repeats[self.dim] = self.param.tile_param.tiles
        return bottom.repeat(repeats)


@register("Crop")
class Crop(Layer):
    """The first bottom cut to the size of the second from `axis` on, beginning at `offset`."""

    bottoms = (2, 2)

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, (shape, wanted) = self.param.crop_param, shapes
        self.first = self.axis(param.axis, len(shape))
        self.check(len(shape) == len(wanted), f"bottoms of {len(shape)} and {len(wanted)} axes")
        count, offsets = len(shape) - self.first, list(param.offset)
        self.check(
            len(offsets) in (0, 1, count), f"offset: found {len(offsets)}, wanted 0, 1 or {count}"
        )
        self.offsets = offsets * (count if len(offsets) == 1 else 1) or [0] * count
        for axis, offset in enumerate(self.offsets, self.first):
            self.check(
                offset + wanted[axis] <= shape[axis],
                f"axis {axis}: offset {offset} + {wanted[axis]} is beyond {shape[axis]}",
            )
        return [(*shape[: self.first], *wanted[self.first :])]

    def forward(self, bottom: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        for axis, offset in enumerate(self.offsets, self.first):
            bottom = bottom.narrow(axis, offset, like.shape[axis])
        return bottom
