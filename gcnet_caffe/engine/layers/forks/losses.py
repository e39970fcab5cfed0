"""SmoothL1Loss, the losses of online hard example mining, and SegNet's SoftmaxWithLoss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register, register_namesake
from gcnet_caffe.engine.layers.losses import (
    Labelled,
    counted_labels,
    normalization_of,
    normalizer,
)
from gcnet_caffe.formats import caffe_pb

_LOSS = caffe_pb.LossParameter


class _Loss(Layer):
    """A layer whose first top is a loss."""

    auto_tops, is_loss, takes_fixed_divisor = True, True, True

    def divisor(self, mode: int, valid: torch.Tensor, outer: int, inner: int) -> Any:
        """As losses.normalizer, with PRE_FIXED, and never below 1."""
        if mode == _LOSS.PRE_FIXED:
            return max(self.param.loss_param.pre_fixed_normalizer, 1.0)
        found = normalizer(mode, valid, outer, inner)
        return max(found, 1.0) if isinstance(found, float) else found


def smooth_l1(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return (sigma x)^2 / 2 where |x| < 1 / sigma^2, else |x| - 0.5 / sigma^2."""
    squared = sigma * sigma
    return torch.where(x.abs() < 1 / squared, 0.5 * squared * x * x, x.abs() - 0.5 / squared)


@register("SmoothL1Loss")
class SmoothL1Loss(_Loss):
    """The sum of w_out f(w_in (a - b)) / N; f(x) = (sigma x)^2 / 2 near 0, else |x| - ...

    See `smooth_l1` for f. Bottoms: a, b; or a, b, w_in, w_out (Fast R-CNN); or a, b, w, whose
    gradient is f'(w (a - b)), not times w (SSD, R-FCN). With `loss_param { normalization }` the
    divisor is R-FCN's: FULL and VALID N H W, BATCH_SIZE N, PRE_FIXED pre_fixed_normalizer, NONE 1.
    A second top is the sum over the channels, N x 1 x H x W; it has no gradient.

    Source: rbgirshick/caffe-fast-rcnn (branch faster-rcnn) smooth_L1_loss_layer.cu; weiliu89/caffe
    (branch ssd) smooth_L1_loss_layer.cpp; daijifeng001/caffe-rfcn smooth_L1_loss_layer.cu. Without
    `normalization` R-FCN divides by N H W, the others by N: here it is N.
    """

    bottoms, tops = (2, 4), (1, 2)
    default: int = _LOSS.BATCH_SIZE

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(
            shapes[0] and len({(*shape, 1, 1, 1)[: max(len(shape), 4)] for shape in shapes}) == 1,
            f"found bottoms of {', '.join(map(str, shapes))}, wanted one shape",
        )
        sigma = self.param.smooth_l1_loss_param.sigma
        self.check(sigma > 0, f"sigma: found {sigma:g}, wanted more than 0")
        self.mode = normalization_of(self.param.loss_param, self.default)

    def forward(self, a: torch.Tensor, b: torch.Tensor, *weights: torch.Tensor) -> Tops:
        difference, sigma = a - b.reshape(a.shape), self.param.smooth_l1_loss_param.sigma
        inside = [weight.detach().reshape(a.shape) for weight in weights]
        if len(inside) == 1:
            difference = difference + (difference * inside[0] - difference).detach()
        elif inside:
            difference = difference * inside[0]
        errors = smooth_l1(difference, sigma)
        if len(inside) == 2:
            errors = errors * inside[1]
        outer, inner = a.shape[0], math.prod(a.shape[2:])
        divisor = self.divisor(self.mode, a.new_tensor(outer * inner), outer, inner)
        loss: torch.Tensor = errors.sum() / divisor
        if self.num_tops == 1:
            return loss
        each = errors.detach().reshape(outer, -1, inner).sum(1)
        return loss, each.reshape(outer, 1, *(*a.shape[2:], 1, 1)[:2])


@register("SmoothL1LossOHEM")
class SmoothL1LossOHEM(SmoothL1Loss):
    """SmoothL1Loss with sigma 1, bottoms a, b and w, and R-FCN's divisor, by default N H W.

    Source: soeaver/py-RFCN-priv and microsoft/caffe, smooth_L1_loss_ohem_layer.cu.
    """

    bottoms = (2, 3)
    default = _LOSS.VALID


