"""What a WindowData layer reads: a text file of images and windows.

Source: Caffe src/caffe/layers/window_data_layer.cpp. The file repeats

    # image_index
    path
    channels
    height
    width
    number of windows
    class overlap x1 y1 x2 y2       (a line for each window)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gcnet_caffe.errors import ImageError
from gcnet_caffe.formats.data_layer import TransformRules
from gcnet_caffe.formats.image_list import read_bytes

#: Images are read in colour.
CHANNELS = 3


class Window(NamedTuple):
    """A window: the number of its image in the file, its class (0 is background), its corners."""

    image: int
    label: int
    x1: int
    y1: int
    x2: int
    y2: int


class WindowFile:
    """The images and windows of the text file `source`.

    Parameters
    ----------
    source, root_folder : str
        The root_folder stands before each path, as it is.
    fg_threshold, bg_threshold : float
        Windows of at least this overlap are foreground; of the others, those of less than
        `bg_threshold` are background, and the rest is left out.

    Attributes
    ----------
    paths : list of str
    channels : int
        Of the last image, as the file says it.
    windows : list of two lists of Window
        Background and foreground.

    Raises
    ------
    ImageError
        The file is missing, empty, cut off, or not such a file; a foreground window has no class
        above 0; there are no windows of a kind, or of an image that the file does not have.
    """

    def __init__(
        self, source: str, root_folder: str, fg_threshold: float, bg_threshold: float
    ) -> None:
        self.source = source
        self.paths: list[str] = []
        self.channels = 0
        self.windows: tuple[list[Window], list[Window]] = [], []
        self._least = np.float32(fg_threshold), np.float32(bg_threshold)
        words = iter(os.fsdecode(read_bytes(source, source)).split())
        try:
            self._read(words, root_folder)
        except (StopIteration, ValueError):
            wanted = "# index, path, channels, height, width, count, windows"
            raise self._error(f"image {len(self.paths)}: truncated, or not {wanted}") from None
        for kind, windows in zip(("background", "foreground"), self.windows):
            if not windows:
                raise self._error(f"has no {kind} windows")
            numbers = {window.image for window in windows} - set(range(len(self.paths)))
            if numbers:
                raise self._error(f"found image {min(numbers)}, wanted 0 to {len(self.paths) - 1}")

    def _error(self, text: str) -> ImageError:
        return ImageError(f"{self.source}: {text}")

    def _read(self, words: Iterator[str], root_folder: str) -> None:
        for mark in words:
            if mark != "#":
                raise ValueError
            index = int(next(words))
            self.paths.append(root_folder + next(words))
            self.channels, _, _ = [int(next(words)) for _ in range(3)]
            for _ in range(int(next(words))):
                self._add(index, *[next(words) for _ in range(6)])

    def _add(self, index: int, label: str, overlap: str, *corners: str) -> None:
        share, places = np.float32(overlap), [int(word) for word in corners]
        if share >= self._least[0]:
            if int(label) < 1:
                raise self._error(
                    f"image {index}: a foreground window of class {label}, wanted 1 on"
                )
            self.windows[1].append(Window(index, int(label), *places))
        elif share < self._least[1]:
            self.windows[0].append(Window(index, 0, *places))

    def name(self, window: Window) -> str:
        """Return how errors name a window: its image."""
        return f"{self.source}: image {window.image}, {self.paths[window.image]}"


class WindowRules(TransformRules):
    """The rules of one WindowData layer.

    Parameters
    ----------
    layer : LayerParameter
    origin : str
        The net's file, for messages.

    Attributes
    ----------
    batch_size, crop_size : int

    Raises
    ------
    NetError
        The layer cannot read any windows: batch_size or crop_size is 0, the context is as large as
        the crop, or the mean does not suit.
    """

    failure = ImageError

    def __init__(self, layer: Any, origin: str) -> None:
        super().__init__(layer, origin)
        self._window = param = layer.window_data_param
        self.batch_size: int = param.batch_size
        self.crop_size: int = self._param.crop_size
        for name in ("batch_size", "crop_size"):
            if getattr(self, name) < 1:
                raise self.error(f"{name}: found 0, wanted 1 or more")
        if 2 * param.context_pad >= self.crop_size:
            raise self.error(
                f"context_pad: found {param.context_pad}, wanted less than half of the crop_size, "
                f"{self.crop_size}"
            )
        self._check_size_of_mean()
        if not 0 <= param.fg_fraction <= 1:
            raise self.error(f"fg_fraction: found {param.fg_fraction:g}, wanted 0 to 1")

    def read_windows(self) -> WindowFile:
        """Return the layer's file of windows.

        Raises
        ------
        ImageError
            See WindowFile; or it says that its images are grey.
        """
        param = self._window
        thresholds = param.fg_threshold, param.bg_threshold
        found = WindowFile(param.source, param.root_folder, *thresholds)
        if found.channels != CHANNELS:
            raise ImageError(f"{found.source}: found {found.channels} channels, wanted {CHANNELS}")
        return found

    def _check_size_of_mean(self) -> None:
        if self.mean is None:
            return
        count, height, width = self.mean.shape
        if self._param.mean_value:
            if count not in (1, CHANNELS):
                raise self.error(f"mean_value: found {count}, wanted 1 or {CHANNELS}")
        elif count != CHANNELS or min(width, height) - self.crop_size < self.mean_offset:
            wanted = f"({CHANNELS}, {self.crop_size}, {self.crop_size}) or a larger square"
            raise self.error(f"mean_file: of shape {self.mean.shape}, wanted {wanted}")

    @property
    def mean_offset(self) -> int:
        """Where the crop begins in the mean_file's image, in both axes."""
        return 0 if self.mean is None else (self.mean.shape[2] - self.crop_size) // 2
