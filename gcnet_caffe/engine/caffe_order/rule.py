"""What a rule is, and how autograd runs one.

A rule takes a layer and its bottoms as arrays. It returns the top (or a tuple of the tops), and a
function that takes the gradient of each top and returns those of the bottoms. It adds the gradients
of the blobs to those that they have so far, as Caffe does: image by image, and layer by layer where
several share a blob.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.caffe_order.blas import Array

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer, Tops

#: What a rule gives: a loss is one number.
Top = Union[Array, np.float32, tuple[Union[Array, np.float32], ...]]
#: The gradient of a bottom, or what computes it where it is wanted; None where a bottom has none.
Found = Union[Array, Callable[[], Array], None]
#: Gradient of each top -> gradients of the bottoms.
Back = Callable[..., Sequence[Found]]
#: (layer, bottoms...) -> (top, back)
Rule = Callable[..., tuple[Top, Back]]


class Ruled:
    """The op of a step: `rule` in place of the layer's own forward and backward."""

    def __init__(self, layer: Layer, rule: Rule) -> None:
        self.layer, self.rule = layer, rule

    def __call__(self, *bottoms: torch.Tensor) -> Tops:
        blobs = self.layer.blobs
        tops: Tops = _Call.apply(self.rule, self.layer, len(bottoms), *bottoms, *blobs)
        return tops


class _Call(torch.autograd.Function):
    """Runs a rule. The blobs are inputs only so that the backward pass comes here."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, layer: Layer, count: int, *tensors: torch.Tensor) -> Tops:
        bottoms = [tensor.detach().contiguous().numpy() for tensor in tensors[:count]]
        top, ctx.back = rule(layer, *bottoms)
        ctx.blobs = len(tensors) - count
        tops = [
            torch.from_numpy(np.asarray(one)) for one in (top if isinstance(top, tuple) else (top,))
        ]
        ctx.mark_non_differentiable(*(one for one in tops if not one.is_floating_point()))
        return tuple(tops) if len(tops) > 1 else tops[0]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        found = ctx.back(*(gradient.contiguous().numpy() for gradient in gradients))
        made = [
            torch.from_numpy(gradient_found(one)) if wanted and one is not None else None
            for one, wanted in zip(found, ctx.needs_input_grad[3:])
        ]
        return (None, None, None, *made, *[None] * ctx.blobs)


def gradient_found(found: Array | Callable[[], Array]) -> Array:
    """Return the gradient of a bottom that a rule has found, or that it computes now."""
    return found() if callable(found) else found


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


def by_torch(layer: Layer, bottom: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Return what `layer` itself makes of its bottom, and what gives the gradient of that."""
    with torch.enable_grad():
        given = torch.from_numpy(bottom).requires_grad_()
        top = cast(torch.Tensor, layer(given))

    def back(gradient: Array) -> Array:
        (found,) = torch.autograd.grad(top, given, torch.from_numpy(gradient))
        made: Array = found.numpy()
        return made

    return top.detach().numpy(), back


def numbered(layer: Layer, given: Array, count: int) -> NDArray[np.int64]:
    """Return `given` as whole numbers, each the number of one of `count` things.

    Raises
    ------
    NetError
        A number is negative or too large.
    """
    found = given.astype(np.int64)
    wrong = found[(found < 0) | (found >= count)]
    layer.check(not wrong.size, f"found {wrong[:1].tolist()}, wanted 0 to {count - 1}")
    return found


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
