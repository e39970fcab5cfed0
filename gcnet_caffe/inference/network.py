"""A deploy net with its weights, opened in one engine or another behind the same call."""

from __future__ import annotations

import abc
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import NetError, UsageError
from gcnet_caffe.formats import read_weights
from gcnet_caffe.formats.net_state import layers_in_test
from gcnet_caffe.formats.weights import check_filled

#: What can run a net -> the module with its `Engine`, which is imported when it is asked for.
ENGINES = {
    "torch": "gcnet_caffe.inference.engines.torch_engine",
    "caffe": "gcnet_caffe.inference.engines.caffe",
    "onnxruntime": "gcnet_caffe.inference.engines.onnx_runtime",
    "opencv": "gcnet_caffe.inference.engines.opencv",
}


class Network(abc.ABC):
    """A deploy net of Caffe's TEST phase, ready to run; made by `open_network`.

    Parameters
    ----------
    net, weights : path
        Deploy prototxt and .caffemodel.
    outputs : sequence of str
    fast : bool
        See `open_network`.

    Attributes
    ----------
    net : str or Path
    inputs, outputs : tuple of str
        The blobs that `forward` takes and gives.
    made_by : dict of str to str
        Blob -> the last layer that it is a top of.

    Raises
    ------
    NetError
        The net has no inputs, or no blob of the name of an output.
    WeightsError, SchemaError
        The weights cannot be read, or lack a layer of the net.
    """

    def __init__(
        self, net: str | Path, weights: str | Path, outputs: Sequence[str], fast: bool
    ) -> None:
        layers = layers_in_test(net)
        self.net, self.outputs = net, tuple(outputs)
        self.inputs = tuple(top for layer in layers if layer.type == "Input" for top in layer.top)
        if not self.inputs:
            raise NetError(f"{net}: no layer of type Input; wanted a deploy net")
        self.made_by: dict[str, str] = {top: layer.name for layer in layers for top in layer.top}
        for blob in self.outputs:
            if blob not in self.made_by:
                raise NetError(f"{net}: no blob {blob!r}")
        found = {layer.name for layer in read_weights(weights).layer if layer.blobs}
        check_filled(layers, found, net, weights)
        self._open(weights, fast)

    @abc.abstractmethod
    def _open(self, weights: str | Path, fast: bool) -> None:
        """Open the net in the engine, on the CPU."""

    @abc.abstractmethod
    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run the net on one batch.

        Parameters
        ----------
        inputs : dict of str to (n, ...) array of float32
            Each input blob. n may change from call to call.

        Returns
        -------
        dict of str to array of float32
            Each of `outputs`, as Caffe names it.

        Raises
        ------
        NetError
            The engine cannot run the net on them.
        """

    def forward_all(
        self, inputs: Mapping[str, NDArray[np.float32]], batch: int
    ) -> dict[str, NDArray[np.float32]]:
        """As `forward`, on any number of images, `batch` of them at a time."""
        count = len(next(iter(inputs.values())))
        made = [
            self.forward({blob: array[i : i + batch] for blob, array in inputs.items()})
            for i in range(0, count, batch)
        ]
        return {blob: np.concatenate([part[blob] for part in made]) for blob in self.outputs}


def open_network(
    engine: str, net: str | Path, weights: str | Path, outputs: Sequence[str], fast: bool = False
) -> Network:
    """Open a deploy net with its weights, on the CPU.

    Parameters
    ----------
    engine : str
        One of `ENGINES`: PyTorch, real Caffe, ONNX Runtime or OpenCV.
    net, weights : path
        Deploy prototxt and .caffemodel.
    outputs : sequence of str
        The blobs to give: any of the net.
    fast : bool
        Of `torch` only; the others have one way. False runs each layer by itself in Caffe's memory
        format, for results to report. True fuses layers and keeps blobs in the format that is
        fastest for convolutions; float32 sums round otherwise.

    Raises
    ------
    UsageError
        There is no such engine, or what it needs is not installed.
    NetError, WeightsError, SchemaError
        The net cannot be run as it is written, or has no such blob; the weights do not fit.
    GcnetError
        Real Caffe is not installed here.
    """
    if engine not in ENGINES:
        raise UsageError(f"engine: found {engine!r}, wanted one of {', '.join(ENGINES)}")
    opened: type[Network] = importlib.import_module(ENGINES[engine]).Engine
    return opened(net, weights, outputs, fast)
