"""The steps of a forward pass, and steps that do the work of several layers at once.

What is fused gives the numbers of the layers it replaces; blobs between them do not appear.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Tops
from gcnet_caffe.engine.layers.batch_norm import BatchNorm
from gcnet_caffe.engine.layers.pooling import MaxUnpool, Pooling
from gcnet_caffe.engine.layers.scale import Scale
from gcnet_caffe.engine.loops import has_numba

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
    if not getattr(step.op, "takes_indices", layer.takes_indices):
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
    """Return `steps` with the chains joined that `Joined` describes.

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
    made: dict[int, int] = {}  # any blob -> the same
    for step in steps:
        place = makers.get(step.bottoms[0]) if step.bottoms else None
        joined = None
        if place is not None and all(made.get(n, -1) < place for n in step.bottoms[1:]):
            joined = _joined(fused[place], step)
        if place is None or joined is None:
            place = len(fused)
            fused.append(step)
        else:
            fused[place] = joined
        made.update(dict.fromkeys(step.tops, place))
        if len(step.tops) == 1 and step.tops[0] in inner and not any(step.loss_weights):
            makers[step.tops[0]] = place
    return _with_codes(fused, outputs)


#: Layers whose backward does not need their top, so that a ReLU may overwrite it.
_OVERWRITABLE = ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "Scale", "Bias")


def _joined(step: Step, reader: Step) -> Step | None:
    """Return one step for `step` and the only reader of its top, or None if they stay two."""
    op = step.op if isinstance(step.op, Joined) else Joined(step.layer)
    kind, following = step.layer.layer_type, reader.layer
    if op.last is not None or following.param.propagate_down:
        return None
    if op.relu:
        if kind != "BatchNorm" or not _halves(following):
            return None
        op = replace(op, last=following)
    elif len(reader.bottoms) > 1:
        return None
    elif following.layer_type == "ReLU" and kind in _OVERWRITABLE:
        if following.param.relu_param.negative_slope:
            return None
        op = replace(op, relu=True)
    elif isinstance(following, Scale) and following.is_channel_wise:
        if kind != "BatchNorm" or op.scale is not None:
            return None
        op = replace(op, scale=following)
    else:
        return None
    bottoms = step.bottoms + reader.bottoms[1:]
    return step._replace(bottoms=bottoms, tops=reader.tops, loss_weights=reader.loss_weights, op=op)


def _halves(layer: Layer) -> bool:
    """Whether it is max pooling of windows of 2x2 side by side, or the unpooling of such ones."""
    if isinstance(layer, MaxUnpool) and len(layer.param.bottom) != 2:
        return False
    return (
        isinstance(layer, (Pooling, MaxUnpool))
        and layer.param.pooling_param.pool == layer.param.pooling_param.MAX
        and not layer.param.pooling_param.global_pooling
        and layer.kernel == layer.stride == (2, 2)
        and layer.pad == (0, 0)
    )


def _with_codes(steps: Sequence[Step], outputs: Collection[int]) -> list[Step]:
    """Return `steps` with masks as codes where only unpooling of windows of 2x2 reads them."""
    unpools = [isinstance(_last(step), MaxUnpool) and _halves(_last(step)) for step in steps]
    others = set(outputs)
    for step, reads_codes in zip(steps, unpools):
        others.update(step.bottoms[:1] if reads_codes else step.bottoms)
    found = []
    for step, reads_codes in zip(steps, unpools):
        op = step.op
        if isinstance(op, Joined):
            op = replace(op, codes=len(step.tops) == 2 and step.tops[1] not in others)
        elif reads_codes:
            op = functools.partial(_unpool, step.layer)
        found.append(step._replace(op=op))
    return found


def _last(step: Step) -> Layer:
    """Return the layer that makes the tops of a step."""
    last = step.op.last if isinstance(step.op, Joined) else None
    return last or step.layer


def _chains(blob: torch.Tensor) -> ModuleType | None:
    """Return batch_norm_chains if its loops can run on `blob`."""
    if torch.compiler.is_compiling() or blob.device.type != "cpu" or blob.dim() != 4:
        return None
    suits = (
        blob.dtype in (torch.float32, torch.bfloat16)
        and blob.shape[1] % 16 == 0
        and blob.numel() > 0
        and blob.is_contiguous(memory_format=torch.channels_last)
    )
    if not suits or not has_numba():
        return None
    from gcnet_caffe.engine import batch_norm_chains

    return batch_norm_chains


def _unpool(layer: Layer, pooled: torch.Tensor, mask: torch.Tensor) -> Tops:
    """Run a MaxUnpool whose mask may be codes."""
    if mask.dtype != torch.uint8:
        return layer.forward(pooled, mask)
    chains = _chains(pooled)
    if chains is None or mask.shape != pooled.shape:
        from gcnet_caffe.engine.batch_norm_chains import places

        return layer.forward(pooled, places(mask))
    top: torch.Tensor = chains.Unpooled.apply(pooled, mask)
    return top


@dataclass(frozen=True)
class Joined:
    """A layer, the Scale after it (if it is a BatchNorm), the ReLU after that, and a `last` one.

    The last one is max pooling of windows of 2x2, or the unpooling of such ones, after a BatchNorm
    and a ReLU. On a CPU, channels-last, batch_norm_chains has loops for a BatchNorm and the rest.

    Attributes
    ----------
    codes : bool
        Whether the mask of the pooling may be the codes of those loops.
    """

    layer: Layer
    scale: Scale | None = None
    relu: bool = False
    last: Layer | None = None
    codes: bool = False
    takes_indices = True

    def __call__(self, bottom: torch.Tensor, *masks: torch.Tensor) -> Tops:
        bottom = bottom if bottom.is_floating_point() else bottom.float()
        layer = self.layer
        if isinstance(layer, BatchNorm):
            chains = _chains(bottom) if layer.uses_batch(bottom) else None
            if chains is not None:
                return self._by_loops(chains, layer, bottom, *masks)
            top = layer.normalize(bottom, *self._line)
        else:
            top = layer(bottom)
        return self._after(F.relu_(top) if self.relu else top, *masks)

    @property
    def _line(self) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        return (None, None) if self.scale is None else (self.scale.blob(0), self.scale.bias)

    def _after(self, top: torch.Tensor, *masks: torch.Tensor) -> Tops:
        """Return what the last layer makes of `top`."""
        if self.last is None:
            return top
        return _unpool(self.last, top, *masks) if masks else self.last.forward(top)

    def _by_loops(
        self, chains: Any, layer: BatchNorm, bottom: torch.Tensor, *masks: torch.Tensor
    ) -> Tops:
        run = functools.partial(layer.normalize, bottom, *self._line)
        if isinstance(self.last, Pooling) and not any(size % 2 for size in bottom.shape[2:]):
            top, codes = run(chains.NormalizedPooled.apply)
            mask = codes if self.codes else chains.places(codes)
            return (top, mask) if self.last.num_tops == 2 else top
        if masks and masks[0].dtype == torch.uint8 and masks[0].shape == bottom.shape:
            top = run(functools.partial(_with, chains.NormalizedUnpooled.apply, masks[0]))
            return cast(torch.Tensor, top)
        top = run(functools.partial(_with, chains.Normalized.apply, self.relu))
        return self._after(top, *masks)


def _with(function: Callable[..., Any], extra: object, *arguments: object) -> Any:
    """Call `function` with one argument more."""
    return function(*arguments, extra)


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
