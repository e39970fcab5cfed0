"""Softmax and the losses: source Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import caffe_pb, read_binary
from gcnet_caffe.formats.blobs import blob_from_proto
from gcnet_caffe.formats.labels import label_range

_LOSS = caffe_pb.LossParameter
_TINY = torch.finfo(torch.float32).tiny
#: The least probability of which two losses take the logarithm (kLOG_THRESHOLD).
LEAST = 1e-20


def at_least(values: torch.Tensor, least: float) -> torch.Tensor:
    """Return `values`, those below `least` raised to it; the gradient is that of `values`."""
    return values - values.detach() + values.detach().clamp_min(least)


def ignored_label(param: Any) -> int | None:
    """Return the `ignore_label` of a LossParameter or an AccuracyParameter, if it has one."""
    return param.ignore_label if param.HasField("ignore_label") else None


def counted_labels(label: torch.Tensor, ignored: int | None) -> torch.Tensor:
    """Return where `label` is not the `ignored` one: a bool tensor of its shape."""
    return torch.ones_like(label, dtype=torch.bool) if ignored is None else label != ignored


class Labelled(Layer):
    """A layer of predictions along an axis, and of one class label per prediction."""

    bottoms = (2, 2)

    def read_labels(self, axis: int, shapes: Sequence[Shape], ignoring: Any) -> None:
        """Check the bottoms of `shapes`; `ignoring` is the parameter that has `ignore_label`."""
        self.dim = self.axis(axis, len(shapes[0]))
        found, wanted = math.prod(shapes[1]), math.prod(shapes[0]) // max(shapes[0][self.dim], 1)
        self.check(
            found == wanted,
            f"found {found} labels, wanted {wanted} for predictions of {shapes[0]}",
        )
        self.ignore = ignored_label(ignoring)
        self.label_range = label_range(self.param, shapes[0])


class _Loss(Layer):
    """A layer of two bottoms whose first top is a loss: its weight is 1 by default."""

    bottoms, auto_tops, is_loss = (2, 2), True, True


@register("Softmax")
class Softmax(Layer):
    """top = exp(bottom) / sum of exp(bottom) along `axis`."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.dim = self.axis(self.param.softmax_param.axis, len(shapes[0]))

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return F.softmax(bottom, self.dim)


def normalization_of(param: Any, default: int) -> int:
    """Return the normalization mode of a LossParameter, the old `normalize` included."""
    if param.HasField("normalization") or not param.HasField("normalize"):
        return param.normalization if param.HasField("normalization") else default
    return int(_LOSS.VALID if param.normalize else _LOSS.BATCH_SIZE)


def normalizer(mode: int, valid: torch.Tensor, outer: int, inner: int) -> float | torch.Tensor:
    """Return what a sum of losses is divided by, at least 1 except in mode FULL.

    Parameters
    ----------
    mode : int
        The `normalization` of a LossParameter.
    valid : 0-d tensor
        How many labels are not ignored.
    outer, inner : int
        Sizes before and after the class axis: images, and labels per image.
    """
    divisors: dict[int, float | torch.Tensor] = {
        _LOSS.FULL: float(outer * inner),
        _LOSS.VALID: valid.clamp_min(1),
        _LOSS.BATCH_SIZE: float(max(outer, 1)),
        _LOSS.NONE: 1.0,
    }
    return divisors[mode]


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(_Loss, Labelled):
    """The mean of -log of the labels' probabilities; the second top is the probabilities."""

    tops = (1, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.read_labels(self.param.softmax_param.axis, shapes, self.param.loss_param)
        self.mode = normalization_of(self.param.loss_param, _LOSS.VALID)

    def forward(self, bottom: torch.Tensor, label: torch.Tensor) -> Tops:
        outer, inner = bottom.shape[: self.dim], bottom.shape[self.dim + 1 :]
        label = label.reshape(*outer, *inner).long()
        counted = counted_labels(label, self.ignore).long()
        logs = F.log_softmax(bottom, self.dim)
        safe = (label * counted).unsqueeze(self.dim)
        # Caffe takes the log of at least FLT_MIN
        picked = at_least(logs.gather(self.dim, safe).squeeze(self.dim), math.log(_TINY))
        total = -(picked * counted).sum()
        valid = counted.sum().to(bottom.dtype)
        loss = total / normalizer(self.mode, valid, math.prod(outer), math.prod(inner))
        return (loss, logs.exp()) if self.num_tops == 2 else loss


@register("InfogainLoss")
class InfogainLoss(_Loss, Labelled):
    """The mean of -sum of H[label, l] log(p_l), p = softmax(bottom); the second top is p.

    H is the third bottom, or the matrix in the file `source`.
    """

    bottoms, tops = (2, 3), (1, 2)
    matrix: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, loss = self.param.infogain_loss_param, self.param.loss_param
        self.read_labels(param.axis, shapes, loss)
        self.check(not loss.HasField("normalize"), "normalize: wanted normalization instead")
        self.mode = loss.normalization
        self._classes = shapes[0][self.dim]
        matrix = torch.zeros(()) if len(shapes) == 3 else self._read(param)
        found = math.prod(shapes[2]) if len(shapes) == 3 else matrix.numel()
        self.check(
            found == self._classes**2,
            f"the infogain matrix has {found} numbers, wanted {self._classes} x {self._classes}",
        )
        self.register_buffer("matrix", matrix, persistent=False)

    def _read(self, param: Any) -> torch.Tensor:
        self.check(param.HasField("source"), "source: wanted the file of the infogain matrix")
        try:
            return torch.from_numpy(
                blob_from_proto(read_binary(param.source, caffe_pb.BlobProto)).copy()
            )
        except (GcnetError, ValueError) as error:
            raise self.error(f"source: {error}") from None

    def forward(
        self, bottom: torch.Tensor, label: torch.Tensor, given: torch.Tensor | None = None
    ) -> Tops:
        outer, inner = bottom.shape[: self.dim], bottom.shape[self.dim + 1 :]
        matrix = self.matrix if given is None else given.detach()
        label = label.reshape(*outer, *inner).long()
        counted = counted_labels(label, self.ignore)
        rows = F.embedding(label * counted, matrix.reshape(self._classes, -1))
        rows = rows * counted.unsqueeze(-1)
        logs = F.log_softmax(bottom, self.dim)
        total = -(rows.movedim(-1, self.dim) * at_least(logs, math.log(LEAST))).sum()
        valid = counted.sum().to(bottom.dtype)
        loss = total / normalizer(self.mode, valid, math.prod(outer), math.prod(inner))
        return (loss, logs.exp()) if self.num_tops == 2 else loss


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(_Loss):
    """The mean of -log(p) of the labels; the first bottom holds the probabilities."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(
            shapes[0][:1] and math.prod(shapes[1]) == shapes[0][0],
            f"found labels of {shapes[1]} for predictions of {shapes[0]}",
        )
        self.label_range = label_range(self.param, shapes[0])

    def forward(self, bottom: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        rows = bottom.reshape(len(bottom), -1)
        picked = rows.gather(1, label.reshape(-1, 1).long())
        return -at_least(picked, LEAST).log().sum() / len(rows)


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(_Loss):
    """The sum of -t log(p) - (1 - t) log(1 - p), p = sigmoid(bottom); by default over N."""

    tops = (1, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(
            math.prod(shapes[0]) == math.prod(shapes[1]),
            f"found targets of {shapes[1]} for inputs of {shapes[0]}",
        )
        self.ignore = ignored_label(self.param.loss_param)
        self.mode = normalization_of(self.param.loss_param, _LOSS.BATCH_SIZE)

    def forward(self, bottom: torch.Tensor, target: torch.Tensor) -> Tops:
        target = target.detach().reshape(bottom.shape)  # Caffe gives targets no gradient
        counted = counted_labels(target.trunc(), self.ignore)
        terms = F.binary_cross_entropy_with_logits(bottom, target, reduction="none")
        outer, inner = bottom.shape[0], math.prod(bottom.shape[1:])
        total = torch.where(counted, terms, 0.0).sum()
        loss = total / normalizer(self.mode, counted.sum().to(bottom.dtype), outer, inner)
        return (loss, torch.sigmoid(bottom)) if self.num_tops == 2 else loss


@register("EuclideanLoss")
class EuclideanLoss(_Loss):
    """The sum of squared differences / (2 N)."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(
            math.prod(shapes[0][1:]) == math.prod(shapes[1][1:]) and shapes[0][:1] == shapes[1][:1],
            f"bottoms differ: {shapes[0]} and {shapes[1]}",
        )

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        difference = a - b.reshape(a.shape)
        return (difference * difference).sum() / (2 * a.shape[0])


