"""Layers that read image files: ImageData and WindowData.

Source: Caffe src/caffe/layers/image_data_layer.cpp, window_data_layer.cpp, base_data_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.layers.base import TRAIN, Layer, Shape, register
from gcnet_caffe.engine.records import MOST_THREADS
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.transformer import Transformer
from gcnet_caffe.formats.image_list import ImageRules, in_planes, read_image
from gcnet_caffe.formats.window_file import CHANNELS, Window, WindowRules
from gcnet_caffe.parallel import cores


class _Images(Layer):
    """A layer of two tops: images and labels."""

    bottoms, tops, is_source, has_state = (0, 0), (2, 2), True, True
    like: torch.Tensor

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def _batch(
        self, images: torch.Tensor, labels: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return images.to(self.like), torch.tensor(labels, dtype=self.like.dtype).to(self.like)


@register("ImageData")
class ImageData(_Images):
    """Batches of the image files in a list; after the last comes the first, or with `shuffle` the
    list is shuffled again.

    As in Caffe, each of several ranks that train together reads the whole list. Threads decode the
    next batch while this one is used.
    """

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        rng, param = self.context.rng, self.param.image_data_param
        rules = self.rules = ImageRules(self.param, self.context.origin)
        self.records = rules.read_list()
        self.transformer = Transformer(self, rules)
        self.transformer.seed(rng)  # in Caffe the base class does so first
        self._order = list(range(len(self.records)))
        self._shuffler: CaffeRng | None = None
        if param.shuffle:
            self._shuffler = CaffeRng(rng.seed())
            self._shuffler.shuffle(self._order)
        self._place = rng.seed() % param.rand_skip if param.rand_skip else 0
        self.check(
            self._place < len(self.records),
            f"rand_skip: {self._place} of {len(self.records)} images, not enough to skip",
        )
        self.transformer.seed(rng)
        rng.seed()  # the prefetch thread's
        self._pool = ThreadPoolExecutor(min(cores(), MOST_THREADS))
        self._coming: dict[int, Future[NDArray[np.uint8]]] = {}
        first = self._order[self._place]
        made = rules.output_shape(rules.read(self.records, first).shape, self.records.name(first))
        return [(rules.batch_size, *made), (rules.batch_size,)]

    def state(self) -> dict[str, Any]:
        """Return the place, the order and the state of the random numbers, as JSON keeps them."""
        rngs = (self.transformer.rng, self._shuffler)
        return {
            "place": self._place,
            "order": self._order if self._shuffler else None,
            "rngs": [rng and rng.state for rng in rngs],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self._place = state["place"]
        self._order = state["order"] or self._order
        for rng, kept in zip((self.transformer.rng, self._shuffler), state["rngs"]):
            if rng is not None and kept is not None:
                rng.set_state(kept)

    def _next(self) -> list[int]:
        """Return the numbers of the next batch's images, and go on to the place after them."""
        batch: list[int] = []
        while len(batch) < self.rules.batch_size:
            end = self._place + self.rules.batch_size - len(batch)
            batch += self._order[self._place : end]
            self._place = end
            if end >= len(self._order):
                self._place = 0
                if self._shuffler:
                    self._shuffler.shuffle(self._order)
        return batch

    def _start(self, indices: Sequence[int]) -> dict[int, Future[NDArray[np.uint8]]]:
        """Let threads read those of the images `indices` that are not being read."""
        for index in indices:
            if index not in self._coming:
                self._coming[index] = self._pool.submit(self.rules.read, self.records, index)
        return self._coming

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self._next()
        coming = self._start(batch)
        self._coming = {}
        images = [coming[index].result() for index in batch]
        self._start(self._order[self._place : self._place + self.rules.batch_size])
        for index, image in zip(batch, images):
            self.rules.check_alike(images[0].shape, image.shape, self.records.name(index))
        labels = self.records.labels[batch].tolist()
        return self._batch(self.transformer.images(images), labels)


