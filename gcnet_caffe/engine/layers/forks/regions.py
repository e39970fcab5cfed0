"""ROIPooling of Fast R-CNN and PSROIPooling of R-FCN.

The second bottom has a region in each row: number of the image, x1, y1, x2, y2 in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.layers.base import Layer, Shape, register

_F = np.float32


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """C's round: halves away from zero."""
    found: NDArray[np.float32] = np.copysign(np.floor(np.abs(values) + _F(0.5)), values)
    return found


class _Regions(Layer):
    """Pools each region of the first bottom to a grid of bins."""

    bottoms = (2, 2)

    def _check_bottoms(self, shapes: Sequence[Shape]) -> None:
        shape, regions = shapes
        self.check(len(shape) == 4, f"found a bottom of shape {shape}, wanted 4 axes")
        self.check(
            len(regions) >= 2 and regions[1] == 5 and set(regions[2:]) <= {1},
            f"found regions of shape {regions}, wanted R x 5",
        )

    def _read(
        self, bottom: torch.Tensor, regions: torch.Tensor
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return image (R) and corners x1, y1, x2, y2 (R, 4) of the regions."""
        rows = regions.detach().cpu().numpy().astype(_F).reshape(-1, 5)
        images = rows[:, 0].astype(np.int64)
        for wrong in images[(images < 0) | (images >= len(bottom))]:
            raise self.error(f"found a region of image {wrong}, wanted 0 to {len(bottom) - 1}")
        return images, rows[:, 1:]


def _clipped(edges: NDArray[np.float32], full: int) -> NDArray[np.int64]:
    return np.nan_to_num(edges).clip(0, full).astype(np.int64)


@register("ROIPooling")
class ROIPooling(_Regions):
    """The maximum of each of pooled_h x pooled_w bins of each region; 0 of an empty one.

    The corners are round(spatial_scale x). A bin is a pooled_h-th of the y2 - y1 + 1 (1 at least)
    rows; from the rounded-down first to the rounded-up last row, within the bottom. Columns alike.
    Of equal values the first has the gradient; regions have none.

    Source: rbgirshick/caffe-fast-rcnn (branch faster-rcnn), roi_pooling_layer.cpp and .cu.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self._check_bottoms(shapes)
        param = self.param.roi_pooling_param
        self.bins = (param.pooled_h, param.pooled_w)
        self.check(min(self.bins) > 0, "pooled_h, pooled_w: wanted 1 or more")

    def forward(self, bottom: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        images, corners = self._read(bottom, regions)
        scaled = _rounded(corners * _F(self.param.roi_pooling_param.spatial_scale))
        rows = self._edges(scaled[:, 1], scaled[:, 3], self.bins[0], bottom.shape[2])
        columns = self._edges(scaled[:, 0], scaled[:, 2], self.bins[1], bottom.shape[3])
        width = bottom.shape[3]
        places = torch.full((len(images), bottom.shape[1], *self.bins), -1, device=bottom.device)
        maps = bottom.detach()
        for region, image in enumerate(images.tolist()):
            for i, (top, end) in enumerate(rows[region].tolist()):
                for j, (left, right) in enumerate(columns[region].tolist()):
                    if top < end and left < right:
                        inside = maps[image, :, top:end, left:right].flatten(1).argmax(1)
                        row, column = inside // (right - left), inside % (right - left)
                        places[region, :, i, j] = (row + top) * width + column + left
        chosen = bottom.flatten(2)[torch.from_numpy(images).to(bottom.device)]
        found = chosen.gather(2, places.flatten(2).clamp_min(0)).reshape(places.shape)
        return torch.where(places >= 0, found, 0.0)

    @staticmethod
    def _edges(
        first: NDArray[np.float32], last: NDArray[np.float32], bins: int, full: int
    ) -> NDArray[np.int64]:
        """Return (R, bins, 2): where each bin begins and ends."""
        size = np.maximum(last - first + 1, 1).astype(_F) / _F(bins)
        steps = np.arange(bins + 1, dtype=_F) * size[:, None]
        begin, end = np.floor(steps[:, :-1]), np.ceil(steps[:, 1:])
        return _clipped(np.stack([begin, end], -1) + first[:, None, None], full)


@register("PSROIPooling")
class PSROIPooling(_Regions):
    """The mean of each of group_size x group_size bins, each in its own channel; 0 of an empty one.

    Bin (i, j) of output channel o averages channel (o group_size + i) group_size + j. A region is
    from spatial_scale round(x1) to spatial_scale (round(x2) + 1), 0.1 wide at least; a bin from
    the rounded-down begin to the rounded-up end, within the bottom. Regions have no gradient.

    Source: daijifeng001/caffe-rfcn, psroi_pooling_layer.cu.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self._check_bottoms(shapes)
        param = self.param.psroi_pooling_param
        self.group, self.outputs = param.group_size, param.output_dim
        self.check(min(self.group, self.outputs) > 0, "output_dim, group_size: wanted 1 or more")
        wanted = self.outputs * self.group**2
        self.check(shapes[0][1] == wanted, f"found {shapes[0][1]} channels, wanted {wanted}")

    def forward(self, bottom: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        images, corners = self._read(bottom, regions)
        rounded = _rounded(corners)
        height, width = bottom.shape[2:]
        rows = self._edges(rounded[:, 1], rounded[:, 3], height)
        columns = self._edges(rounded[:, 0], rounded[:, 2], width)
        grouped = bottom.reshape(len(bottom), self.outputs, self.group, self.group, height, width)
        tops = []
        for region, image in enumerate(images.tolist()):
            shares = [
                torch.from_numpy(_shares(edges[region], full)).to(bottom)
                for edges, full in ((rows, height), (columns, width))
            ]
            tops.append(torch.einsum("oijhw,ih,jw->oij", grouped[image], *shares))
        empty = bottom.new_zeros(0, self.outputs, self.group, self.group)
        return torch.stack(tops) if tops else empty

    def _edges(
        self, first: NDArray[np.float32], last: NDArray[np.float32], full: int
    ) -> NDArray[np.int64]:
        scale = _F(self.param.psroi_pooling_param.spatial_scale)
        begin, end = first * scale, (last + 1) * scale
        size = np.maximum(end - begin, _F(0.1)) / _F(self.group)
        steps = np.arange(self.group + 1, dtype=_F) * size[:, None] + begin[:, None]
        bins = np.stack([np.floor(steps[:, :-1]), np.ceil(steps[:, 1:])], -1)
        return _clipped(bins, full)


def _shares(edges: NDArray[np.int64], full: int) -> NDArray[np.float32]:
    """Return (bins, full): what part of a bin's mean each row (or column) is."""
    places = np.arange(full)
    inside = (edges[:, :1] <= places) & (places < edges[:, 1:])
    found: NDArray[np.float32] = inside / np.maximum(inside.sum(1, keepdims=True), 1).astype(_F)
    return found