@register("HingeLoss")
class HingeLoss(_Loss):
    """The sum of max(0, 1 - t * bottom) / N, or of its squares; t is 1 at the label, else -1."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(
            shapes[0][:1] and math.prod(shapes[1]) == shapes[0][0],
            f"found labels of {shapes[1]} for predictions of {shapes[0]}",
        )
        self.label_range = label_range(self.param, shapes[0])

    def forward(self, bottom: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        rows = bottom.reshape(len(bottom), -1)
        right = F.one_hot(label.reshape(-1).long(), rows.shape[1]).to(rows.dtype)
        margins = F.relu(1 + rows * (1 - 2 * right))
        if self.param.hinge_loss_param.norm == caffe_pb.HingeLossParameter.L2:
            margins = margins.square()
        return margins.sum() / rows.shape[0]


class _Contrastive(torch.autograd.Function):
    """Both versions of the contrastive loss with Caffe's gradient, which divides by d + 1e-4."""

    @staticmethod
    def forward(
        ctx: Any,
        a: torch.Tensor,
        b: torch.Tensor,
        similar: torch.Tensor,
        margin: float,
        legacy: bool,
    ) -> torch.Tensor:
        difference = a - b
        squared = difference.square().sum(1)
        distance = squared.sqrt()
        away = margin - (squared if legacy else distance)
        apart = away.clamp_min(0)
        loss = torch.where(similar, squared, apart if legacy else apart * apart)
        factor = torch.ones_like(away) if legacy else away / (distance + 1e-4)
        factor = torch.where(away > 0, -factor, 0.0)
        ctx.save_for_backward(difference, torch.where(similar, 1.0, factor))
        return loss.sum() / (2 * len(a))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        difference, factor = ctx.saved_tensors
        found = difference * (factor * (gradient / len(factor)))[:, None]
        return found, -found, None, None, None


@register("ContrastiveLoss")
class ContrastiveLoss(_Loss):
    """d^2 for similar pairs (label not 0), max(margin - d, 0)^2 for others, / (2 N)."""

    bottoms = (3, 3)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        a, b, label = (tuple(shape) + (1,) * (4 - len(shape)) for shape in shapes)
        self.check(a[:2] == b[:2] and a[2:] == b[2:] == (1, 1), f"bottoms differ: {shapes[:2]}")
        self.check(math.prod(label) == a[0], f"found labels of {shapes[2]} for {a[0]} pairs")

    def forward(self, a: torch.Tensor, b: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        param = self.param.contrastive_loss_param
        similar = label.reshape(-1).trunc() != 0
        rows = (a.reshape(len(a), -1), b.reshape(len(b), -1))
        loss: torch.Tensor = _Contrastive.apply(*rows, similar, param.margin, param.legacy_version)
        return loss
