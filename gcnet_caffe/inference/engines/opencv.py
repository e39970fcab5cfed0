"""OpenCV's cv2.dnn: it reads Caffe's files; our two layers are Python layers of it.

Its fusion of layers is off: whenever the number of images changes, OpenCV 4.14 folds a BatchNorm
into its convolution once more, and the numbers are wrong from the second time on. So are Winograd's
convolutions: they are faster, and their sums three times as far from Caffe's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import NetError
from gcnet_caffe.inference.network import Network

_Array = NDArray[np.float32]


class Engine(Network):
    """A net in cv2.dnn."""

    def _open(self, weights: str | Path, fast: bool) -> None:
        _register_layers()
        try:
            self._dnn = cv2.dnn.readNetFromCaffe(str(self.net), str(weights))
        except cv2.error as error:
            raise NetError(f"{self.net}: OpenCV cannot read it: {error.err}") from None
        self._dnn.enableFusion(False)
        self._dnn.enableWinograd(False)
        # it knows a blob by its last layer
        self._last = [self.made_by[blob] for blob in self.outputs]

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        for blob, array in inputs.items():
            self._dnn.setInput(np.ascontiguousarray(array), blob)
        try:
            made = self._dnn.forward(self._last)
        except cv2.error as error:
            raise NetError(f"{self.net}: OpenCV cannot run it: {error.err}") from None
        return {blob: np.array(array, np.float32) for blob, array in zip(self.outputs, made)}


@functools.cache
def _register_layers() -> None:
    """Make our layers known to OpenCV, once per process."""
    cv2.dnn_registerLayer("MaxUnpool", cast(Any, _MaxUnpool))
    cv2.dnn_registerLayer("NormalizedDistance", cast(Any, _NormalizedDistance))


class _MaxUnpool:
    """See engine/layers/pooling.py; `params` are the fields of pooling_param."""

    def __init__(self, params: dict[str, Any], blobs: list[_Array]) -> None:
        self._windows = [
            [params.get(f"{name}_{axis}", params.get(whole, default)) for axis in "hw"]
            for name, whole, default in (
                ("kernel", "kernel_size", 0),
                ("stride", "stride", 1),
                ("pad", "pad", 0),
            )
        ]

    def getMemoryShapes(self, inputs: list[list[int]]) -> list[list[int]]:  # noqa: N802
        return [[*inputs[0][:2], *self._full(inputs)]]

    def forward(self, inputs: list[_Array]) -> list[_Array]:
        pooled, mask = inputs[:2]
        n, c = pooled.shape[:2]
        full = self._full([array.shape for array in inputs])
        top = np.zeros((n * c, full[0] * full[1]), np.float32)
        places = mask.reshape(n * c, -1).astype(np.int64)
        np.add.at(top, (np.arange(n * c)[:, None], places), pooled.reshape(n * c, -1))
        return [top.reshape(n, c, *full)]

    def _full(self, shapes: Sequence[Sequence[int]]) -> list[int]:
        if len(shapes) > 2:
            return list(shapes[2][2:])
        sides = zip(shapes[0][2:], *self._windows)
        return [(side - 1) * stride + kernel - 2 * pad for side, kernel, stride, pad in sides]


class _NormalizedDistance:
    """See engine/layers/normalization.py."""

    def __init__(self, params: dict[str, Any], blobs: list[_Array]) -> None:
        pass

    def getMemoryShapes(self, inputs: list[list[int]]) -> list[list[int]]:  # noqa: N802
        return [[inputs[0][0], int(np.prod(inputs[0][1:]))]]

    def forward(self, inputs: list[_Array]) -> list[_Array]:
        a, b = (_unit(array.reshape(len(array), -1)) for array in inputs)
        return [np.abs(a - b)]


def _unit(rows: _Array) -> _Array:
    lengths: _Array = np.sqrt((rows * rows).sum(1, keepdims=True) + np.float32(1e-6))
    return rows / lengths
