"""What a rule is, and how autograd runs one.

A rule takes a layer and its bottoms as arrays. It returns the top, and a function that takes the
gradient of the top and returns those of the bottoms. It adds the gradients of the blobs to those
that they have so far, as Caffe does: image by image, and layer by layer where several share a blob.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np
import torch

from gcnet_caffe.engine.caffe_order.blas import Array

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer, Tops

#: What a rule gives: a loss is one number.
Top = Union[Array, np.float32]
#: Gradient of the top -> gradients of the bottoms; None where a bottom has none.
Back = Callable[[Array], Sequence[Optional[Array]]]
#: (layer, bottoms...) -> (top, back)
Rule = Callable[..., tuple[Top, Back]]


class Ruled:
    """The op of a step: `rule` in place of the layer's own forward and backward."""

    def __init__(self, layer: Layer, rule: Rule) -> None:
        self.layer, self.rule = layer, rule

    def __call__(self, *bottoms: torch.Tensor) -> torch.Tensor:
        blobs = self.layer.blobs
        top: torch.Tensor = _Call.apply(self.rule, self.layer, len(bottoms), *bottoms, *blobs)
        return top


class _Call(torch.autograd.Function):
    """Runs a rule. The blobs are inputs only so that the backward pass comes here."""

    @staticmethod
    def forward(
        ctx: Any, rule: Rule, layer: Layer, count: int, *tensors: torch.Tensor
    ) -> torch.Tensor:
        bottoms = [tensor.detach().contiguous().numpy() for tensor in tensors[:count]]
        top, ctx.back = rule(layer, *bottoms)
        ctx.blobs = len(tensors) - count
        return torch.from_numpy(np.asarray(top))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        found = ctx.back(gradient.contiguous().numpy())
        pairs = zip(found, ctx.needs_input_grad[3:])
        found = [
            torch.from_numpy(one) if wanted and one is not None else None for one, wanted in pairs
        ]
        return (None, None, None, *found, *[None] * ctx.blobs)


class Splitting:
    """An op that returns its top `index` `count` more times, once for each reader."""

    def __init__(self, op: Callable[..., Tops], index: int, count: int) -> None:
        self.op, self.index, self.count = op, index, count

    def __call__(self, *bottoms: torch.Tensor) -> tuple[torch.Tensor, ...]:
        made = self.op(*bottoms)
        made = made if isinstance(made, tuple) else (made,)
        return (*made, *_Copies.apply(made[self.index], self.count))


class _Copies(torch.autograd.Function):
    """Caffe's Split, whose gradient is the sum of the copies' from the first to the last."""

    @staticmethod
    def forward(ctx: Any, bottom: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        ctx.set_materialize_grads(False)
        return tuple(bottom.view_as(bottom) for _ in range(count))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> Any:
        given = [gradient for gradient in gradients if gradient is not None]
        return sum(given[1:], given[0]), None


def values(layer: Layer, index: int) -> Array:
    """Return blob `index` as an array of its memory."""
    return layer.blob(index).detach().numpy()


def gradient_of(layer: Layer, index: int) -> Array | None:
    """Return the gradient that blob `index` has so far, an array to be added to.

    None if there is no such blob or it does not learn.
    """
    if index >= len(layer.blobs) or not layer.blobs[index].requires_grad:
        return None
    blob = layer.blobs[index]
    if blob.grad is None:
        blob.grad = torch.zeros_like(blob, memory_format=torch.contiguous_format)
    found: Array = blob.grad.numpy().reshape(layer.blob_shapes[index])
    return found