@register("WindowData")
class WindowData(_Images):
    """Batches of windows of images, drawn with replacement: background ones, then foreground ones.

    A window is cut out with its context, made crop_size x crop_size and mirrored at random. What
    of the context is outside the image is 0.
    """

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        rng = self.context.rng
        rules = self.rules = WindowRules(self.param, self.context.origin)
        self.records = rules.read_windows()
        draws = self.param.transform_param.mirror or self.phase == TRAIN
        if draws:
            rng.seed()  # the transformer's, which WindowData does not use
        self._rng = CaffeRng(rng.seed())
        if draws:
            rng.seed()
        rng.seed()  # the prefetch thread's
        self._held: dict[str, NDArray[np.uint8]] = {}
        size = rules.crop_size
        return [(rules.batch_size, CHANNELS, size, size), (rules.batch_size,)]

    def state(self) -> dict[str, Any]:
        """Return the state of the random numbers, as JSON keeps it."""
        return self._rng.state

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self._rng.set_state(state)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        size, param = self.rules.crop_size, self.param.window_data_param
        batch = np.zeros((self.rules.batch_size, CHANNELS, size, size), np.float32)
        foreground = int(np.float32(len(batch)) * np.float32(param.fg_fraction))
        labels = []
        for index, out in enumerate(batch):
            windows = self.records.windows[index >= len(batch) - foreground]
            window = windows[self._rng.seed() % len(windows)]
            mirrored = self.param.transform_param.mirror and self._rng.seed() % 2 == 1
            self._cut(window, mirrored, out)
            labels.append(window.label)
        return self._batch(torch.from_numpy(batch), labels)

    def _image(self, window: Window) -> NDArray[np.uint8]:
        path = self.records.paths[window.image]
        if path in self._held:
            return self._held[path]
        image = read_image(path, True, self.records.name(window))
        if self.param.window_data_param.cache_images:
            self._held[path] = image
        return image

    def _cut(self, window: Window, mirrored: bool, out: NDArray[np.float32]) -> None:
        """Put the pixels of `window`, less the mean and times the scale, into `out`, of zeros."""
        import cv2  # as in formats/datum.py

        image = self._image(window)
        (x1, x2, width, left), (y1, y2, height, top) = self._places(window, mirrored, image)
        self.check(
            0 <= x1 <= x2 < image.shape[1]
            and 0 <= y1 <= y2 < image.shape[0]
            and width * height > 0,
            f"{self.records.name(window)}: {image.shape[1]} x {image.shape[0]} pixels, and no "
            f"window {window[2:]} in it",
        )
        cut = cv2.resize(image[y1 : y2 + 1, x1 : x2 + 1], (width, height))
        pixels = in_planes(cut[:, ::-1] if mirrored else cut).astype(np.float32)
        mean = self.rules.mean
        if mean is not None:
            if self.param.transform_param.mean_file:
                offset = self.rules.mean_offset
                rows = slice(offset + top, offset + top + height)
                mean = mean[:, rows, offset + left : offset + left + width]
            pixels = pixels - mean
        scale = np.float32(self.param.window_data_param.scale)
        out[:, top : top + height, left : left + width] = pixels * scale

    def _places(
        self, window: Window, mirrored: bool, image: NDArray[np.uint8]
    ) -> list[tuple[int, int, int, int]]:
        """Return, along x and y: first and last pixel, size in the crop, and place in it."""
        size, param = self.rules.crop_size, self.param.window_data_param
        spans = [(window.x1, window.x2), (window.y1, window.y2)]
        if not param.context_pad and param.crop_mode != "square":
            return [(*span, size, 0) for span in spans]
        halves = [np.float32((last - first + 1) / 2) for first, last in spans]
        centers = [np.float32(first) + half for (first, _), half in zip(spans, halves)]
        if param.crop_mode == "square":
            halves = [max(halves)] * 2
        context = np.float32(size) / np.float32(size - 2 * param.context_pad)
        found = []
        for axis, (center, half) in enumerate(zip(centers, halves)):
            first, last = _round(center - half * context), _round(center + half * context)
            full = last - first + 1
            before, after = max(0, -first), max(0, last - image.shape[1 - axis] + 1)
            first, last = first + before, last - after
            scale = np.float32(size) / np.float32(full)
            length = _round(np.float32(last - first + 1) * scale)
            place = _round(np.float32(after if mirrored and axis == 0 else before) * scale)
            found.append((first, last, min(length, size - place), place))
        return found


def _round(value: np.float32) -> int:
    """Return the nearest whole number; of two, the one further from 0, as C's round."""
    return int(np.copysign(np.floor(np.abs(np.float64(value)) + 0.5), value))
