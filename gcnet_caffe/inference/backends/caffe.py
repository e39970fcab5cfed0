"""Real Caffe: pycaffe with our plug-in, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.inference.network import Network
from gcnet_caffe.real_caffe.remote import RemoteNet


def open_backend(
    net: str | Path, weights: str | Path, outputs: Sequence[str], fast: bool
) -> Network:
    """Open a net in real Caffe, on the CPU."""
    return _RealCaffe(net, weights, outputs)


class _RealCaffe(Network):
    def __init__(self, net: str | Path, weights: str | Path, outputs: Sequence[str]) -> None:
        super().__init__(net, outputs)
        self._remote = RemoteNet(net, weights, outputs)

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return self._remote.forward(inputs)
