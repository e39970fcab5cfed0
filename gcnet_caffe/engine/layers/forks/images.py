"""DenseImageData of SegNet: images, and a label for each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.layers.base import Layer, Shape, register
from gcnet_caffe.engine.rng import CaffeRng


@register("DenseImageData")
class DenseImageData(Layer):
    """Batches of the image files in a list (N, C, H, W), and of their label images (N, 1, H, W).

    Each line of `source` has the path of an image and of its grey label image, after root_folder.
    With new_height and new_width both are resized, labels to the nearest pixel; with crop_height
    and crop_width both are cut at the same random place; with `mirror` both are mirrored at random.
    Then mean_value and scale of transform_param, for the images alone. After the last line comes
    the first, or with `shuffle` all in another random order.

    Source: alexgkendall/caffe-segnet, dense_image_data_layer.cpp. Its random numbers are drawn in
    two threads at once, so its order cannot be repeated; here they are a stream of the layer's own.
    mean_file, and crop_size and mirror of transform_param, are refused.
    """

    bottoms, tops, is_source, has_state = (0, 0), (2, 2), True, True
    like: torch.Tensor

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, transform = self.param.dense_image_data_param, self.param.transform_param
        self.check(param.batch_size > 0, "batch_size: found 0, wanted 1 or more")
        for short in ("new", "crop"):
            sizes = [getattr(param, f"{short}_{axis}") for axis in ("height", "width")]
            self.check(all(sizes) or not any(sizes), f"wanted {short}_height and {short}_width")
        refused = transform.HasField("mean_file") or transform.crop_size or transform.mirror
        self.check(not refused, "transform_param: wanted scale and mean_value only")
        self.register_buffer("like", torch.zeros(()), persistent=False)
        self._lines = self._read_list(param.source)
        self._rng = CaffeRng(self.context.rng.seed())
        self._order = list(range(len(self._lines)))
        if param.shuffle:
            self._shuffle()
        self._place = self._rng.seed() % param.rand_skip if param.rand_skip else 0
        self.check(self._place < len(self._lines), "rand_skip: skips the whole list")
        image = self._read(self._order[self._place])[0]
        height, width = param.crop_height or image.shape[1], param.crop_width or image.shape[2]
        self.check(
            height <= image.shape[1] and width <= image.shape[2],
            f"an image of {image.shape[1]} x {image.shape[2]}, crop needs {height} x {width}",
        )
        count = len(transform.mean_value)
        self.check(
            count in (0, 1, len(image)), f"mean_value: found {count}, wanted 1 or {len(image)}"
        )
        return [(param.batch_size, channels, height, width) for channels in (len(image), 1)]

    def _read_list(self, source: str) -> list[tuple[str, str]]:
        try:
            with open(source, encoding="utf-8", errors="surrogateescape") as file:
                words = file.read().split()
        except (OSError, ValueError) as error:
            raise self.error(f"{source}: {getattr(error, 'strerror', None) or error}") from None
        self.check(
            words and len(words) % 2 == 0,
            f"{source}: found {len(words)} words, wanted lines of an image and its labels",
        )
        root = self.param.dense_image_data_param.root_folder
        return [(root + image, root + labels) for image, labels in zip(words[::2], words[1::2])]

    def _shuffle(self) -> None:
        for last in range(len(self._order) - 1, 0, -1):
            other = self._rng.seed() % (last + 1)
            self._order[last], self._order[other] = self._order[other], self._order[last]

    def _read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image (C, H, W) and labels (1, H, W) of a line, in the new size."""
        import cv2  # as in formats/datum.py

        param = self.param.dense_image_data_param
        found = []
        for path, color, how in (
            (self._lines[index][0], param.is_color, cv2.INTER_LINEAR),
            (self._lines[index][1], False, cv2.INTER_NEAREST),
        ):
            pixels: NDArray[Any] = self._decoded(
                path, cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE
            )
            if param.new_height:
                pixels = cv2.resize(pixels, (param.new_width, param.new_height), interpolation=how)
            found.append(np.atleast_3d(pixels).transpose(2, 0, 1))
        image, labels = found
        self.check(
            image.shape[1:] == labels.shape[1:],
            f"{self._lines[index][0]}: {image.shape[1:]} pixels, its labels {labels.shape[1:]}",
        )
        return image, labels

    def _decoded(self, path: str, flag: int) -> NDArray[np.uint8]:
        import cv2

        try:
            data = np.fromfile(path, np.uint8)
            pixels = cv2.imdecode(data, flag) if data.size else None
        except (OSError, ValueError) as error:
            raise self.error(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        self.check(pixels is not None, f"{path}: an image that cannot be decoded")
        return np.asarray(pixels, np.uint8)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        param, transform = self.param.dense_image_data_param, self.param.transform_param
        images, truths = [], []
        for _ in range(param.batch_size):
            image, labels = self._read(self._order[self._place])
            if param.mirror and self._rng.seed() % 2:
                image, labels = image[:, :, ::-1], labels[:, :, ::-1]
            if param.crop_height:
                top = self._rng.seed() % (image.shape[1] - param.crop_height + 1)
                left = self._rng.seed() % (image.shape[2] - param.crop_width + 1)
                rows = slice(top, top + param.crop_height)
                columns = slice(left, left + param.crop_width)
                image, labels = image[:, rows, columns], labels[:, rows, columns]
            images.append(image)
            truths.append(labels)
            self._place += 1
            if self._place == len(self._lines):
                self._place = 0
                if param.shuffle:
                    self._shuffle()
        self.check(
            len({image.shape for image in images}) == 1,
            f"images of different shapes {sorted({image.shape for image in images})} in a batch",
        )
        data = torch.from_numpy(np.stack(images).astype(np.float32))
        if transform.mean_value:
            data = data - torch.tensor(list(transform.mean_value)).reshape(-1, 1, 1)
        truth = torch.from_numpy(np.stack(truths).astype(np.float32))
        return (data * transform.scale).to(self.like), truth.to(self.like)

    def state(self) -> dict[str, Any]:
        """Return the place, the order and the state of the random numbers, as JSON keeps them."""
        return {"place": self._place, "order": self._order, "rng": self._rng.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self._place, self._order = state["place"], state["order"]
        self._rng.set_state(state["rng"])
