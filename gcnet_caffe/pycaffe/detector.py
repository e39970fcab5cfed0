"""pycaffe's Detector. Source: Caffe python/caffe/detector.py."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import UsageError
from gcnet_caffe.pycaffe import io
from gcnet_caffe.pycaffe.classifier import _OfImages


class Detector(_OfImages):
    """Classifies windows of images.

    Parameters
    ----------
    model_file, pretrained_file : path
        Prototxt and .caffemodel.
    mean, input_scale, raw_scale, channel_swap
        As io.Transformer takes them.
    context_pad : int
        Pixels of the net's input, on each side, that are around the window, as in R-CNN.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str | os.PathLike[str], Iterable[NDArray[Any]]]]
    ) -> list[dict[str, Any]]:
        """Classify windows.

        Parameters
        ----------
        images_windows : iterable of (image file, windows)
            A window is ymin, xmin, ymax, xmax in pixels.

        Returns
        -------
        list of dict
            `window`, `prediction` (the net's first output) and `filename` of each.
        """
        windows = [(name, window) for name, each in images_windows for window in each]
        images = {name: io.load_image(name) for name, _ in windows}
        crops = [self.crop(images[name], window) for name, window in windows]
        return [
            {"window": window, "prediction": prediction, "filename": name}
            for (name, window), prediction in zip(windows, self._predictions(crops))
        ]

    def detect_selective_search(self, image_fnames: Sequence[str]) -> NoReturn:
        """Refuse: the MATLAB program that real pycaffe calls is not at hand.

        Raises
        ------
        UsageError
            Always.
        """
        raise UsageError("detect_selective_search: give the windows to detect_windows instead")

    def crop(self, im: io.Images, window: NDArray[Any]) -> io.Images:
        """Return a window of the (H, W, K) array `im`, with the context around it if there is any.

        What is outside the image is the mean.
        """
        if not self.context_pad:
            plain: io.Images = im[window[0] : window[2], window[1] : window[3]]
            return plain
        size = int(self.crop_dims[1])
        scale = size / (1.0 * size - self.context_pad * 2)
        low, high = np.array(window[:2]), np.array(window[2:])
        half = (high - low + 1) / 2.0
        low, high = np.round(low + half - scale * half), np.round(low + half + scale * half)
        factor = size / (high - low + 1)
        pad = np.array([round(side) for side in np.maximum(0, -low) * factor])
        low, high = (np.clip(corner, 0.0, im.shape[:2]).astype(int) for corner in (low, high))
        wanted = np.array([round(side) for side in (high - low + 1) * factor])
        wanted = np.minimum(wanted, size - pad)
        part = io.resize_image(im[low[0] : high[0], low[1] : high[1]], wanted)
        found: io.Images = np.ones(self.crop_dims, np.float32) * self.crop_mean
        found[pad[0] : pad[0] + wanted[0], pad[1] : pad[1] + wanted[1]] = part
        return found

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how much context is around a window, and the mean in the images' own form."""
        in_ = self.inputs[0]
        order = self.transformer.transpose[in_]
        inverse = [order[axis] for axis in order]
        self.crop_dims = np.array(self.blobs[in_].shape[1:])[inverse]
        self.context_pad = context_pad
        if not context_pad:
            return
        mean = self.transformer.mean.get(in_)
        self.crop_mean: NDArray[Any] = np.zeros(self.crop_dims, np.float32)
        if mean is None:
            return
        self.crop_mean = mean.copy().transpose(inverse)
        swap = self.transformer.channel_swap.get(in_)
        if swap is not None:
            self.crop_mean = self.crop_mean[:, :, np.argsort(swap)]
        self.crop_mean = self.crop_mean / self.transformer.raw_scale.get(in_, 1)
