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

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.concat_param, shapes[0]
        old = param.HasField("concat_dim")
        self.check(not (old and param.HasField("axis")), "give axis or concat_dim, not both")
        self.dim = self.axis(param.concat_dim if old else param.axis, len(shape))
        for index, other in enumerate(shapes[1:], 1):
            alike = (*other[: self.dim], shape[self.dim], *other[self.dim + 1 :]) == shape
            self.check(
                alike and len(other) == len(shape),
                f"bottom {index} is {other}, bottom 0 {shape}: only axis {self.dim} may differ",
            )

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        return bottoms[0] if len(bottoms) == 1 else torch.cat(bottoms, self.dim)


@register("Slice")
class Slice(Layer):
    """The bottom cut along `axis` (or the old slice_dim) at slice_point, or evenly."""

    tops = (1, None)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.slice_param, shapes[0]
        old = param.HasField("slice_dim")
        self.check(not (old and param.HasField("axis")), "give axis or slice_dim, not both")
        self.dim = self.axis(param.slice_dim if old else param.axis, len(shape))
        total, count, points = shape[self.dim], self.num_tops, list(param.slice_point)
        self.check(
            len(points) in (0, count - 1),
            f"slice_point: found {len(points)}, wanted {count - 1} for {count} tops",
        )
        self.check(points or total % count == 0, f"{total} cannot be cut into {count} equal tops")
        self.sizes = [top[self.dim] for top in self.top_shapes(shapes)]
        self.check(
            not points or min(self.sizes) > 0,
            f"slice_point {points}: wanted increasing values between 0 and {total}",
        )

    def forward(self, bottom: torch.Tensor) -> Tops:
        return tuple(bottom.split(self.sizes, self.dim))


@register("Split")
class Split(Layer):
    """Copies of the bottom."""

    tops = (1, None)

    def forward(self, bottom: torch.Tensor) -> Tops:
        return (bottom,) * self.num_tops


@register("Silence")
class Silence(Layer):
    """Reads blobs that would otherwise be outputs of the net."""

    bottoms, tops = (1, None), (0, 0)
    takes_indices = True

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        return ()


@register("Flatten")
class Flatten(Layer):
    """The axes from `axis` to `end_axis` as one."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.flatten_param, shapes[0]
        self.first = self.axis(param.axis, len(shape))
        self.last = self.axis(param.end_axis, len(shape), "end_axis")
        self.check(self.first <= self.last, f"axis {self.first} is after end_axis {self.last}")

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.flatten(self.first, self.last)


@register("Reshape")
class Reshape(Layer):
    """The same elements in another shape; 0 copies an axis, -1 is inferred."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
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
        made = self.top_shapes(shapes)[0]
        self.check(
            made is not None and math.prod(made) == math.prod(shape),
            f"shape {self.dims}: cannot be made of a bottom of {shape}",
        )

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        shape = bottom.shape
        middle = [dim or shape[self.first + index] for index, dim in enumerate(self.dims)]
        return bottom.reshape(*shape[: self.first], *middle, *shape[self.last :])


@register("Tile")
class Tile(Layer):
    """`tiles` copies of the bottom along `axis`."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.tile_param, shapes[0]
        self.check(param.HasField("tiles") and param.tiles > 0, "tiles: wanted 1 or more")
        self.dim = self.axis(param.axis, len(shape))

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        repeats = [1] * bottom.dim()
        repeats[self.dim] = self.param.tile_param.tiles
        return bottom.repeat(repeats)


@register("Crop")
class Crop(Layer):
    """The first bottom cut to the size of the second from `axis` on, beginning at `offset`."""

    bottoms = (2, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, (shape, wanted) = self.param.crop_param, shapes
        self.first = self.axis(param.axis, len(shape))
        self.check(
            len(shape) == len(wanted),
            f"found bottoms of {shape} and {wanted}, wanted the same number of axes",
        )
        count, offsets = len(shape) - self.first, list(param.offset)
        self.check(
            len(offsets) in (0, 1, count), f"offset: found {len(offsets)}, wanted 0, 1 or {count}"
        )
        self.offsets = offsets * (count if len(offsets) == 1 else 1) or [0] * count
        for axis, offset in enumerate(self.offsets, self.first):
            self.check(
                offset + wanted[axis] <= shape[axis],
                f"axis {axis}: offset {offset} + {wanted[axis]} is more than {shape[axis]}",
            )

    def forward(self, bottom: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        for axis, offset in enumerate(self.offsets, self.first):
            bottom = bottom.narrow(axis, offset, like.shape[axis])
        return bottom


@register("BatchReindex")
class BatchReindex(Layer):
    """The items of the first bottom that the second one numbers, in that order."""

    bottoms, is_compilable = (2, 2), False

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(shapes[0], f"found a bottom of shape {shapes[0]}, wanted 1 axis or more")
        self.check(len(shapes[1]) == 1, f"found indices of shape {shapes[1]}, wanted 1 axis")

    def forward(self, bottom: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        wrong = index[(index < 0) | (index >= len(bottom))]
        self.check(
            not len(wrong),
            f"found index {wrong[:1].tolist()}, wanted 0 to {len(bottom) - 1}",
        )
        return bottom.index_select(0, index.long())


@register("Filter")
class Filter(Layer):
    """Of every bottom the items for which the last bottom, the selector, is not 0."""

    bottoms, tops, is_compilable = (2, None), (1, None), False

    def prepare(self, shapes: Sequence[Shape]) -> None:
        *items, selector = shapes
        self.check(self.num_tops == len(items), f"found {self.num_tops} tops, wanted {len(items)}")
        self.check(
            selector and math.prod(selector[1:]) == 1,
            f"the selector has shape {selector}, wanted all axes but the first of size 1",
        )
        self.check(
            all(shape[:1] == selector[:1] for shape in items),
            f"bottoms of {items} and a selector of {selector}: axis 0 must be alike",
        )

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        chosen = bottoms[-1].detach().reshape(-1) != 0
        return tuple(bottom[chosen] for bottom in bottoms[:-1])
