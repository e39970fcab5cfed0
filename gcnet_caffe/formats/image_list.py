"""What an ImageData layer reads: a text file of images and labels, and the images.

Source: Caffe src/caffe/layers/image_data_layer.cpp, and ReadImageToCVMat in src/caffe/util/io.cpp.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import ImageError
from gcnet_caffe.formats.data_layer import TransformRules
from gcnet_caffe.formats.datum import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_bytes(path: str, name: str) -> bytes:
    """Return the bytes of the file `path`; `name` is what an ImageError calls it."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: {getattr(error, 'strerror', None) or error}") from None


def check_file(path: str, name: str) -> None:
    """Raise an ImageError unless there is a file `path`; `name` is what it calls it."""
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: {getattr(error, 'strerror', None) or error}") from None


def read_image(path: str, color: bool, name: str) -> NDArray[np.uint8]:
    """Return the image in the file `path`, (H, W, 3) of BGR or (H, W) of grey values.

    Parameters
    ----------
    path : str
    color : bool
    name : str
        What errors call it.

    Raises
    ------
    ImageError
        It is missing, or cannot be decoded.
    """
    import cv2  # as in formats/datum.py

    data = read_bytes(path, name)
    flag = cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE
    try:
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(f"{name}: an image that cannot be decoded")
    return np.asarray(image, np.uint8)


def in_planes(image: Any) -> NDArray[np.uint8]:
    """Return an image of OpenCV's as (C, H, W)."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return np.ascontiguousarray(planes)


class ImageList:
    """The lines of the text file `source`: a path, a space, a label.

    The last space of a line ends the path. What is no number is the label 0, as in Caffe.

    Parameters
    ----------
    source : str
    root_folder : str
        What stands before each path, as it is.

    Attributes
    ----------
    paths : list of str
        With the root_folder.
    labels : (N,) array of int64

    Raises
    ------
    ImageError
        The file is missing or empty.
    """

    def __init__(self, source: str, root_folder: str = "") -> None:
        self.source = source
        lines = os.fsdecode(read_bytes(source, source)).split("\n")
        if not lines[-1]:
            lines.pop()
        if not lines:
            raise ImageError(f"{source}: is empty; wanted lines of a path and a label")
        self.paths, labels = [], []
        for line in lines:
            path, _, label = line.rpartition(" ")
            self.paths.append(root_folder + (path if " " in line else line))
            number = re.match(r"\s*[+-]?\d+", label)
            labels.append(int(number[0]) if number else 0)
        self.labels = np.array(labels)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Return how errors name an image: its line in the list, and its file."""
        return f"{self.source}:{index + 1}: {self.paths[index]}"


class ImageRules(TransformRules):
    """The rules of one ImageData layer.

    Parameters
    ----------
    layer : LayerParameter
    origin : str
        The net's file, for messages.

    Attributes
    ----------
    batch_size : int

    Raises
    ------
    NetError
        The layer cannot read any images: batch_size is 0, only one of new_height and new_width is
        given, or the mean does not suit.
    """

    failure = ImageError
    #: Whether the pixels are known before they are read, as label_sources asks.
    keeps_values = False

    def __init__(self, layer: Any, origin: str) -> None:
        super().__init__(layer, origin)
        self._image = param = layer.image_data_param
        self.batch_size: int = param.batch_size
        if self.batch_size < 1:
            raise self.error("batch_size: found 0, wanted 1 or more")
        if (param.new_height > 0) != (param.new_width > 0):
            raise self.error("found new_height or new_width alone, wanted both")

    def read_list(self) -> ImageList:
        """Return the list of the layer's images."""
        return ImageList(self._image.source, self._image.root_folder)

    def read(self, images: ImageList, index: int) -> NDArray[np.uint8]:
        """Return image `index` of `images`, (C, H, W), of the new_height and new_width.

        Raises
        ------
        ImageError
            It is missing, cannot be decoded, or does not suit the transform_param.
        """
        param, name = self._image, images.name(index)
        image: Any = read_image(images.paths[index], param.is_color, name)
        if param.new_height:
            import cv2

            image = cv2.resize(image, (param.new_width, param.new_height))
        planes = in_planes(image)
        self.output_shape(planes.shape, name)
        return planes

    def check_alike(self, first: Shape, other: Shape, record: str) -> None:
        """Check that an image of shape `other` can be in one batch with one of shape `first`.

        Raises
        ------
        ImageError
            The net would get two shapes.
        """
        if self.output_shape(other, record) != self.output_shape(first, record):
            raise ImageError(
                f"{record}: {other[1]} x {other[2]} in a batch with {first[1]} x {first[2]}; "
                "crop_size, or new_height and new_width, make the sizes equal"
            )
