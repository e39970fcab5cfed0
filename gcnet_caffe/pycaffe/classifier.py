"""pycaffe's Classifier. Source: Caffe python/caffe/classifier.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.layers.base import TEST
from gcnet_caffe.pycaffe import io
from gcnet_caffe.pycaffe.net import Net


class _OfImages(Net):
    """A net in phase TEST whose first input is an image, with a Transformer for it.

    Parameters
    ----------
    model_file, pretrained_file : path
        Prototxt and .caffemodel.
    mean, input_scale, raw_scale, channel_swap
        As io.Transformer takes them.

    Attributes
    ----------
    transformer : io.Transformer
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        in_ = self.inputs[0]
        self.transformer = io.Transformer({in_: self.blobs[in_].shape})
        self.transformer.set_transpose(in_, (2, 0, 1))
        if mean is not None:
            self.transformer.set_mean(in_, mean)
        if input_scale is not None:
            self.transformer.set_input_scale(in_, input_scale)
        if raw_scale is not None:
            self.transformer.set_raw_scale(in_, raw_scale)
        if channel_swap is not None:
            self.transformer.set_channel_swap(in_, channel_swap)

    def _predictions(self, images: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return the first output for each of `images`, (H, W, K) arrays."""
        in_ = self.inputs[0]
        data = np.stack([self.transformer.preprocess(in_, image) for image in images])
        return self._all({in_: data})[self.outputs[0]]


class Classifier(_OfImages):
    """Tells the classes of images, from one crop or from ten.

    Parameters
    ----------
    model_file, pretrained_file : path
        Prototxt and .caffemodel.
    image_dims : (height, width)
        Size to which images are scaled before they are cropped; default: the net's.
    mean, input_scale, raw_scale, channel_swap
        As io.Transformer takes them.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str],
        image_dims: Sequence[int] | None = None,
        mean: NDArray[Any] | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, pretrained_file, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims = image_dims if image_dims is not None else self.crop_dims

    def predict(self, inputs: Sequence[NDArray[Any]], oversample: bool = True) -> NDArray[Any]:
        """Return the classes' probabilities.

        Parameters
        ----------
        inputs : sequence of (H, W, K) arrays
        oversample : bool
            Take the mean over corners, centre and their mirror images; else the centre alone.

        Returns
        -------
        (N, C) array
        """
        images = [io.resize_image(image, self.image_dims) for image in inputs]
        if oversample:
            found = self._predictions(list(io.oversample(images, self.crop_dims)))
            return np.asarray(found.reshape(len(images), 10, -1).mean(1))
        centre, half = np.array(self.image_dims) / 2.0, self.crop_dims / 2.0
        top, left = (centre - half).astype(int)
        bottom, right = (centre + half).astype(int)
        return self._predictions([image[top:bottom, left:right] for image in images])
