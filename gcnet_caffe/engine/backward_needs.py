"""What Caffe's backward pass computes of a net. Source: Caffe src/caffe/net.cpp, Init."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers import Layer
    from gcnet_caffe.engine.net import Net


class Needs(NamedTuple):
    """What the backward pass computes of one layer.

    Attributes
    ----------
    layer : bool
        Whether it runs the layer (layer_need_backward).
    bottoms : list of bool
        Which bottoms get a gradient (bottom_need_backward).
    """

    layer: bool
    bottoms: list[bool]


def backward_needs(net: Net) -> list[Needs]:
    """Return the `Needs` of each step of `net`.

    A layer is run that has something to learn, itself or before it, and that a loss depends on.
    With force_backward every layer is.
    """
    flags: list[list[bool]] = []
    learns: list[bool] = []
    moving: set[int] = set()
    for step in net.steps:
        param = step.layer.param
        reached = [number in moving for number in step.bottoms]
        without_spec = len(step.layer.blobs) > len(param.param)  # their lr_mult is 1
        learned = without_spec or any(spec.lr_mult for spec in param.param)
        learns.append(any(reached) or learned)
        flags.append(list(param.propagate_down) or reached)
        if learns[-1]:
            moving.update(step.tops)
    under_loss: set[int] = set()
    read: set[int] = set()
    wanted: set[int] = set()
    for index, step in reversed(list(enumerate(net.steps))):
        contributes = any(step.loss_weights) or not under_loss.isdisjoint(step.tops)
        skipped = all(number in read and number not in wanted for number in step.tops)
        if not contributes or (learns[index] and skipped):
            learns[index], flags[index] = False, [False] * len(flags[index])
        under_loss.update(step.bottoms if contributes else ())
        read.update(step.bottoms)
        wanted.update(n for n, is_wanted in zip(step.bottoms, flags[index]) if is_wanted)
    if net.force_backward:
        forced = ([a or b for a, b in zip(f, _forced(s.layer))] for s, f in zip(net.steps, flags))
        return [Needs(True, bottoms) for bottoms in forced]
    return [Needs(layer, bottoms) for layer, bottoms in zip(learns, flags)]


#: Which bottom of a layer says where sequences begin.
_CONT = {"LSTM": 1, "LSTMUnit": 2, "RNN": 1}


def _forced(layer: Layer) -> list[bool]:
    """Which bottoms `force_backward` reaches: all but labels and such (AllowForceBackward)."""
    kind, without = layer.param.type, _CONT.get(layer.param.type)
    if layer.is_loss and kind != "EuclideanLoss":
        without = layer.bottoms[0] - 1
    return [index != without for index in range(len(layer.param.bottom))]
