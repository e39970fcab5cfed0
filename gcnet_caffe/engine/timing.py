"""How long each layer of a net takes, as `caffe time` shows it (Caffe tools/caffe.cpp, time).

The backward of every layer is run, in any phase, with a loss or without: to the layer's own blobs,
and to those bottoms that Caffe's net says (bottom_need_backward).
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import torch

from gcnet_caffe.engine.backward_needs import backward_needs
from gcnet_caffe.engine.fusion import Step, run_step
from gcnet_caffe.engine.net import Blobs, Loss, Net


def time_net(net: Net, iterations: int, log: Callable[[str], None], device: torch.device) -> None:
    """Run `net` forward and backward `iterations` times and log how long each layer takes.

    The lines of the layers are measured one layer at a time, so that nothing is fused between
    them; the last lines are the net as it trains. Without a loss to train by, the backward pass is
    the sum of the layers'.

    Parameters
    ----------
    net : Net
    iterations : int
        1 or more.
    log : callable
        Takes each line of `caffe time`; times are in milliseconds.
    device : torch.device
        Where `net` is.
    """
    forward, backward = _Clock(device), _Clock(device)
    batch = net.next_batch()
    log("Performing Forward")
    loss, _ = net.run(batch)
    log(f"Initial loss: {float(torch.as_tensor(loss).detach()):.6g}")
    log("Performing Backward")
    trains = isinstance(loss, torch.Tensor) and loss.requires_grad
    if trains:
        torch.as_tensor(loss).backward()
    _layer_by_layer(net, batch, _Clock(device), _Clock(device))  # the first is slow
    log("*** Benchmark begins ***")
    log(f"Testing for {iterations} iterations.")
    alone = [
        _layer_by_layer(net, net.next_batch(), forward, backward) for _ in range(iterations)
    ]  # seconds
    log("Average time per layer: ")
    for step in net.steps:
        name = step.layer.name
        log(f"{name:>10}\tforward: {forward.milliseconds(name, iterations):.6g} ms.")
        log(f"{name:>10}\tbackward: {backward.milliseconds(name, iterations):.6g} ms.")
    passes = {"Forward pass": 0.0, "Backward pass": 0.0}  # milliseconds
    for index in range(iterations):
        with forward.measure("Forward pass"):
            loss, _ = net.run(net.next_batch())
        spent = [forward.last, alone[index]]
        if trains:
            with backward.measure("Backward pass"):
                torch.as_tensor(loss).backward()
            spent[1] = backward.last
        log(f"Iteration: {index + 1} forward-backward time: {sum(spent) * 1e3:.6g} ms.")
        for name, seconds in zip(passes, spent):
            passes[name] += seconds * 1e3
    passes["Forward-Backward"] = sum(passes.values())
    for name, milliseconds in passes.items():
        log(f"Average {name}: {milliseconds / iterations:.6g} ms.")
    log(f"Total Time: {passes['Forward-Backward']:.6g} ms.")
    log("*** Benchmark ends ***")


def _layer_by_layer(net: Net, batch: Blobs, forward: _Clock, backward: _Clock) -> float:
    """Run each layer on copies of its bottoms that end the graph; then back, layer by layer.

    Where nothing gave a top its gradient, it is zeros, as a blob's diff is in Caffe. Return the
    seconds of all backwards.
    """
    values, spent = dict(batch), 0.0
    ran: list[tuple[Step, list[torch.Tensor], list[torch.Tensor], Loss]] = []
    for step, flags in zip(net.steps, (needs.bottoms for needs in backward_needs(net))):
        if step.layer.is_source:
            continue
        bottoms = [_leaf(values[number], flag) for number, flag in zip(step.bottoms, flags)]
        local = dict(zip(step.bottoms, bottoms))
        with forward.measure(step.layer.name):
            part = run_step(step, local)
        tops = [local[number] for number in step.tops]
        values.update(zip(step.tops, tops))
        ran.append((step, bottoms, tops, part))
    gradients: dict[int, torch.Tensor] = {}
    for step, bottoms, tops, part in reversed(ran):
        seeded = [
            (top, gradients.get(number, torch.zeros_like(top)))
            for number, top in zip(step.tops, tops)
            if top.requires_grad and step.layer.has_backward
        ]
        if isinstance(part, torch.Tensor) and part.requires_grad:
            seeded.append((part, torch.ones_like(part)))
        with backward.measure(step.layer.name):
            if seeded:
                tensors, seeds = zip(*seeded)
                torch.autograd.backward(tensors, seeds)
        spent += backward.last
        for number, bottom in zip(step.bottoms, bottoms):
            if bottom.grad is not None:
                gradients[number] = gradients.get(number, 0) + bottom.grad
    return spent


def _leaf(tensor: torch.Tensor, needs_backward: bool) -> torch.Tensor:
    leaf = tensor.detach()
    return leaf.requires_grad_() if needs_backward and leaf.is_floating_point() else leaf


class _Clock:
    """Adds up seconds by name; waits for the device on both sides."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._spent: defaultdict[str, float] = defaultdict(float)
        self.last = 0.0

    def milliseconds(self, name: str, iterations: int) -> float:
        """Return the mean over `iterations`; layers that did not run took nothing."""
        return self._spent[name] / iterations * 1e3

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to `name`; `last` has them, too."""
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.last = time.perf_counter() - start
        self._spent[name] += self.last

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
