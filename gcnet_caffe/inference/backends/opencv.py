"""OpenCV's cv2.dnn as a back end: it reads Caffe's files; our two layers are Python layers of it.

Its fusion of layers is off: whenever the number of images changes, OpenCV 4.14 folds a BatchNorm
into its convolution once more, and the numbers are wrong from the second time on. So are Winograd's
convolutions: they are faster, and their sums three times as far from Caffe's.
"""

import functools

import cv2
import numpy as np

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import read_net


def open_backend(model):
    """Open the `TrainedModel` in cv2.dnn, on the CPU."""
    _register_layers()
    try:
        net = cv2.dnn.readNetFromCaffe(str(model.net), str(model.weights))
    except cv2.error as error:
        raise NetError(f"{model.net}: OpenCV cannot read it: {error.err}") from None
    net.enableFusion(False)
    net.enableWinograd(False)
    return _OpenCv(net, model)


class _OpenCv:
    def __init__(self, net, model):
        self._net, self._model = net, model
        layers = read_net(model.net).layer
        last = {top: layer.name for layer in layers for top in layer.top}
        self._layers = [last[blob] for blob in model.outputs]  # it knows a blob by its last layer

    def forward(self, query):
        """As the package's docstring says."""
        self._net.setInput(query, "query")
        try:
            made = self._net.forward(self._layers)
        except cv2.error as error:
            raise NetError(f"{self._model.net}: OpenCV cannot run it: {error.err}") from None
        return {blob: array.copy() for blob, array in zip(self._model.outputs, made)}


@functools.cache
def _register_layers():
    """Make them known to OpenCV, once: it is for the whole process."""
    cv2.dnn_registerLayer("MaxUnpool", _MaxUnpool)
    cv2.dnn_registerLayer("NormalizedDistance", _NormalizedDistance)


class _MaxUnpool:
    """See engine/layers/pooling.py; `params` are the fields of pooling_param."""

    def __init__(self, params, blobs):
        self._windows = [
            [params.get(f"{name}_{axis}", params.get(whole, default)) for axis in "hw"]
            for name, whole, default in (
                ("kernel", "kernel_size", 0),
                ("stride", "stride", 1),
                ("pad", "pad", 0),
            )
        ]

    def getMemoryShapes(self, inputs):  # noqa: N802
        return [[*inputs[0][:2], *self._full(inputs)]]

    def forward(self, inputs):
        pooled, mask = inputs[:2]
        n, c = pooled.shape[:2]
        full = self._full([array.shape for array in inputs])
        top = np.zeros((n * c, full[0] * full[1]), np.float32)
        places = mask.reshape(n * c, -1).astype(np.int64)
        np.add.at(top, (np.arange(n * c)[:, None], places), pooled.reshape(n * c, -1))
        return [top.reshape(n, c, *full)]

    def _full(self, shapes):
        if len(shapes) > 2:
            return list(shapes[2][2:])
        sides = zip(shapes[0][2:], *self._windows)
        return [(side - 1) * stride + kernel - 2 * pad for side, kernel, stride, pad in sides]


class _NormalizedDistance:
    """See engine/layers/normalization.py."""

    def __init__(self, params, blobs):
        pass

    def getMemoryShapes(self, inputs):  # noqa: N802
        return [[inputs[0][0], int(np.prod(inputs[0][1:]))]]

    def forward(self, inputs):
        a, b = (_unit(array.reshape(len(array), -1)) for array in inputs)
        return [np.abs(a - b)]


def _unit(rows):
    return rows / np.sqrt((rows * rows).sum(1, keepdims=True) + np.float32(1e-6))
