"""Real Caffe: pycaffe with our plug-in, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.inference.network import Network
from gcnet_caffe.real_caffe.remote import RemoteNet


class Engine(Network):
    """A net in real Caffe."""

    def _open(self, weights: str | Path, fast: bool) -> None:
        self._remote = RemoteNet(self.net, weights, outputs=self.outputs)

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return self._remote.forward(inputs)
