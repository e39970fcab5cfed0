"""The steps of a forward pass, and steps that do the work of several layers at once.

What is fused gives the numbers of the layers it replaces; blobs between them do not appear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Tops
from gcnet_caffe.engine.layers.batch_norm import BatchNorm
from gcnet_caffe.engine.layers.scale import Scale

if TYPE_CHECKING:
    from gcnet_caffe.engine.net import Blobs, Loss


class Step(NamedTuple):
    """One call: `op` (the layer itself where it is None) on blobs, making blobs.

    Blobs are numbers, see Net.steps.

    `free` are the blobs that no later step reads.
    """

    layer: Layer
    bottoms: tuple[int, ...]
    tops: tuple[int, ...]
    loss_weights: tuple[float, ...] = ()
    op: Callable[..., Tops] | None = None
    free: tuple[int, ...] = ()


def run_step(step: Step, values: Blobs) -> Loss:
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


def with_lifetimes(steps: Sequence[Step], outputs: Iterable[int]) -> list[Step]:
    """Return `steps` with `free` filled in; `outputs` are read after the last step."""
    last: dict[int, int] = {}
    for index, step in enumerate(steps):
        last.update(dict.fromkeys(step.bottoms + step.tops, index))
    for number in outputs:
        last.pop(number, None)
    free: list[list[int]] = [[] for _ in steps]
    for number, index in last.items():
        free[index].append(number)
    return [step._replace(free=tuple(numbers)) for step, numbers in zip(steps, free)]


#: Number of a blob -> the steps that read it.
_Readers = dict[int, list[Step]]


def fuse(steps: Sequence[Step], outputs: Collection[int]) -> list[Step]:
    """Return `steps` with BatchNorm, Scale and ReLU joined, and ReLU in place where it may be."""
    readers: _Readers = {}
    for step in steps:
        for number in step.bottoms:
            readers.setdefault(number, []).append(step)
    fused: list[Step] = []
    done: set[int] = set()
    for step in steps:
        if id(step) in done:
            continue
        chain = _chain(step, readers, outputs)
        done.update(map(id, chain))
        fused.append(_joined(chain))
    return fused


#: Layers whose backward does not need their top, so that a ReLU may overwrite it.
_OVERWRITABLE = ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "Scale", "Bias")


def _chain(step: Step, readers: _Readers, outputs: Collection[int]) -> list[Step]:
    """Return `step` and the steps that can be done together with it."""
    chain = [step]
    following = _only_reader(step, readers, outputs)
    if step.layer.layer_type == "BatchNorm" and following and _is_channel_scale(following):
        chain.append(following)
        following = _only_reader(following, readers, outputs)
    if chain[-1].layer.layer_type in _OVERWRITABLE and following and _is_plain_relu(following):
        chain.append(following)
    return chain


def _only_reader(step: Step, readers: _Readers, outputs: Collection[int]) -> Step | None:
    """Return the step that alone reads the one top of `step`, or None."""
    if len(step.tops) != 1 or any(step.loss_weights):
        return None
    top = step.tops[0]
    found = readers.get(top, [])
    if len(found) != 1 or top in outputs:
        return None
    return found[0] if found[0].bottoms == (top,) else None


def _is_channel_scale(step: Step) -> bool:
    layer = step.layer
    return isinstance(layer, Scale) and layer.is_channel_wise and not layer.param.propagate_down


def _is_plain_relu(step: Step) -> bool:
    param = step.layer.param
    return param.type == "ReLU" and not param.relu_param.negative_slope and not param.propagate_down


def _joined(chain: Sequence[Step]) -> Step:
    first, last = chain[0], chain[-1]
    if len(chain) == 1:
        return first
    relu = last.layer.layer_type == "ReLU"
    second = chain[1].layer
    scale = second if isinstance(second, Scale) else None
    return Step(
        first.layer, first.bottoms, last.tops, last.loss_weights, Joined(first.layer, scale, relu)
    )


class Joined:
    """A layer, the Scale after it (if it is a BatchNorm), and the ReLU after that."""

    def __init__(self, layer: Layer, scale: Scale | None, relu: bool) -> None:
        self.layer, self.scale, self.relu = layer, scale, relu

    def __call__(self, bottom: torch.Tensor) -> torch.Tensor:
        if self.scale is None:
            top: torch.Tensor = self.layer(bottom)
        else:
            bias = self.scale.blob(1) if len(self.scale.blobs) > 1 else None
            top = cast(BatchNorm, self.layer).normalize(bottom, self.scale.blob(0), bias)
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

    steps: list[Step]
    compiled: bool


def segments(steps: Iterable[Step], device: torch.device) -> list[Segment]:
    """Cut `steps` into runs that torch.compile makes faster and runs that it does not.

    On a GPU everything is one run.
    """
    found: list[Segment] = []
    for step in steps:
        compiled = device.type != "cpu" or step.layer.layer_type not in _OWN_KERNELS
        if not found or found[-1].compiled != compiled:
            found.append(Segment([], compiled))
        found[-1].steps.append(step)
    return found


def run_steps(steps: Iterable[Step], values: Blobs) -> Loss:
    """Run `steps` on `values`; return their part of the loss."""
    loss: Loss = 0.0
    for step in steps:
        loss = loss + run_step(step, values)
    return loss


def compiled_segment(segment: Segment, **options: Any) -> Callable[[Blobs], Loss]:
    """Return a function of `values` that does what `run_steps` does, compiled."""
    made = {number for step in segment.steps for number in step.tops}
    inputs = sorted({n for step in segment.steps for n in step.bottoms} - made)
    freed = {number for step in segment.steps for number in step.free}
    outputs = sorted(made - freed)

    def pure(*tensors: torch.Tensor) -> tuple[Loss, list[torch.Tensor]]:
        values = dict(zip(inputs, tensors))
        steps = [step._replace(free=()) for step in segment.steps]
        loss = run_steps(steps, values)
        return loss, [values[number] for number in outputs]

    function = torch.compile(pure, dynamic=False, **options)

    def run(values: Blobs) -> Loss:
        loss, tensors = function(*[values[number] for number in inputs])
        for number in freed - made:
            del values[number]
        values.update(zip(outputs, tensors))
        return loss

    return run
