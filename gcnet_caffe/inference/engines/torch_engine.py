"""The torch engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine import import_torch
from gcnet_caffe.inference.network import Network


class Engine(Network):
    """A net in the torch engine."""

    def _open(self, weights: str | Path, fast: bool) -> None:
        import_torch()
        from gcnet_caffe.engine.net import open_trained

        self._engine, self._fast = open_trained(self.net, weights, self.outputs), fast
        if fast:
            self._engine.use_channels_last(one_channel=False)

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        import torch

        given = {blob: torch.from_numpy(array) for blob, array in inputs.items()}
        with torch.no_grad():
            made = self._engine.forward(given)[1] if self._fast else self._engine.blobs(given)
        return {blob: np.ascontiguousarray(made[blob].numpy()) for blob in self.outputs}
