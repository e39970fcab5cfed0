"""The steps of a forward pass, and steps that do the work of several layers at once.

What is fused gives the numbers of the layers it replaces; blobs between them do not appear.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F


class Step(NamedTuple):
    """One call: `op` (the layer itself where nothing is fused) on blobs, making blobs.

    `free` are the blobs that no later step reads.
    """

    layer: Any
    bottoms: tuple
    tops: tuple
    loss_weights: tuple = ()
    op: Any = None
    free: tuple = ()


def run_step(step, values):
    """Run `step` on `values` ({blob number: tensor}), add its tops, return its part of the loss."""
    layer = step.layer
    bottoms = [values[number] for number in step.bottoms]
    if not layer.takes_indices:
        bottoms = [bottom if bottom.is_floating_point() else bottom.float() for bottom in bottoms]
    for index, wanted in enumerate(layer.param.propagate_down):
        if not wanted:
            bottoms[index] = bottoms[index].detach()
    made = (step.op or layer)(*bottoms)
    made = made if isinstance(made, tuple) else (made,)
    values.update(zip(step.tops, made))
    for number in step.free:
        del values[number]
    return sum(weight * top.sum() for weight, top in zip(step.loss_weights, made) if weight)


def with_lifetimes(steps, outputs):
    """Return `steps` with `free` filled in; `outputs` are read after the last step."""
    last = {}
    for index, step in enumerate(steps):
        last.update(dict.fromkeys(step.bottoms + step.tops, index))
    for number in outputs:
        last.pop(number, None)
    free = [[] for _ in steps]
    for number, index in last.items():
        free[index].append(number)
    return [step._replace(free=tuple(numbers)) for step, numbers in zip(steps, free)]


def fuse(steps, outputs):
    """Return `steps` with BatchNorm, Scale and ReLU joined, and ReLU in place where it may be."""
    readers = {}
    for step in steps:
        for number in step.bottoms:
            readers.setdefault(number, []).append(step)
    fused, done = [], set()
    for step in steps:
        if id(step) in done:
            continue
        chain = _chain(step, readers, outputs)
        done.update(map(id, chain))
        fused.append(_joined(chain))
    return fused


#: Layers whose backward does not need their top, so that a ReLU may overwrite it.
_OVERWRITABLE = ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "Scale", "Bias")


def _chain(step, readers, outputs):
    """Return `step` and the steps that can be done together with it."""
    chain = [step]
    following = _only_reader(step, readers, outputs)
    if step.layer.layer_type == "BatchNorm" and following and _is_channel_scale(following):
        chain.append(following)
        following = _only_reader(following, readers, outputs)
    if chain[-1].layer.layer_type in _OVERWRITABLE and following and _is_plain_relu(following):
        chain.append(following)
    return chain


def _only_reader(step, readers, outputs):
    """Return the step that alone reads the one top of `step`, or None."""
    top = step.tops[0] if len(step.tops) == 1 else None
    found = readers.get(top, [])
    if len(found) != 1 or top in outputs or any(step.loss_weights):
        return None
    return found[0] if found[0].bottoms == (top,) else None


def _is_channel_scale(step):
    layer = step.layer
    return layer.layer_type == "Scale" and layer.is_channel_wise and not layer.param.propagate_down


def _is_plain_relu(step):
    param = step.layer.param
    return param.type == "ReLU" and not param.relu_param.negative_slope and not param.propagate_down


def _joined(chain):
    first, last = chain[0], chain[-1]
    if len(chain) == 1:
        return first
    relu = last.layer.layer_type == "ReLU"
    scale = (
        chain[1].layer if chain[1].layer.layer_type == "Scale" and first is not chain[1] else None
    )
    return Step(
        first.layer, first.bottoms, last.tops, last.loss_weights, Joined(first.layer, scale, relu)
    )


class Joined:
    """A layer, the Scale after it (if it is a BatchNorm), and the ReLU after that."""

    def __init__(self, layer, scale, relu):
        self.layer, self.scale, self.relu = layer, scale, relu

    def __call__(self, bottom):
        if self.scale is None:
            top = self.layer(bottom)
        else:
            bias = self.scale.blob(1) if len(self.scale.blobs) > 1 else None
            top = self.layer.normalize(bottom, self.scale.blob(0), bias)
        return F.relu_(top) if self.relu else top


#: Layers whose own kernels are faster on a CPU than what torch.compile makes of them.
_OWN_KERNELS = (
    "BatchNorm",
    "Convolution",
    "Deconvolution",
    "EuclideanLoss",
    "Flatten",
    "InnerProduct",
    "MaxUnpool",
    "Pooling",
    "Slice",
)


class Segment(NamedTuple):
    """Steps that run one after the other, compiled together or as they are."""

    steps: list
    compiled: bool


def segments(steps, device):
    """Cut `steps` into runs that torch.compile is good for and runs that it is not.

    On a GPU everything is one run.
    """
    found = []
    for step in steps:
        compiled = device.type != "cpu" or step.layer.layer_type not in _OWN_KERNELS
        if not found or found[-1].compiled != compiled:
            found.append(Segment([], compiled))
        found[-1].steps.append(step)
    return found


def run_steps(steps, values):
    """Run `steps` on `values`; return their part of the loss."""
    loss = 0.0
    for step in steps:
        loss = loss + run_step(step, values)
    return loss


def compiled_segment(segment, **options):
    """Return a function of `values` that does what `run_steps` does, compiled."""
    made = {number for step in segment.steps for number in step.tops}
    inputs = sorted({n for step in segment.steps for n in step.bottoms} - made)
    freed = {number for step in segment.steps for number in step.free}
    outputs = sorted(made - freed)

    def pure(*tensors):
        values = dict(zip(inputs, tensors))
        steps = [step._replace(free=()) for step in segment.steps]
        loss = run_steps(steps, values)
        return loss, [values[number] for number in outputs]

    function = torch.compile(pure, dynamic=False, **options)

    def run(values):
        loss, tensors = function(*[values[number] for number in inputs])
        for number in freed - made:
            del values[number]
        values.update(zip(outputs, tensors))
        return loss

    return run
