"""Trains a net as Caffe's solvers do.

Source: Caffe src/caffe/solver.cpp and src/caffe/solvers/*.cpp.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine import debug, signals, snapshot, weights
from gcnet_caffe.engine.distributed import Group
from gcnet_caffe.engine.flat_updates import FlatUpdater
from gcnet_caffe.engine.layers import TEST, Context
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.net import Blobs, Loss, Net
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.rates import learning_rate
from gcnet_caffe.engine.records import FeedOptions
from gcnet_caffe.engine.rng import CaffeRng, DeviceRng, Rng, random_seed
from gcnet_caffe.engine.sharing import share_trained_layers
from gcnet_caffe.engine.smoothing import SmoothedLoss
from gcnet_caffe.engine.updates import Updater, create_updater
from gcnet_caffe.errors import TrainingError, UsageError
from gcnet_caffe.formats.log import (
    before_test_line,
    display_line,
    loss_line,
    number,
    output_lines,
    rate_line,
)
from gcnet_caffe.formats.snapshots import SnapshotFiles, check_folder
from gcnet_caffe.formats.solver_fields import check_fields
from gcnet_caffe.formats.solver_nets import NetSource, test_nets, train_net

if TYPE_CHECKING:
    from gcnet_caffe.engine.cuda_graphs import GraphedPass

#: On a GPU the losses are read once per so many iterations, because reading waits for the GPU.
_READ_EVERY = 20


class Solver:
    """Executes a SolverParameter.

    Parameters
    ----------
    param : SolverParameter
        In today's form (see formats.read_solver). Paths in it are relative to the current folder.
    origin : path
        The prototxt, for messages.
    device : torch.device, optional
        Default: the CPU.
    options : EngineOptions, optional
    group : distributed.Group, optional
        The solvers that train together with this one.
    log : Log, optional
    requested : callable, optional
        Returns what is asked of the solver: 'stop', 'snapshot' or 'none' (see signals).
    draws : CaffeRng or DeviceRng, optional
        Another solver's random numbers, which this one draws from, too; random_seed starts them
        anew.

    Attributes
    ----------
    net : Net
        The net that is trained.
    test_nets : list of Net
        Share its blobs.
    iteration : int
        How many updates there have been.
    updater : updates.Updater or flat_updates.FlatUpdater
        Holds the history.
    last_snapshot : SnapshotFiles or None
        The files of the last snapshot that it has written, on rank 0.

    Raises
    ------
    NetError
        The solver or a net of it cannot be executed as written.
    SchemaError, WeightsError, LmdbError
        A file that it needs cannot be read, or does not fit.
    UsageError
        An option cannot be used with this solver.
    """

    def __init__(
        self,
        param: Any,
        origin: str | os.PathLike[str],
        device: torch.device | None = None,
        options: EngineOptions | None = None,
        group: Group | None = None,
        log: Log | None = None,
        requested: Callable[[], str] | None = None,
        draws: Rng | None = None,
    ) -> None:
        self.param, self.origin = param, str(origin)
        self.device, self.options = device or torch.device("cpu"), options or EngineOptions()
        self.group, self.log = group or Group(), log or Log()
        self.requested = requested or (lambda: signals.NONE)
        self.iteration, self.current_step = 0, 0
        self.last_snapshot: SnapshotFiles | None = None
        self._stopped = False
        self._graph: GraphedPass | None = None
        self._unread: list[tuple[int, Loss]] = []
        check_fields(param, self.origin)
        if self.options.cuda_graphs and (self.device.type != "cuda" or param.iter_size > 1):
            raise UsageError("--cuda-graphs: needs a GPU, and a solver with iter_size 1")
        check_folder(param, self.origin)
        if self.options.summation == "caffe":
            from gcnet_caffe.engine import caffe_order

            caffe_order.prepare(self.device, self.log)
        self.rng = self._make_rng(draws)
        self.net = self._make_net(train_net(param, self.origin))
        sources = test_nets(param, self.origin) if self.group.rank == 0 else []
        self.test_nets = [self._make_net(source) for source in sources]
        for path in filter(None, map(str.strip, ",".join(param.weights).split(","))):
            weights.copy_weights(self.net, path, self.log)
        self._share()
        self.group.broadcast([learnable.param for learnable in self.net.learnable])
        self.updater: Updater | FlatUpdater = (
            create_updater(param, self.net.learnable, self.options.summation)
            if self.device.type == "cpu"
            else FlatUpdater(param, self.net.learnable)
        )
        snapshot.check_snapshots(self)
        self._smoothed = SmoothedLoss(param.average_loss)
        if self.options.compile:
            self.net.use_torch_compile()
        self.log("Solver scaffolding done.")

    def _share(self) -> None:
        """Let the test nets have the blobs of the net that is trained."""
        for net in self.test_nets:
            share_trained_layers(net, self.net)

    def _make_rng(self, draws: Rng | None) -> Rng:
        seed = self.param.random_seed
        if seed < 0 and draws is not None:
            return draws
        seed = seed + self.group.rank if seed >= 0 else random_seed()
        kind = self.options.rng or ("caffe" if self.device.type == "cpu" else "device")
        made: Rng = CaffeRng(seed) if kind == "caffe" else DeviceRng(seed, self.device)
        if draws is None:
            return made
        state: Any = made.state
        draws.set_state(state)
        return draws

    def _make_net(self, source: NetSource) -> Net:
        phase = source.param.state.phase
        self.log(f"Creating {'test' if phase == TEST else 'training'} net from {source.origin}")
        context = Context(
            phase=phase,
            rng=self.rng,
            origin=source.origin,
            rank=self.group.rank,
            world_size=self.group.size,
            feed=FeedOptions.of(self.options, self.device),
            summation=self.options.summation,
        )
        net = Net(source.param, context).to(self.device)
        net.use_channels_last()
        return net

    def solve(self) -> None:
        """Train to max_iter, testing, logging and writing snapshots as the solver file says."""
        self.log(f"Solving {self.net.name}")
        self.log(f"Learning Rate Policy: {self.param.lr_policy}")
        self._stopped = False
        self.step(self.param.max_iter - self.iteration)
        self.finish(self._stopped)

    def finish(self, stopped: bool) -> None:
        """Do what follows the last iteration: a snapshot; unless `stopped`, the loss and a test."""
        if self.param.snapshot_after_train and not self._is_due(self.param.snapshot):
            self.snapshot()
        if stopped:
            self.log("Optimization stopped early.")
            return
        if self._is_due(self.param.display):
            with torch.no_grad():
                loss, _ = self._forward(self.net)
            self._read_losses()
            self._smoothed.add(float(loss), self.iteration)
            self.log(loss_line(self.iteration, self._smoothed.value))
        if self._is_due(self.param.test_interval):
            self.test_all()
        self.log("Optimization Done.")

    def step(self, iterations: int) -> None:
        """Do `iterations` updates; fewer if a stop is requested."""
        self.begin()
        end = self.iteration + iterations
        while self.iteration < end and not self._stopped:
            self.advance()

    def begin(self) -> None:
        """Start the smoothed loss and the clock of the lines about iterations."""
        self._smoothed.start(self.iteration)
        self._timer, self._displayed = time.perf_counter(), self.iteration

    def advance(self) -> None:
        """Do one update, with the test before it and the snapshot after it that are due."""
        if self._is_due(self.param.test_interval) and (
            self.iteration > 0 or self.param.test_initialization
        ):
            self.test_all()
        if self.group.agree(self._stopped):
            self._stopped = True
            return
        self._one_iteration()
        self.log.iteration_done(self.iteration)
        self._obey(self.group.agree(self.requested()), self._is_due(self.param.snapshot))

    def _is_due(self, every: int) -> bool:
        """Whether this iteration is one of those `every` so many; 0 is never."""
        return every != 0 and self.iteration % every == 0

    def _one_iteration(self) -> None:
        display = self._is_due(self.param.display)
        self._clear_gradients()
        loss, outputs = self.forward_backward(debugged=display and self.param.debug_info)
        self._unread.append((self.iteration, loss))
        if display or self.device.type == "cpu" or len(self._unread) >= _READ_EVERY:
            self._read_losses()
        if display:
            self._display(outputs)
        self.apply_update(display)

    def _clear_gradients(self) -> None:
        for learnable in self.net.learnable:
            learnable.param.grad = None

    def forward_backward(self, debugged: bool = False) -> tuple[Loss, dict[str, torch.Tensor]]:
        """Run the net forward and backward iter_size times; gradients add up in the blobs.

        Parameters
        ----------
        debugged : bool
            Whether to log every blob, as `debug_info` says.

        Returns
        -------
        loss : 0-d tensor without a graph, or float
            The mean over iter_size.
        outputs : dict
            Output blob name -> tensor, of the last pass.
        """
        total: Loss = 0.0
        outputs: dict[str, torch.Tensor] = {}
        for _ in range(self.param.iter_size):
            self._batch = self.net.next_batch()
            if debugged:
                loss, outputs = debug.forward_backward(self.net, self._batch, self.log)
            elif self.options.cuda_graphs:
                loss, outputs = self._graphed()(self._batch)
            else:
                loss, outputs = self._forward(self.net, self._batch)
                if isinstance(loss, torch.Tensor) and loss.requires_grad:
                    loss.backward()
            total = total + (loss.detach() if isinstance(loss, torch.Tensor) else loss)
        return total / self.param.iter_size, outputs

    def _graphed(self) -> GraphedPass:
        if self._graph is None:
            from gcnet_caffe.engine.cuda_graphs import GraphedPass

            forward = functools.partial(self._forward, self.net)
            self._graph = GraphedPass(self.net, forward, self._batch)
        return self._graph

    def _forward(
        self, net: Net, batch: Blobs | None = None
    ) -> tuple[Loss, dict[str, torch.Tensor]]:
        batch = net.next_batch() if batch is None else batch
        reduced = self.options.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=reduced):
            return net.run(batch)

    def _read_losses(self) -> None:
        """Take in the losses since the last time; refuse one that is not a number."""
        for iteration, unread in self._unread:
            loss = float(unread)
            if not np.isfinite(loss):
                bad = debug.first_bad_blob(self.net, self._batch)
                raise TrainingError(
                    f"{self.origin}: iteration {iteration}: the loss is {loss}; {bad}"
                )
            self._smoothed.add(loss, iteration)
        self._unread = []

    def apply_update(self, display: bool = False) -> None:
        """Average the gradients over the ranks, and update the learnable blobs once.

        With `display` the learning rate is logged.
        """
        rate, self.current_step = learning_rate(self.param, self.iteration, self.current_step)
        if display:
            self.log(rate_line(self.iteration, rate))
        self.updater.step(rate, self.iteration, self.log, self.group.average)
        self.iteration += 1

    def _display(self, outputs: dict[str, torch.Tensor]) -> None:
        now = time.perf_counter()
        lapse = now - self._timer
        rate = (self.iteration - self._displayed) / (lapse or 1)
        loss = self._smoothed.value
        self.log(display_line(self.iteration, loss, rate, lapse, self.param.display))
        self._timer, self._displayed = now, self.iteration
        values = {name: _values(blob) for name, blob in outputs.items()}
        for line in output_lines("Train net", values, self.net.loss_weights):
            self.log(line)

    def _obey(self, request: str, snapshot_due: bool = False) -> None:
        if snapshot_due or request == signals.SNAPSHOT:
            self.snapshot()
        if request == signals.STOP:
            self._stopped = True

    def test_all(self) -> None:
        """Test every test net, on rank 0."""
        for index in range(len(self.test_nets)):
            if not self._stopped:
                self.test(index)

    def test(self, index: int = 0) -> dict[str, list[float]] | None:
        """Average the outputs of test net `index` over its test_iter batches; log and return them.

        Returns
        -------
        dict or None
            Output blob name -> list of mean values; None if a stop was requested meanwhile.
        """
        self.log(before_test_line(self.iteration, index))
        net, batches = self.test_nets[index], self.param.test_iter[index]
        loss = np.float32(0)
        sums: list[NDArray[np.float32]] | None = None
        for _ in range(batches):
            while (request := self.requested()) != signals.NONE:
                self._obey(request)
            if self._stopped:
                self.log("Test interrupted.")
                return None
            with torch.no_grad():
                part, outputs = self._forward(net)
            loss += np.float32(float(part))
            values = [_values(blob) for blob in outputs.values()]
            sums = values if sums is None else [a + b for a, b in zip(sums, values)]
        if self.param.test_compute_loss:
            self.log(f"Test loss: {number(loss / batches)}")
        means = [total / np.float32(batches) for total in sums or []]
        scores = dict(zip(net.outputs, means))
        for line in output_lines("Test net", scores, net.loss_weights):
            self.log(line)
        return {name: values.tolist() for name, values in scores.items()}

    def snapshot(self) -> None:
        """Write the weights, the solver's state and the side file for an exact resume."""
        self._read_losses()
        exact = self.group.gather(self._exact_state())
        if self.group.rank == 0:
            self.last_snapshot = snapshot.write_snapshot(self, exact, self.log)

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Continue from the .solverstate (or .solverstate.h5) at `path`.

        The resume is exact where the side file of this engine is there. From Caffe's own
        snapshots it is as in Caffe: the data start from their beginning.

        Raises
        ------
        WeightsError
            It cannot be read, or belongs to another net or solver.
        """
        path = os.fspath(path)
        found = snapshot.read_snapshot(path, self.updater.history)
        if found.learned_net:
            weights.copy_weights(self.net, found.learned_net, self.log)
        self.iteration, self.current_step = found.iteration, found.current_step
        with torch.no_grad():
            for mine, theirs in zip(self.updater.history, found.history):
                mine.copy_(torch.from_numpy(theirs))
        if found.exact is None or len(found.exact) != self.group.size:
            self.log(
                f"{path}: it has no resume file for this number of solvers: the data start "
                "from the first record"
            )
            return
        exact = found.exact[self.group.rank]
        self.rng.set_state(exact["rng"])
        self._smoothed.state = exact["smoothed_loss"]
        for net, states in zip([self.net, *self.test_nets], exact["data"]):
            for layer, state in zip(net.layers_with_state, states):
                layer.set_state(state)

    def _exact_state(self) -> dict[str, Any]:
        return {
            "rng": self.rng.state,
            "smoothed_loss": self._smoothed.state,
            "data": [
                [layer.state() for layer in net.layers_with_state]
                for net in [self.net, *self.test_nets]
            ],
        }


def _values(blob: torch.Tensor) -> NDArray[np.float32]:
    """Return the elements of an output blob in the order that Caffe prints them."""
    return blob.detach().float().cpu().numpy().reshape(-1)
