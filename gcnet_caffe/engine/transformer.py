"""Crop, mirror, mean and scale of a batch of records.

Source: Caffe src/caffe/data_transformer.cpp. The random numbers are drawn in Caffe's order,
record by record; the pixels are moved for the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.device import to_device
from gcnet_caffe.engine.layers.base import TRAIN, Layer
from gcnet_caffe.engine.rng import CaffeRng, Rng
from gcnet_caffe.formats.data_layer import TransformRules


class Transformer:
    """The transform_param of a layer that reads images.

    Parameters
    ----------
    layer : Layer
        Its transform_param and phase.
    rules : TransformRules
        Of the same layer.

    Attributes
    ----------
    rng : CaffeRng or None
        Its own stream, once `seed` has started it; None where no random numbers are needed.
    """

    def __init__(self, layer: Layer, rules: TransformRules) -> None:
        self.param = layer.param.transform_param
        self._train = layer.phase == TRAIN
        self._mean = rules.mean
        self.rng: CaffeRng | None = None

    def seed(self, rng: Rng) -> None:
        """Start the own stream of random numbers with one of `rng`, if it is needed (InitRand)."""
        if self.param.mirror or (self._train and self.param.crop_size > 0):
            self.rng = CaffeRng(rng.seed())

    def draw(
        self, sizes: Sequence[tuple[int, int]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """Draw for images of `sizes` [(height, width), ...]; return mirrors, tops and lefts."""
        crop, mirror = self.param.crop_size, self.param.mirror
        count = len(sizes)
        mirrors, offsets = np.zeros(count, bool), np.zeros((2, count), np.int64)
        random_crop = crop and self._train
        if self.rng is not None:
            per_image = int(mirror) + 2 * bool(random_crop)
            words = self.rng.raw(count * per_image).astype(np.int64).reshape(count, per_image)
            if mirror:
                mirrors = words[:, 0] % 2 == 1
        if crop:
            slack = np.array(sizes).T - crop
            offsets = words[:, -2:].T % (slack + 1) if random_crop else slack // 2
        return mirrors, offsets[0], offsets[1]

    def batch(self, stack: torch.Tensor, indices: NDArray[np.int64]) -> torch.Tensor:
        """Return the records `indices` of `stack` (N, C, H, W), transformed, as float32."""
        height, width = stack.shape[2:]
        mirrors, top, left = self.draw([(height, width)] * len(indices))
        crop_h = self.param.crop_size or height
        crop_w = self.param.crop_size or width
        rows = top[:, None] + np.arange(crop_h)
        columns = np.where(mirrors[:, None], np.arange(crop_w)[::-1], np.arange(crop_w))
        columns = columns + left[:, None]
        of, y, x = (to_device(a, stack.device) for a in (indices, rows, columns))
        channels = torch.arange(stack.shape[1], device=stack.device)[None, :, None, None]
        y, x = y[:, None, :, None], x[:, None, None, :]
        pixels = stack[of[:, None, None, None], channels, y, x].float()
        if self._mean is not None:
            mean = to_device(self._mean, stack.device)
            if self.param.mean_file:
                mean = mean[channels, y, x]
            pixels = pixels - mean
        return pixels * self.param.scale if self.param.scale != 1 else pixels

    def images(self, images: list[NDArray[Any]]) -> torch.Tensor:
        """Return what `batch` returns for `images`, each (C, H, W), which become of one size."""
        if len({(image.shape, image.dtype) for image in images}) == 1:
            return self.batch(torch.from_numpy(np.stack(images)), np.arange(len(images)))
        return torch.cat([self.images([image]) for image in images])
