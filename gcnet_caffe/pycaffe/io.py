"""Messages and arrays, images, and what is done to images before a net: `caffe.io`.

Source: Caffe python/caffe/io.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gcnet_caffe.errors import NO_FILE, ImageError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.pycaffe.proto import caffe_pb2 as caffe_pb2  # scripts take it from here

Images = NDArray[Any]
#: Height and width.
Size = Union[Sequence[int], NDArray[Any]]


def __getattr__(name: str) -> Any:
    """Return what scripts take from real pycaffe's module because it imports it."""
    if name == "skimage":
        import skimage.io  # as there: scikit-image and its io

        return skimage
    if name == "resize":
        from skimage.transform import resize

        return resize
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def blobproto_to_array(blob: Any, return_diff: bool = False) -> NDArray[Any]:
    """Return the data of a BlobProto, or its diff, in its shape.

    Raises
    ------
    ValueError
        The numbers do not fit the shape.
    """
    numbers = np.array(blob.diff if return_diff else blob.data)
    old = ("num", "channels", "height", "width")
    if any(blob.HasField(axis) for axis in old):
        return numbers.reshape([getattr(blob, axis) for axis in old])
    return numbers.reshape(list(blob.shape.dim))


def array_to_blobproto(arr: NDArray[Any], diff: NDArray[Any] | None = None) -> Any:
    """Return an array as a BlobProto, `diff` of the same shape as its diff."""
    blob = caffe_pb.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(float).ravel().tolist())
    if diff is not None:
        blob.diff.extend(diff.astype(float).ravel().tolist())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[NDArray[Any]]) -> bytes:
    """Return arrays as the bytes of a BlobProtoVector."""
    vector = caffe_pb.BlobProtoVector(blobs=map(array_to_blobproto, arraylist))
    found: bytes = vector.SerializeToString()
    return found


def blobprotovector_str_to_arraylist(str: bytes) -> list[NDArray[Any]]:
    """Return the arrays in the bytes of a BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in caffe_pb.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: NDArray[Any], label: int | None = None) -> Any:
    """Return an array of C x H x W as a Datum: uint8 as bytes, other numbers as floats.

    Raises
    ------
    ValueError
        It has not three axes.
    """
    if arr.ndim != 3:
        raise ValueError(f"Incorrect array shape: found {arr.shape}, wanted C x H x W")
    datum = caffe_pb.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).ravel().tolist())
    if label is not None:
        datum.label = int(label)
    return datum


def datum_to_array(datum: Any) -> NDArray[Any]:
    """Return a Datum's C x H x W numbers: uint8, or float64 of its float_data."""
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        return np.frombuffer(datum.data, np.uint8).reshape(shape).copy()
    return np.array(datum.float_data).astype(float).reshape(shape)


