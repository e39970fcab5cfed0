"""Two solvers in turns: a discriminator and the generator that it judges.

An iteration is one iteration of the discriminator's solver, then one of the generator's. Each has
its own batch, forward pass, backward pass and update, as when it trains alone. Layers of the same
name are the same in both nets. What one solver learns (lr_mult above 0) the other only uses.

Real Caffe does the same with two pycaffe solvers, `share_with` and `step(1)` in turns: see
gcnet_caffe/real_caffe/two_players.py, which runs on gcnet_caffe.pycaffe, too, and trains the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from gcnet_caffe.engine import signals
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.sharing import share_trained_layers
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import NetError, WeightsError
from gcnet_caffe.formats.snapshots import check_one_iteration


class Alternation:
    """Trains with two solvers.

    Parameters
    ----------
    discriminator, generator : Solver
        Made in this order, the second with the random numbers of the first: in Caffe one stream of
        random numbers serves all. What both nets have starts with the discriminator's numbers.
    requested : callable, optional
        As a Solver's. It is called once per iteration, when both are at the same iteration.

    Attributes
    ----------
    solvers : tuple of Solver
        The discriminator's and the generator's.

    Raises
    ------
    NetError
        No layer is in both nets, both learn the same blob, or max_iter differs.
    WeightsError
        A layer of both has other blobs.
    """

    def __init__(
        self,
        discriminator: Solver,
        generator: Solver,
        requested: Callable[[], str] | None = None,
    ) -> None:
        self.solvers = (discriminator, generator)
        self._requested = requested or (lambda: signals.NONE)
        iterations = [solver.param.max_iter for solver in self.solvers]
        if iterations[0] != iterations[1]:
            raise NetError(
                f"{discriminator.origin}: max_iter: found {iterations[0]}, and "
                f"{generator.origin} has {iterations[1]}; wanted the same"
            )
        _share(discriminator.net, generator.net)
        for solver in self.solvers:
            for net in solver.test_nets:
                share_trained_layers(net, solver.net)

    def restore(
        self, discriminator: str | os.PathLike[str], generator: str | os.PathLike[str]
    ) -> None:
        """Continue from a .solverstate of each.

        Parameters
        ----------
        discriminator, generator : path
            As `Solver.restore` takes them.

        Raises
        ------
        WeightsError
            They cannot be read, do not fit, or are of different iterations.
        """
        for solver, path in zip(self.solvers, (discriminator, generator)):
            solver.restore(path)
        check_one_iteration(
            {path: s.iteration for path, s in zip((discriminator, generator), self.solvers)}
        )

    def solve(self) -> None:
        """Train to max_iter; a request to stop leaves snapshots of both."""
        for solver in self.solvers:
            solver.log(f"Solving {solver.net.name}")
            solver.log(f"Learning Rate Policy: {solver.param.lr_policy}")
        stopped = self.step(self.solvers[0].param.max_iter - self.solvers[0].iteration)
        for solver in self.solvers:
            solver.finish(stopped)

    def step(self, iterations: int) -> bool:
        """Do up to `iterations` of both; return whether a request to stop has come."""
        for solver in self.solvers:
            solver.begin()
        for _ in range(iterations):
            for solver in self.solvers:
                solver.advance()
            request = self._requested()
            if request == signals.SNAPSHOT:
                for solver in self.solvers:
                    solver.snapshot()
            if request == signals.STOP:
                return True
        return False


def _share(discriminator: Net, generator: Net) -> None:
    """Let the layers of the same names have the same memory; each net has its own gradients."""
    layers = {layer.name: layer for layer in generator.layers if layer.blobs}
    learned = [_learned(net) for net in (discriminator, generator)]
    common = [layer for layer in discriminator.layers if layer.name in layers and layer.blobs]
    if not common:
        raise NetError(
            f"{discriminator.origin}: no layer with blobs has the name of one of "
            f"{generator.origin}; wanted at least one that both solvers share"
        )
    for theirs in common:
        mine = layers[theirs.name]
        if mine.blob_shapes != theirs.blob_shapes:
            raise WeightsError(
                f"{generator.origin}: layer {mine.name!r}: found blobs of shapes "
                f"{mine.blob_shapes}, wanted {theirs.blob_shapes} as in {discriminator.origin}"
            )
        for index, (blob, other) in enumerate(zip(mine.blobs, theirs.blobs)):
            in_generator, in_discriminator = id(blob) in learned[1], id(other) in learned[0]
            if in_generator and in_discriminator:
                raise NetError(
                    f"{generator.origin}: layer {mine.name!r}: blob {index} is learned here and in "
                    f"{discriminator.origin}; wanted lr_mult 0 in one of them"
                )
            with torch.no_grad():
                blob.copy_(other)
            if in_generator:
                other.data = blob.data
            else:
                blob.data = other.data


def _learned(net: Net) -> set[int]:
    return {id(learnable.param) for learnable in net.learnable if learnable.lr_mult}
