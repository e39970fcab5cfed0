"""pycaffe's solvers over the engine's.

Source: Caffe python/caffe/_caffe.cpp, src/caffe/solver.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gcnet_caffe.engine import weights
from gcnet_caffe.engine.layers.base import TEST, Context
from gcnet_caffe.engine.net import Blobs, Loss
from gcnet_caffe.engine.net import Net as EngineNet
from gcnet_caffe.engine.rates import learning_rate
from gcnet_caffe.engine.records import FeedOptions
from gcnet_caffe.engine.solver import Solver as EngineSolver
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.solver_nets import NetSource
from gcnet_caffe.formats.splits import with_splits
from gcnet_caffe.pycaffe.net import Net
from gcnet_caffe.pycaffe.state import STATE


class _LayerByLayer(EngineSolver):
    """The engine's solver on nets that are run layer by layer.

    Attributes
    ----------
    shown : dict
        The engine's net -> the Net that scripts see.
    callbacks : list of pair of callable
        What is called at the start of each iteration, and before each update.
    """

    def __init__(self, param: Any, origin: str) -> None:
        self.shown: dict[EngineNet, Net] = {}
        self.callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []
        super().__init__(param, origin, STATE.device, STATE.options, log=STATE.log, draws=STATE.rng)
        self.updater.keeps_updates = True

    def _make_net(self, source: NetSource) -> EngineNet:
        phase = source.param.state.phase
        self.log(f"Creating {'test' if phase == TEST else 'training'} net from {source.origin}")
        context = Context(
            phase=phase,
            rng=self.rng,
            origin=source.origin,
            feed=FeedOptions.of(self.options, self.device),
            summation=self.options.summation,
        )
        net = EngineNet(with_splits(source.param, source.origin), context).to(self.device)
        self.shown[net] = Net._of(net, self.device)
        return net

    def _share(self) -> None:
        """As Caffe: a test net has weights of its own until it is first tested."""
        for net in self.test_nets:
            for path in filter(None, map(str.strip, ",".join(self.param.weights).split(","))):
                weights.copy_weights(net, path, self.log)

    def test(self, index: int = 0) -> dict[str, list[float]] | None:
        self.shown[self.test_nets[index]].share_with(self.shown[self.net])
        return super().test(index)

    def _clear_gradients(self) -> None:
        self.shown[self.net].clear_param_diffs()
        for on_start, _ in self.callbacks:
            on_start()

    def forward_backward(self, debugged: bool = False) -> tuple[Loss, dict[str, torch.Tensor]]:
        executor = self.shown[self.net]._executor
        total = np.float32(0)
        for _ in range(self.param.iter_size):
            total += np.float32(self.shown[self.net]._forward(0, len(executor.units) - 1))
            self.shown[self.net]._backward(len(executor.units) - 1, 0)
        for _, on_gradients_ready in self.callbacks:
            on_gradients_ready()
        return float(total / np.float32(self.param.iter_size)), executor.outputs()

    def _forward(
        self, net: EngineNet, batch: Blobs | None = None
    ) -> tuple[Loss, dict[str, torch.Tensor]]:
        executor = self.shown[net]._executor
        return float(executor.forward(record=False)), executor.outputs()

    def _read_losses(self) -> None:
        """Take in the losses; one that is not a number stops nothing, as in Caffe."""
        for iteration, loss in self._unread:
            self._smoothed.add(float(loss), iteration)
        self._unread = []

    def apply_update(self, display: bool = False) -> None:
        self.shown[self.net]._flush()
        super().apply_update(display)
        self.shown[self.net]._executor.forget()

    def snapshot(self) -> None:
        self.shown[self.net]._flush()
        super().snapshot()

    def restore(self, path: str | os.PathLike[str]) -> None:
        self.shown[self.net]._flush()
        super().restore(path)
        self.shown[self.net]._executor.forget()


class Solver:
    """A solver of a prototxt; `get_solver` opens one of the type that the file says.

    Parameters
    ----------
    solver_file : path
        Paths in it are relative to the current folder.

    Attributes
    ----------
    net : Net
        The net that is trained.
    test_nets : list of Net
    iter : int
        How many updates there have been.
    param : SolverParameter

    Raises
    ------
    SchemaError, NetError, WeightsError, LmdbError, UsageError
        Where pycaffe ends the process: a file cannot be read, or what it holds cannot be executed
        or does not fit.
    """

    #: The solver's type; empty: what the file says.
    _type = ""

    def __init__(self, solver_file: str | os.PathLike[str]) -> None:
        path = os.fspath(solver_file)
        param = read_solver(path)
        if self._type:
            param.type = self._type
        self._solver = _LayerByLayer(param, path)
        self.param = param
        self.net = self._solver.shown[self._solver.net]
        self.test_nets = [self._solver.shown[net] for net in self._solver.test_nets]

    @property
    def iter(self) -> int:
        """How many updates there have been."""
        return self._solver.iteration

    def add_callback(
        self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object]
    ) -> None:
        """Call `on_start` before each iteration of `step`, and the other before its update."""
        self._solver.callbacks.append((on_start, on_gradients_ready))

    def solve(self, resume_file: str | os.PathLike[str] | None = None) -> None:
        """Train to max_iter, testing and writing snapshots as the file says.

        Parameters
        ----------
        resume_file : path, optional
            A .solverstate to continue from.
        """
        if resume_file is not None:
            self.restore(resume_file)
        self._solver.solve()

    def step(self, iters: int) -> None:
        """Do `iters` iterations, with the tests and the snapshots that are due."""
        self._solver.step(iters)

    def restore(self, state_file: str | os.PathLike[str]) -> None:
        """Continue from a .solverstate."""
        self._solver.restore(state_file)

    def snapshot(self) -> None:
        """Write the weights and the solver's state."""
        self._solver.snapshot()

    def share_weights(self, net: Net) -> None:
        """Let `net` use the weights of the net that is trained."""
        net.share_with(self.net)

    def apply_update(self) -> None:
        """Update the learnable blobs once from their diffs."""
        display = self.param.display
        self._solver.apply_update(bool(display) and self.iter % display == 0)


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum."""

    _type = "SGD"

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        rate, _ = learning_rate(self.param, self.iter, self._solver.current_step)
        return float(rate)


class NesterovSolver(SGDSolver):
    """Nesterov's accelerated gradient."""

    _type = "Nesterov"


class AdaGradSolver(SGDSolver):
    """AdaGrad."""

    _type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    """RMSProp."""

    _type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    """AdaDelta."""

    _type = "AdaDelta"


class AdamSolver(SGDSolver):
    """Adam."""

    _type = "Adam"


_SOLVERS: dict[str, type[Solver]] = {
    kind._type: kind
    for kind in (
        SGDSolver,
        NesterovSolver,
        AdaGradSolver,
        RMSPropSolver,
        AdaDeltaSolver,
        AdamSolver,
    )
}


def get_solver(solver_file: str | os.PathLike[str]) -> Solver:
    """Open the solver of a prototxt, of the type that it says; errors as of `Solver`."""
    wanted = read_solver(os.fspath(solver_file)).type
    return _SOLVERS.get(wanted, Solver)(solver_file)


class NCCL:
    """What real pycaffe has for several GPUs; here `gcnet train -gpu 0,1` trains with them."""

    def __init__(self, solver: Solver, uid: str) -> None:
        raise UsageError("NCCL: `gcnet train -gpu 0,1` trains on several GPUs")