class Transformer:
    """What is done to an image before it is an input of a net, and back.

    Each step is set for an input by its name, and left out where it is not set.

    Parameters
    ----------
    inputs : dict
        Input blob name -> its shape, N x K x H x W.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Images] = {}
        self.input_scale: dict[str, float] = {}

    def _check_input(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise Exception(f"{in_} is not one of the net inputs: {self.inputs}")

    def preprocess(self, in_: str, data: Images) -> Images:
        """Resize, transpose, swap channels, scale, subtract the mean, scale: in this order.

        Parameters
        ----------
        in_ : str
            The input's name.
        data : (H', W', K) array

        Returns
        -------
        (K, H, W) array of float32
        """
        self._check_input(in_)
        found = data.astype(np.float32, copy=False)
        size = tuple(self.inputs[in_][2:])
        if found.shape[:2] != size:
            found = resize_image(found, size)
        if in_ in self.transpose:
            found = found.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            found = found[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            found *= self.raw_scale[in_]
        if in_ in self.mean:
            found -= self.mean[in_]
        if in_ in self.input_scale:
            found *= self.input_scale[in_]
        return found

    def deprocess(self, in_: str, data: Images) -> Images:
        """Undo `preprocess`, but for the size: a (K, H, W) array becomes (H, W, K)."""
        self._check_input(in_)
        found = data.copy().squeeze()
        if in_ in self.input_scale:
            found /= self.input_scale[in_]
        if in_ in self.mean:
            found += self.mean[in_]
        if in_ in self.raw_scale:
            found /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            found = found[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            found = found.transpose(np.argsort(self.transpose[in_]).tolist())
        return found

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of the axes: (2, 0, 1) makes K x H x W of H x W x K."""
        self._check_input(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise Exception(
                f"Transpose order: found {tuple(order)}, wanted as many axes as the input has "
                "without the first"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of the channels, after the transpose: (2, 1, 0) makes BGR of RGB."""
        self._check_input(in_)
        if len(order) != self.inputs[in_][1]:
            raise Exception(
                f"Channel swap: found {tuple(order)}, wanted {self.inputs[in_][1]} channels"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Set what the numbers are multiplied by before the mean: 255 for images of 0..1."""
        self._check_input(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Images) -> None:
        """Set what is subtracted: a number per channel, or an image, which is resized.

        Raises
        ------
        ValueError
            It has other channels than the input, or not 1 to 3 axes.
        """
        self._check_input(in_)
        shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            if mean.shape[0] != shape[0]:
                raise ValueError(
                    f"Mean channels incompatible with input: found {mean.shape[0]}, wanted "
                    f"{shape[0]}"
                )
            mean = mean[:, np.newaxis, np.newaxis]
        elif mean.ndim not in (2, 3):
            raise ValueError(f"Mean shape invalid: {mean.shape}")
        elif (1,) * (3 - mean.ndim) + mean.shape != shape:
            low, high = mean.min(), mean.max()
            normal = resize_image(((mean - low) / (high - low)).transpose((1, 2, 0)), shape[1:])
            mean = normal.transpose((2, 0, 1)) * (high - low) + low
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Set what the numbers are multiplied by after the mean."""
        self._check_input(in_)
        self.input_scale[in_] = scale


def load_image(filename: str | os.PathLike[str], color: bool = True) -> Images:
    """Read an image.

    Parameters
    ----------
    filename : path
    color : bool
        RGB (a grey image three times, without an alpha channel); else grey.

    Returns
    -------
    (H, W, 3) or (H, W, 1) array of float32, 0..1

    Raises
    ------
    ImageError
        It cannot be read.
    """
    from skimage.color import rgb2gray
    from skimage.util import img_as_float

    path = os.fspath(filename)
    if not os.path.isfile(path):
        raise ImageError(f"{path}: {NO_FILE}")
    try:
        with Image.open(path) as image:
            kept = image.mode in ("L", "I;16", "RGB", "RGBA")
            pixels = np.asarray(image if kept else image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{path}: not an image: {str(error).splitlines()[0]}") from None
    numbers = img_as_float(pixels)[..., :3] if pixels.ndim == 3 else img_as_float(pixels)
    if numbers.ndim == 3 and not color:
        numbers = rgb2gray(numbers)
    found: Images = numbers.astype(np.float32)
    if found.ndim == 2:
        return np.repeat(found[:, :, np.newaxis], 3 if color else 1, axis=2)
    return found


def resize_image(im: Images, new_dims: Size, interp_order: int = 1) -> Images:
    """Resize an image with splines.

    Parameters
    ----------
    im : (H, W, K) array
    new_dims : (height, width)
    interp_order : int
        Order of the splines, 1 is linear.

    Returns
    -------
    (height, width, K) array of float32
    """
    from scipy.ndimage import zoom
    from skimage.transform import resize

    size = tuple(int(side) for side in new_dims)
    if im.shape[-1] not in (1, 3):
        scale = tuple(np.array(size, dtype=float) / np.array(im.shape[:2]))
        return np.asarray(zoom(im, (*scale, 1), order=interp_order)).astype(np.float32)
    low, high = im.min(), im.max()
    if high <= low:
        return np.full((*size, im.shape[-1]), low, np.float32)
    normal = resize((im - low) / (high - low), size, order=interp_order, mode="constant")
    return np.asarray(normal * (high - low) + low).astype(np.float32)


def oversample(images: Sequence[Images], crop_dims: Size) -> Images:
    """Cut the four corners and the centre out of images, and mirror them.

    Parameters
    ----------
    images : sequence of (H, W, K) arrays
    crop_dims : (height, width)

    Returns
    -------
    (10 N, height, width, K) array of float32
        Of each image the five crops, then the five mirrored.
    """
    (height, width), (full_height, full_width) = (
        (int(side) for side in sides) for sides in (crop_dims, images[0].shape[:2])
    )
    corners = [(y, x) for y in (0, full_height - height) for x in (0, full_width - width)]
    centre = (int((full_height - height) / 2), int((full_width - width) / 2))
    crops = [
        image[y : y + height, x : x + width, :][:, ::step]
        for image in images
        for step in (1, -1)
        for y, x in [*corners, centre]
    ]
    return np.stack(crops).astype(np.float32)
