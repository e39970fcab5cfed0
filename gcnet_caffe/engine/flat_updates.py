"""The update rules on a GPU: blobs of the same multipliers lie one after the other in memory.

A rule then works on a few long vectors instead of many small blobs. Each operation is a kernel of
its own, and for small blobs a GPU spends more time on starting kernels than in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, SupportsFloat

import torch
from torch import nn

from gcnet_caffe.engine.sharing import Learnable
from gcnet_caffe.engine.updates import create_updater


class FlatUpdater:
    """An Updater of vectors that hold many blobs each; the rules work element by element.

    The blobs move: their memory becomes a part of a vector, in the order in which it was.

    Parameters
    ----------
    param : SolverParameter
    learnable : list of Learnable

    Attributes
    ----------
    history : list of tensor
        As an Updater's; each is a part of a vector.
    keeps_updates : bool
        As an Updater's.
    """

    def __init__(self, param: Any, learnable: Sequence[Learnable]) -> None:
        kinds: defaultdict[tuple[float, float, bool], list[int]] = defaultdict(list)
        for index, one in enumerate(learnable):
            kinds[one.lr_mult, one.decay_mult, one.param.requires_grad].append(index)
        self._vectors = [_Vector([learnable[index] for index in kind]) for kind in kinds.values()]
        self._updater = create_updater(param, [v.learnable for v in self._vectors], "torch")
        self.keeps_updates = self._updater.keeps_updates
        self.history: list[torch.Tensor] = []
        for first in range(0, len(self._updater.history), max(len(self._vectors), 1)):
            parts: dict[int, torch.Tensor] = {}
            histories = self._updater.history[first : first + len(self._vectors)]
            for kind, vector, history in zip(kinds.values(), self._vectors, histories):
                parts.update(zip(kind, vector.parts(history)))
            self.history += [parts[index] for index in range(len(learnable))]

    @torch.no_grad()
    def step(
        self,
        rate: SupportsFloat,
        iteration: int,
        log: Callable[[str], None],
        average: Callable[[Sequence[torch.Tensor]], None],
    ) -> None:
        """As Updater.step."""
        for vector in self._vectors:
            vector.gather_gradients()
        self._updater.keeps_updates = self.keeps_updates
        self._updater.step(rate, iteration, log, average)
        if self.keeps_updates:
            for vector in self._vectors:
                vector.spread_gradient()


class _Vector:
    """The memory of some blobs, one after the other."""

    def __init__(self, members: Sequence[Learnable]) -> None:
        self._params = [one.param for one in members]
        flat = torch.cat([_in_memory_order(param.detach()) for param in self._params])
        self._flat = nn.Parameter(flat, requires_grad=self._params[0].requires_grad)
        self.learnable = Learnable(self._flat, members[0].owner, 0, members[0].spec)
        for param, part in zip(self._params, self.parts(flat)):
            param.data = part

    def parts(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Return the parts of `vector`, each as the blob whose it is: its shape and strides."""
        pieces = vector.detach().split([param.numel() for param in self._params])
        return [
            piece.as_strided(param.shape, param.stride(), piece.storage_offset())
            for param, piece in zip(self._params, pieces)
        ]

    def gather_gradients(self) -> None:
        """Make one vector of the gradients; where a blob has none it is zeros."""
        if self._flat.requires_grad:
            self._flat.grad = torch.cat([_gradient(param) for param in self._params])

    def spread_gradient(self) -> None:
        """Give each blob its part of the gradient."""
        if self._flat.grad is not None:
            for param, part in zip(self._params, self.parts(self._flat.grad)):
                param.grad = part


def _in_memory_order(blob: torch.Tensor) -> torch.Tensor:
    """Return the elements of a blob without gaps as a vector, a view."""
    return blob.as_strided((blob.numel(),), (1,))


def _gradient(param: torch.Tensor) -> torch.Tensor:
    """Return the gradient in the order in which `param` lies in memory."""
    gradient = torch.zeros_like(param) if param.grad is None else param.grad
    if gradient.stride() != param.stride():
        ordered = torch.empty_strided(param.shape, param.stride(), device=param.device)
        gradient = ordered.copy_(gradient)
    return _in_memory_order(gradient)
