"""How long each layer of a net takes, as `caffe time` shows it (Caffe tools/caffe.cpp, time)."""

import time

import torch

from gcnet_caffe.engine import fusion


def time_net(net, iterations, log, device):
    """Run `net` forward and backward `iterations` times and log where the time goes.

    The lines of the layers are measured one layer at a time, so that nothing is fused between
    them; the last lines are the net as it trains.
    """
    forward, backward = _Clock(device), _Clock(device)
    batch = net.next_batch()
    log("Performing Forward")
    loss, _ = net.run(batch)
    log(f"Initial loss: {float(torch.as_tensor(loss).detach()):.6g}")
    log("Performing Backward")
    _backward(loss)
    log("*** Benchmark begins ***")
    log(f"Testing for {iterations} iterations.")
    for _ in range(iterations):
        _layer_by_layer(net, net.next_batch(), forward, backward)
    log("Average time per layer: ")
    for step in net.steps:
        name = step.layer.name
        log(f"{name:>10}\tforward: {forward.milliseconds(name, iterations):.6g} ms.")
        log(f"{name:>10}\tbackward: {backward.milliseconds(name, iterations):.6g} ms.")
    passes = {"Forward pass": 0.0, "Backward pass": 0.0}
    for index in range(iterations):
        with forward.measure(None):
            loss, _ = net.run(net.next_batch())
        with backward.measure(None):
            _backward(loss)
        spent = forward.last + backward.last
        log(f"Iteration: {index + 1} forward-backward time: {spent * 1e3:.6g} ms.")
        passes["Forward pass"] += forward.last * 1e3
        passes["Backward pass"] += backward.last * 1e3
    for name, spent in passes.items():
        log(f"Average {name}: {spent / iterations:.6g} ms.")
    total = sum(passes.values())
    log(f"Average Forward-Backward: {total / iterations:.6g} ms.")
    log(f"Total Time: {total:.6g} ms.")
    log("*** Benchmark ends ***")


def _backward(loss):
    if torch.is_tensor(loss) and loss.requires_grad:
        loss.backward()


def _layer_by_layer(net, batch, forward, backward):
    """Each layer on copies of its bottoms that end the graph; then back, layer by layer."""
    values, ran = dict(batch), []
    for step in net.steps:
        if step.layer.is_source:
            continue
        bottoms = [_leaf(values[number]) for number in step.bottoms]
        local = dict(zip(step.bottoms, bottoms))
        with forward.measure(step.layer.name):
            part = fusion.run_step(step, local)
        tops = [local[number] for number in step.tops]
        values.update(zip(step.tops, tops))
        ran.append((step, bottoms, tops, part))
    gradients = {}
    for step, bottoms, tops, part in reversed(ran):
        roots, seeds = [], []
        for number, top in zip(step.tops, tops):
            if top.requires_grad and gradients.get(number) is not None:
                roots.append(top)
                seeds.append(gradients[number])
        if torch.is_tensor(part) and part.requires_grad:
            roots.append(part)
            seeds.append(torch.ones_like(part))
        with backward.measure(step.layer.name):
            if roots:
                torch.autograd.backward(roots, seeds)
        for number, bottom in zip(step.bottoms, bottoms):
            if bottom.grad is not None:
                known = gradients.get(number)
                gradients[number] = bottom.grad if known is None else known + bottom.grad


def _leaf(tensor):
    leaf = tensor.detach()
    return leaf.requires_grad_() if tensor.requires_grad else leaf


class _Clock:
    """Adds up seconds by name; waits for the device on both sides."""

    def __init__(self, device):
        self._wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
        self._spent = {}
        self.last = 0.0

    def milliseconds(self, name, iterations):
        """Return the mean over `iterations`; layers that did not run took nothing."""
        return self._spent.get(name, 0.0) / iterations * 1e3

    def measure(self, name):
        """Context manager: add what its block takes to `name`."""
        return _Measure(self, name)

    def _add(self, name, seconds):
        self.last = seconds
        self._spent[name] = self._spent.get(name, 0.0) + seconds


class _Measure:
    def __init__(self, clock, name):
        self._clock, self._name = clock, name

    def __enter__(self):
        self._clock._wait()
        self._start = time.perf_counter()

    def __exit__(self, *_):
        self._clock._wait()
        self._clock._add(self._name, time.perf_counter() - self._start)
