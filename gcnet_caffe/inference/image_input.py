"""Images as the input of a net, prepared as Caffe's `classify.py` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe import pycaffe
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats.data_layer import read_mean_file


class Preparation(NamedTuple):
    """What is done to an image, after it is resized to the net's input.

    Attributes
    ----------
    raw_scale : float
        What the pixels, 0..1, are multiplied by before the mean is subtracted.
    mean : str
        A number per channel, separated by commas; a .npy or .binaryproto file; empty: nothing.
    channel_swap : sequence of int
        The order of the channels of a colour image: 2, 1, 0 is BGR.
    input_scale : float
        What the numbers are multiplied by after the mean.
    """

    raw_scale: float = 255.0
    mean: str = ""
    channel_swap: Sequence[int] = (2, 1, 0)
    input_scale: float = 1.0


def image_input(
    net: pycaffe.Net, images: Sequence[str | Path], how: Preparation
) -> dict[str, NDArray[np.float32]]:
    """Return {input: numbers} of images for the first input of `net` that has four axes.

    Raises
    ------
    UsageError
        There is no such input, or the mean is not for it.
    ImageError
        An image cannot be read.
    """
    name = next((name for name in net.inputs if len(net.blobs[name].shape) == 4), None)
    if name is None:
        raise UsageError(
            f"--images: the net has the inputs {net.inputs}; wanted one of N x C x H x W"
        )
    channels = net.blobs[name].shape[1]
    mean = read_mean(how.mean) if how.mean else None
    transformer = pycaffe.io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    transformer.set_raw_scale(name, how.raw_scale)
    transformer.set_input_scale(name, how.input_scale)
    try:
        if channels > 1:
            transformer.set_channel_swap(name, how.channel_swap)
        if mean is not None:
            transformer.set_mean(name, mean)
    except Exception as error:  # pycaffe's class, in part
        raise UsageError(f"--images: input {name!r}: {error}") from None
    loaded = (pycaffe.io.load_image(path, color=channels > 1) for path in images)
    return {name: np.stack([transformer.preprocess(name, image) for image in loaded])}


def read_mean(text: str) -> NDArray[np.float32]:
    """Return the mean that `Preparation.mean` says: (C,) or (C, H, W).

    Raises
    ------
    UsageError
        It is neither numbers nor a file of a mean.
    SchemaError
        A .binaryproto cannot be read.
    """
    try:
        if text.endswith(".binaryproto"):
            return read_mean_file(text)
        if text.endswith(".npy"):
            return np.asarray(np.load(text), np.float32)
        return np.array([float(word) for word in text.split(",")], np.float32)
    except (ValueError, OSError) as error:
        raise UsageError(
            f"mean: found {text!r}, wanted numbers, .npy or .binaryproto: {error}"
        ) from None
