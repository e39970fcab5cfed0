"""The update rules of Caffe's solvers, with Caffe's order of operations.

Source: Caffe src/caffe/solvers/*.cpp. Caffe keeps the learning rate inside the momentum, so that
a changing rate does not rescale what has been gathered (PyTorch's SGD keeps it outside).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, SupportsFloat

import numpy as np
import torch

from gcnet_caffe.engine.sharing import Learnable
from gcnet_caffe.formats.log import number

_F = np.float32


class _Fast:
    """What the rules compute with; engine/caffe_order/arithmetic.py has the same for its order."""

    @staticmethod
    def axpy(alpha: float, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """y += alpha x, in place; returns `y`."""
        return y.add_(x, alpha=alpha)

    @staticmethod
    def sum_of_squares(gradients: list[torch.Tensor]) -> float:
        sums = [(g * g).sum() for g in gradients]
        return sum(torch.stack(sums).tolist()) if sums else 0.0  # waits for a GPU once

    root, square = staticmethod(torch.sqrt), staticmethod(torch.square)


class Updater:
    """Plain SGD with momentum, and what the other rules share with it.

    Parameters
    ----------
    param : SolverParameter
    learnable : list of Learnable
    summation : str
        One of options.SUMMATIONS.

    Attributes
    ----------
    history : list of tensor
        As Caffe's: one per blob; in some rules a second one per blob follows.
    keeps_updates : bool
        Whether `step` leaves each update where the gradient was, for whoever looks at it.
    """

    histories = 1

    def __init__(
        self, param: Any, learnable: Sequence[Learnable], summation: str = "torch"
    ) -> None:
        self.param, self.learnable = param, learnable
        self.keeps_updates: bool = param.snapshot_diff
        self._by: type[_Fast] | ModuleType = _Fast
        if summation == "caffe":
            from gcnet_caffe.engine.caffe_order import arithmetic

            self._by = arithmetic
        params = [one.param for one in learnable]
        self.history = [torch.zeros_like(p.detach()) for p in params * self.histories]

    @torch.no_grad()
    def step(
        self,
        rate: SupportsFloat,
        iteration: int,
        log: Callable[[str], None],
        average: Callable[[Sequence[torch.Tensor]], None],
    ) -> None:
        """Update every blob once from its gradient.

        Parameters
        ----------
        rate : float32
            The learning rate.
        iteration : int
        log : callable
            Takes the line about clipped gradients.
        average : callable
            Replaces the gradients of this rank by those of all ranks.
        """
        blobs = [one.param for one in self.learnable]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in blobs]
        average([gradient for p, gradient in zip(blobs, gradients) if p.requires_grad])
        self._clip(gradients, log)
        if self.param.iter_size > 1:
            torch._foreach_mul_(gradients, float(_F(1) / _F(self.param.iter_size)))
        for index, (one, gradient) in enumerate(zip(self.learnable, gradients)):
            self._regularize(one, gradient)
            local_rate = float(_F(rate) * _F(one.lr_mult))
            update = self._update(index, gradient, local_rate, iteration)
            one.param.sub_(update)
            if self.keeps_updates:  # in the place of the gradient, as Caffe does
                one.param.grad = gradient.copy_(update)

    def _clip(self, gradients: list[torch.Tensor], log: Callable[[str], None]) -> None:
        limit = self.param.clip_gradients
        if limit < 0:
            return
        norm = _F(self._by.sum_of_squares(gradients) ** 0.5)
        if norm > limit:
            factor = float(_F(limit) / norm)
            log(
                f"Gradient clipping: scaling down gradients (L2 norm {number(norm)} > "
                f"{number(limit)}) by scale factor {number(factor)}"
            )
            torch._foreach_mul_(gradients, factor)

    def _regularize(self, one: Learnable, gradient: torch.Tensor) -> None:
        decay = float(_F(self.param.weight_decay) * _F(one.decay_mult))
        if decay:
            data = one.param if self.param.regularization_type == "L2" else one.param.sign()
            self._by.axpy(decay, data, gradient)

    def _update(
        self, index: int, gradient: torch.Tensor, rate: float, iteration: int
    ) -> torch.Tensor:
        """Return what is taken from blob `index`; update its history."""
        return self._by.axpy(rate, gradient, self.history[index].mul_(self.param.momentum))


class Nesterov(Updater):
    """update = (1 + momentum) * new history - momentum * old history."""

    def _update(
        self, index: int, gradient: torch.Tensor, rate: float, iteration: int
    ) -> torch.Tensor:
        history, momentum = self.history[index], self.param.momentum
        step_back = history * -momentum
        self._by.axpy(rate, gradient, history.mul_(momentum))
        return self._by.axpy(float(_F(1) + _F(momentum)), history, step_back)


class AdaGrad(Updater):
    """history is the sum of squares; update = rate * gradient / (sqrt(history) + delta)."""

    def _update(
        self, index: int, gradient: torch.Tensor, rate: float, iteration: int
    ) -> torch.Tensor:
        history = self.history[index].add_(self._by.square(gradient))
        return (gradient / self._by.root(history).add_(self.param.delta)).mul_(rate)


class RMSProp(Updater):
    """As AdaGrad with a decayed sum of squares."""

    def _update(
        self, index: int, gradient: torch.Tensor, rate: float, iteration: int
    ) -> torch.Tensor:
        decay = self.param.rms_decay
        history = self.history[index].mul_(decay)
        self._by.axpy(float(_F(1 - _F(decay))), self._by.square(gradient), history)
        return (gradient / self._by.root(history).add_(self.param.delta)).mul_(rate)


class AdaDelta(Updater):
    """update = gradient * sqrt((decayed updates^2 + delta) / (decayed gradients^2 + delta))."""

    histories = 2

    def _update(
        self, index: int, gradient: torch.Tensor, rate: float, iteration: int
    ) -> torch.Tensor:
        momentum, delta = self.param.momentum, self.param.delta
        fresh = float(_F(1) - _F(momentum))
        gradients = self.history[index]
        updates = self.history[len(self.learnable) + index]
        self._by.axpy(fresh, self._by.square(gradient), gradients.mul_(momentum))
        update = gradient * self._by.root((updates + delta) / (gradients + delta))
        self._by.axpy(fresh, self._by.square(update), updates.mul_(momentum))
        return update.mul_(rate)


class Adam(Updater):
    """update = rate * correction * m / (sqrt(v) + delta)."""

    histories = 2

    def _update(
        self, index: int, gradient: torch.Tensor, rate: float, iteration: int
    ) -> torch.Tensor:
        beta1, beta2 = _F(self.param.momentum), _F(self.param.momentum2)
        powers = [float(beta) ** (iteration + 1) for beta in (beta1, beta2)]  # in double precision
        correction = _F(math.sqrt(1 - powers[1]) / (1 - powers[0]))
        mean, square = self.history[index], self.history[len(self.learnable) + index]
        self._by.axpy(float(_F(1) - beta1), gradient, mean.mul_(float(beta1)))
        self._by.axpy(float(_F(1) - beta2), gradient * gradient, square.mul_(float(beta2)))
        return (mean / self._by.root(square).add_(self.param.delta)).mul_(
            float(_F(rate) * correction)
        )


_RULES = {
    "SGD": Updater,
    "Nesterov": Nesterov,
    "AdaGrad": AdaGrad,
    "RMSProp": RMSProp,
    "AdaDelta": AdaDelta,
    "Adam": Adam,
}


def create_updater(param: Any, learnable: Sequence[Learnable], summation: str) -> Updater:
    """Return the Updater of the SolverParameter `param`, whose type formats.solver_fields checks.

    The other parameters are the Updater's.
    """
    return _RULES[param.type](param, learnable, summation)
