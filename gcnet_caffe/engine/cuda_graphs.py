"""Forward and backward as one CUDA graph (`--cuda-graphs`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch

if TYPE_CHECKING:
    from gcnet_caffe.engine.net import Blobs, Loss, Net

_WARM_UPS = 3


class GraphedPass:
    """Replays one pass of a net on new batches of the same shapes.

    Parameters
    ----------
    net : Net
        On a GPU. Its blobs keep their places in memory.
    forward : callable
        batch -> (loss, outputs).
    batch : dict
        Of Net.next_batch; the pass is recorded with it.
    """

    def __init__(
        self,
        net: Net,
        forward: Callable[[Blobs], tuple[Loss, dict[str, torch.Tensor]]],
        batch: Blobs,
    ) -> None:
        self._params = [one.param for one in net.learnable]
        self._inputs = {number: tensor.detach().clone() for number, tensor in batch.items()}
        kept = [param.detach().clone() for param in self._params]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._forget_gradients()
                cast(torch.Tensor, forward(self._inputs)[0]).backward()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.no_grad():  # the warm-ups changed BatchNorm's sums
            for param, values in zip(self._params, kept):
                param.copy_(values)
        self._forget_gradients()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            loss, outputs = forward(self._inputs)
            cast(torch.Tensor, loss).backward()
        self._loss = cast(torch.Tensor, loss).detach()  # and autograd's graph is forgotten
        self._outputs = {name: blob.detach() for name, blob in outputs.items()}
        self._gradients = [param.grad for param in self._params]

    def _forget_gradients(self) -> None:
        for param in self._params:
            param.grad = None

    def __call__(self, batch: Blobs) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return loss and outputs of `batch`; the gradients are in the blobs."""
        for number, tensor in batch.items():
            self._inputs[number].copy_(tensor)
        self._graph.replay()
        for param, gradient in zip(self._params, self._gradients):
            param.grad = gradient
        return self._loss, self._outputs
