"""Two solvers in turns: a discriminator and the generator that it judges.

An iteration is one of the discriminator's solver, then one of the generator's, each as it would be
alone: its own batch, forward, backward and update. Layers of the same name are the same in both
nets. What one of the solvers learns (lr_mult above 0) the other only uses.

In real Caffe the same are two pycaffe solvers, `share_with` and `step(1)` in turns: see
tools/train_adversarial.py.
"""

import torch
from torch import nn

from gcnet_caffe.engine import signals
from gcnet_caffe.engine.sharing import share_trained_layers
from gcnet_caffe.errors import NetError, WeightsError


class Alternation:
    """Trains with two solvers.

    Parameters
    ----------
    discriminator, generator : Solver
        Made in this order, the second with the random numbers of the first, as in Caffe, where one
        generator of random numbers serves all. What both nets have starts as the discriminator's.
    requested : callable, optional
        As a Solver's: asked once an iteration, when both are at the same one.

    Raises
    ------
    NetError
        No layer is in both nets, both learn the same blob, or max_iter differs.
    WeightsError
        A layer of both has other blobs.
    """

    def __init__(self, discriminator, generator, requested=None):
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

    @property
    def iteration(self):
        """How many updates both have had."""
        return min(solver.iteration for solver in self.solvers)

    def restore(self, discriminator, generator):
        """Continue from a .solverstate of each, of the same iteration."""
        for solver, path in zip(self.solvers, (discriminator, generator)):
            solver.restore(path)
        numbers = [solver.iteration for solver in self.solvers]
        if numbers[0] != numbers[1]:
            raise WeightsError(
                f"{generator}: of iteration {numbers[1]}, and {discriminator} of {numbers[0]}; "
                "wanted the same"
            )

    def solve(self):
        """Train to max_iter; a request to stop leaves snapshots of both."""
        for solver in self.solvers:
            solver.log(f"Solving {solver.net.name}")
            solver.log(f"Learning Rate Policy: {solver.param.lr_policy}")
        stopped = self.step(self.solvers[1].param.max_iter - self.iteration)
        for solver in self.solvers:
            solver.finish(stopped)

    def step(self, iterations):
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


def _share(discriminator, generator):
    """Make the layers of the same names one."""
    layers = {layer.name: layer for layer in generator.layers if layer.blobs}
    learned = [_learned(net) for net in (discriminator, generator)]
    common = [layer for layer in discriminator.layers if layer.name in layers and layer.blobs]
    if not common:
        raise NetError(
            f"{discriminator.origin}: no layer with blobs has the name of one of "
            f"{generator.origin}; the two solvers would not know of each other"
        )
    for theirs in common:
        mine = layers[theirs.name]
        if mine.blob_shapes != theirs.blob_shapes:
            raise WeightsError(
                f"{generator.origin}: layer {mine.name!r}: blobs of shapes {mine.blob_shapes}, "
                f"and {discriminator.origin} has {theirs.blob_shapes}"
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
                _use(discriminator, theirs, index, blob)
            else:
                _use(generator, mine, index, other)


def _learned(net):
    return {id(learnable.param) for learnable in net.learnable if learnable.lr_mult}


def _use(net, layer, index, blob):
    """Let `layer` of `net` have the memory of `blob`, without a gradient: each net has its own."""
    before, used = layer.blobs[index], nn.Parameter(blob.detach(), requires_grad=False)
    layer.blobs[index] = used
    for learnable in net.learnable:
        if learnable.param is before:
            learnable.param = used
