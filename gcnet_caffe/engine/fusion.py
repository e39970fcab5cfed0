"""The steps of a forward pass, and steps that do the work of several layers at once.

What is fused gives the numbers of the layers it replaces; blobs between them do not appear.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Tops
from gcnet_caffe.engine.layers.batch_norm import BatchNorm
from gcnet_caffe.engine.layers.scale import Scale

if TYPE_CHECKING:
    from gcnet_caffe.engine.net import Blobs, Loss


class Step(NamedTuple):
    """One call of a forward pass, which makes blobs (`tops`) of blobs (`bottoms`).

    Attributes
    ----------
    layer : Layer
    bottoms, tops : tuple of int
        Numbers of blobs (see Net.steps).
    loss_weights : tuple of float
        The weight of each top in the loss; empty where the step has no loss.
    op : callable or None
        What is called; None is the layer itself.
    free : tuple of int
        Blobs that no later step reads.
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
    for index, wanted in enumerate(layer.propagate_down):
        if not wanted:
            bottoms[index] = bottoms[index].detach()
    made: Tops = (step.op or layer)(*bottoms)
    made = made if isinstance(made, tuple) else (made,)
    values.update(zip(step.tops, made))
    for number in step.free:
        del values[number]
    return sum(weight * top.sum() for weight, top in zip(step.loss_weights, made) if weight)


def with_lifetimes(steps: Sequence[Step], outputs: Iterable[int]) -> list[Step]:
    """Return `steps` with `free` filled in; `outputs` are read after the last step."""
    read_later = set(outputs)
    found: list[Step] = []
    for step in reversed(steps):
        free = {*step.bottoms, *step.tops} - read_later
        read_later |= free
        found.append(step._replace(free=tuple(free)))
    return found[::-1]


def fuse(steps: Sequence[Step], outputs: Collection[int]) -> list[Step]:
    """Return `steps` with BatchNorm, Scale and ReLU joined, and ReLU in place where it may be.

    Parameters
    ----------
    steps : list of Step
        Nothing fused.
    outputs : collection of int
        Blobs that are read after the last step.
    """
    reads = Counter(number for step in steps for number in step.bottoms)
    inner = {number for number, count in reads.items() if count == 1 and number not in outputs}
    fused: list[Step] = []
    makers: dict[int, int] = {}  # a blob that one step reads -> the place in `fused` of its maker
    for step in steps:
        place = makers.get(step.bottoms[0]) if len(step.bottoms) == 1 else None
        joined = None if place is None else _joined(fused[place], step)
        if place is None or joined is None:
            place = len(fused)
            fused.append(step)
        else:
            fused[place] = joined
        if len(step.tops) == 1 and step.tops[0] in inner and not any(step.loss_weights):
            makers[step.tops[0]] = place
    return fused


#: Layers whose backward does not need their top, so that a ReLU may overwrite it.
_OVERWRITABLE = ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "Scale", "Bias")


def _joined(step: Step, reader: Step) -> Step | None:
    """Return one step for `step` and the only reader of its top, or None if they stay two."""
    op = step.op if isinstance(step.op, Joined) else Joined(step.layer)
    kind, following = step.layer.layer_type, reader.layer
    if op.relu or following.param.propagate_down:
        return None
    if following.layer_type == "ReLU" and kind in _OVERWRITABLE:
        if following.param.relu_param.negative_slope:
            return None
        op = Joined(step.layer, op.scale, relu=True)
    elif isinstance(following, Scale) and following.is_channel_wise:
        if kind != "BatchNorm" or op.scale is not None:
            return None
        op = Joined(step.layer, following)
    else:
        return None
    return step._replace(tops=reader.tops, loss_weights=reader.loss_weights, op=op)


@dataclass(frozen=True)
class Joined:
    """A layer, the Scale after it (if it is a BatchNorm), and the ReLU after that."""

    layer: Layer
    scale: Scale | None = None
    relu: bool = False

    def __call__(self, bottom: torch.Tensor) -> torch.Tensor:
        if self.scale is None:
            top: torch.Tensor = self.layer(bottom)
        else:
            layer = cast(BatchNorm, self.layer)
            top = layer.normalize(bottom, self.scale.blob(0), self.scale.bias)
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

    On a GPU everything that can be compiled is.
    """

    def is_compiled(step: Step) -> bool:
        faster = device.type != "cpu" or step.layer.layer_type not in _OWN_KERNELS
        return step.layer.is_compilable and faster

    return [Segment(list(run), key) for key, run in itertools.groupby(steps, is_compiled)]


def run_steps(steps: Iterable[Step], values: Blobs) -> Loss:
    """Run `steps` on `values`; return their part of the loss."""
    return sum([run_step(step, values) for step in steps], 0.0)


def compiled_segment(segment: Segment, **options: Any) -> Callable[[Blobs], Loss]:
    """Return a function of `values` that does what `run_steps` does, compiled."""
    made = {number for step in segment.steps for number in step.tops}
    inputs = sorted({n for step in segment.steps for n in step.bottoms} - made)
    freed = {number for step in segment.steps for number in step.free}
    outputs = sorted(made - freed)

    def pure(*tensors: torch.Tensor) -> tuple[Loss, list[torch.Tensor]]:
        values = dict(zip(inputs, tensors))
        loss = run_steps([step._replace(free=()) for step in segment.steps], values)
        return loss, [values[number] for number in outputs]

    function = torch.compile(pure, dynamic=False, **options)

    def run(values: Blobs) -> Loss:
        loss, tensors = function(*[values[number] for number in inputs])
        for number in freed - made:
            del values[number]
        values.update(zip(outputs, tensors))
        return loss

    return run
