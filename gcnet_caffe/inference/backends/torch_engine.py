"""The torch engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine import import_torch
from gcnet_caffe.inference.network import Network


def open_backend(
    net: str | Path, weights: str | Path, outputs: Sequence[str], fast: bool
) -> Network:
    """Open a net in the torch engine, on the CPU."""
    import_torch()
    return _TorchEngine(net, weights, outputs, fast)


class _TorchEngine(Network):
    def __init__(
        self, net: str | Path, weights: str | Path, outputs: Sequence[str], fast: bool
    ) -> None:
        from gcnet_caffe.engine.net import open_trained

        super().__init__(net, outputs)
        self._engine, self._fast = open_trained(net, weights, outputs), fast
        if fast:
            self._engine.use_channels_last(one_channel=False)

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        import torch

        given = {blob: torch.from_numpy(array) for blob, array in inputs.items()}
        with torch.no_grad():
            made = self._engine.forward(given)[1] if self._fast else self._engine.blobs(given)
        return {blob: np.ascontiguousarray(made[blob].numpy()) for blob in self.outputs}