@register("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(_Loss, Labelled):
    """SoftmaxWithLoss whose third top is the loss of each label, in the labels' shape.

    The second top is the probabilities; neither has a gradient. PRE_FIXED divides by
    pre_fixed_normalizer.

    Source: soeaver/py-RFCN-priv and microsoft/caffe, softmax_loss_ohem_layer.cu.
    """

    bottoms, tops = (2, 2), (1, 3)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.read_labels(self.param.softmax_param.axis, shapes, self.param.loss_param)
        self.mode = normalization_of(self.param.loss_param, _LOSS.VALID)

    def forward(self, bottom: torch.Tensor, label: torch.Tensor) -> Tops:
        outer, inner = bottom.shape[: self.dim], bottom.shape[self.dim + 1 :]
        labels = label.reshape(*outer, *inner).long()
        counted = counted_labels(labels, self.ignore)
        losses, probabilities = softmax_losses(bottom, labels * counted, self.dim)
        losses = torch.where(counted, losses, 0.0)
        divisor = self.divisor(
            self.mode, counted.sum().to(bottom.dtype), math.prod(outer), math.prod(inner)
        )
        each = losses.detach().reshape(label.shape)
        return (losses.sum() / divisor, probabilities.detach(), each)[: self.num_tops]


def softmax_losses(
    bottom: torch.Tensor, labels: torch.Tensor, dim: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return -log of each label's probability, at most -log(FLT_MIN), and all probabilities."""
    logs = F.log_softmax(bottom, dim)
    picked = logs.gather(dim, labels.unsqueeze(dim)).squeeze(dim)
    lowest = math.log(torch.finfo(torch.float32).tiny)
    picked = picked + (picked.clamp_min(lowest) - picked).detach()
    return -picked, logs.exp()


@register_namesake(
    "SoftmaxWithLoss", "SegNet", lambda param: param.loss_param.weight_by_label_freqs
)
class SegNetSoftmaxWithLoss(_Loss, Labelled):
    """SoftmaxWithLoss, the loss of each label times the class_weighting of its class.

    The divisor is that of SoftmaxWithLoss: the number of labels that count, not their weights.

    Source: alexgkendall/caffe-segnet, softmax_loss_layer.cpp.
    """

    bottoms, tops = (2, 2), (1, 2)
    weights: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.loss_param
        self.read_labels(self.param.softmax_param.axis, shapes, param)
        self.mode = normalization_of(param, _LOSS.VALID)
        found, wanted = len(param.class_weighting), shapes[0][self.dim]
        self.check(found == wanted, f"class_weighting: found {found}, wanted {wanted}, one a class")
        weights = torch.tensor(list(param.class_weighting))
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, bottom: torch.Tensor, label: torch.Tensor) -> Tops:
        outer, inner = bottom.shape[: self.dim], bottom.shape[self.dim + 1 :]
        labels = label.reshape(*outer, *inner).long()
        counted = counted_labels(labels, self.ignore)
        labels = labels * counted
        losses, probabilities = softmax_losses(bottom, labels, self.dim)
        total = torch.where(counted, losses * self.weights[labels], 0.0).sum()
        valid = counted.sum().to(bottom.dtype)
        loss = total / self.divisor(self.mode, valid, math.prod(outer), math.prod(inner))
        return (loss, probabilities) if self.num_tops == 2 else loss


@register("BoxAnnotatorOHEM")
class BoxAnnotatorOHEM(Layer):
    """Keeps the roi_per_img regions of each image that have the largest loss.

    Bottoms: regions (R, 5: image, x1, y1, x2, y2), losses, labels, weights of the boxes. Tops: the
    labels, ignore_label for the others; the weights, 0 for the others. Of equal losses the first
    are kept. Has no gradient.

    Source: daijifeng001/caffe-rfcn, box_annotator_ohem_layer.cu.
    """

    bottoms, tops = (4, 4), (2, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        wide = [(*shape, 1, 1, 1)[: max(len(shape), 4)] for shape in shapes]
        space = wide[0][2:]
        wanted = [(wide[0][0], size, *space) for size in (5, 1, 1, wide[3][1])]
        self.check(
            self.param.box_annotator_ohem_param.roi_per_img > 0, "roi_per_img: wanted 1 or more"
        )
        self.check(
            wide == wanted, f"found bottoms of {', '.join(map(str, shapes))}: they do not fit"
        )

    def forward(
        self,
        regions: torch.Tensor,
        losses: torch.Tensor,
        labels: torch.Tensor,
        weights: torch.Tensor,
    ) -> Tops:
        param, count = self.param.box_annotator_ohem_param, len(regions)
        images = regions.detach().reshape(count, 5, -1)[:, 0].flatten().long()
        order = losses.detach().flatten().argsort(descending=True, stable=True)
        kept = torch.zeros(len(order), dtype=torch.bool, device=order.device)
        for image in images.unique():
            kept[order[images[order] == image][: param.roi_per_img]] = True
        kept = kept.reshape(count, 1, -1)
        flat = (
            labels.detach().reshape(count, 1, -1),
            weights.detach().reshape(count, -1, kept.shape[2]),
        )
        space = (*regions.shape[2:], 1, 1)[:2]
        return (
            torch.where(kept, flat[0], float(param.ignore_label)).reshape(count, 1, *space),
            torch.where(kept, flat[1], 0.0).reshape(count, -1, *space),
        )
