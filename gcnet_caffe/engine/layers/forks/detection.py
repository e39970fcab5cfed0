"""Permute and PriorBox of SSD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, register
from gcnet_caffe.formats.fork_shapes import aspect_ratios


@register("Permute")
class Permute(Layer):
    """The axes in another order: axis i of the top is axis order[i] of the bottom.

    Axes that `order` leaves out follow in their own order.

    Source: weiliu89/caffe (branch ssd), permute_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        order, count = list(self.param.permute_param.order), len(shapes[0])
        self.check(
            len(set(order)) == len(order) and max(order, default=0) < max(count, 1),
            f"order: found {order}, wanted different axes of a bottom of {count}",
        )
        self.order = order + [axis for axis in range(count) if axis not in order]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.permute(self.order).contiguous()


@register("PriorBox")
class PriorBox(Layer):
    """Boxes around each place of the first bottom, as shares of the image: x1, y1, x2, y2.

    Centre ((w + offset) step_w, (h + offset) step_h). For each min_size m: m x m; with max_size M
    sqrt(m M) x sqrt(m M); and for each aspect ratio r (with `flip` 1 / r, too) but 1
    m sqrt(r) x m / sqrt(r). Top (1, 2, 4 H W boxes): the boxes, and the four variances of each. The
    image's size is img_h and img_w, img_size, or the second bottom's; a step is by default that
    size over the first bottom's. Has no gradient.

    Source: weiliu89/caffe (branch ssd), prior_box_layer.cpp. There m and M are whole numbers where
    a box is made: the sizes are rounded down.
    """

    bottoms = (2, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.prior_box_param
        self.check(
            all(len(shape) == 4 and min(shape[2:]) > 0 for shape in shapes),
            f"found bottoms of {', '.join(map(str, shapes))}, wanted 4 axes, not empty",
        )
        ratios = list(param.aspect_ratio)
        self.check(
            min(ratios, default=1) > 0, f"aspect_ratio: found {ratios}, wanted ratios above 0"
        )
        low, high = list(param.min_size), list(param.max_size)
        self.check(low and min(low) > 0, f"min_size: found {low}, wanted sizes above 0")
        self.check(
            not high or len(high) == len(low) and all(a < b for a, b in zip(low, high)),
            f"max_size: found {high}, wanted one above each of {low}",
        )
        variances = list(param.variance)
        self.check(
            len(variances) in (0, 1, 4) and min(variances, default=1) > 0,
            f"variance: found {variances}, wanted 0, 1 or 4 above 0",
        )
        self.check(
            param.HasField("step_h") == param.HasField("step_w") != param.HasField("step")
            or not param.HasField("step_h")
            and not param.HasField("step_w"),
            "wanted step, or step_h and step_w",
        )
        self.check(
            param.HasField("img_h") == param.HasField("img_w") != param.HasField("img_size")
            or not param.HasField("img_h")
            and not param.HasField("img_w"),
            "wanted img_size, or img_h and img_w",
        )

    def forward(self, bottom: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        param = self.param.prior_box_param
        size = [param.img_h or param.img_size, param.img_w or param.img_size]
        if 0 in size:
            size = list(image.shape[2:])
        step = [param.step_h or param.step, param.step_w or param.step]
        if 0 in step:
            step = [full / cells for full, cells in zip(size, bottom.shape[2:])]
        centres = [
            (np.arange(cells, dtype=np.float32) + np.float32(param.offset)) * np.float32(one)
            for cells, one in zip(bottom.shape[2:], step)
        ]
        centre = np.stack(np.meshgrid(*centres, indexing="ij"), -1)[:, :, None, ::-1]  # H, W, 1, xy
        half = np.array(self._sizes(), np.float32).astype(np.float64) / 2
        scale = np.array(size[::-1])
        boxes = np.concatenate([(centre - half) / scale, (centre + half) / scale], -1)
        if param.clip:
            boxes = boxes.clip(0, 1)
        variances = np.resize(list(param.variance) or [0.1], boxes.shape)
        made = np.stack([boxes.reshape(-1), variances.reshape(-1)])[None]
        return torch.from_numpy(made.astype(np.float32)).to(bottom)

    def _sizes(self) -> list[tuple[float, float]]:
        """Return (width, height) of the boxes of one place."""
        param, found = self.param.prior_box_param, []
        for index, small in enumerate(map(int, param.min_size)):
            found.append((float(small), float(small)))
            if param.max_size:
                found.append(((small * int(param.max_size[index])) ** 0.5,) * 2)
            for ratio in aspect_ratios(param)[1:]:
                found.append((small * ratio**0.5, small / ratio**0.5))
        return found
