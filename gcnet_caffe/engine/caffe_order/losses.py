"""The losses. Source: Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.caffe_order.blas import (
    Array,
    absolute_sum,
    channel_sums,
    column_dots,
    dot,
    exp,
    log,
    sigmoid,
)
from gcnet_caffe.engine.caffe_order.neurons import sigmoid_back
from gcnet_caffe.engine.caffe_order.rule import Back, Top, numbered
from gcnet_caffe.engine.layers.losses import LEAST, normalizer

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.layers.losses import (
        InfogainLoss,
        SigmoidCrossEntropyLoss,
        Softmax,
        SoftmaxWithLoss,
    )

_F = np.float32


def _one_by_one(terms: Array) -> np.float32:
    """Return the sum from the first term to the last."""
    return np.add.accumulate(terms, dtype=_F)[-1] if len(terms) else _F(0)


def _counted(label: NDArray[Any], ignored: int | None) -> NDArray[np.bool_]:
    """Return where `label` is not the `ignored` one."""
    return np.ones(label.shape, bool) if ignored is None else label != ignored


def _probability(bottom: Array, axis: int) -> Array:
    """Return the softmax along `axis`, as outer x channels x inner."""
    x = bottom.reshape(math.prod(bottom.shape[:axis]), bottom.shape[axis], -1)
    top = exp(x - x.max(1, keepdims=True))
    top /= channel_sums(top)[:, None]
    return top


def softmax(layer: Softmax, bottom: Array) -> tuple[Top, Back]:
    """Softmax."""
    top = _probability(bottom, layer.dim)

    def back(gradient: Array) -> list[Array]:
        return [_softmax_back(top, gradient.reshape(top.shape)).reshape(bottom.shape)]

    return top.reshape(bottom.shape), back


def _softmax_back(top: Array, gradient: Array) -> Array:
    return (gradient - column_dots(gradient, top)[:, None]) * top


def softmax_loss(layer: SoftmaxWithLoss, bottom: Array, label: Array) -> tuple[Top, Back]:
    """SoftmaxWithLoss."""
    probability = _probability(bottom, layer.dim)
    outer, classes, _ = probability.shape
    label = label.reshape(outer, -1)
    counted = _counted(np.trunc(label), layer.ignore)
    image, place = np.nonzero(counted)
    picked = (image, numbered(layer, label[counted], classes), place)
    loss = _one_by_one(-log(np.maximum(probability[picked], np.finfo(_F).tiny)))
    divisor = _F(normalizer(layer.mode, torch.tensor(len(image)), outer, label.shape[1]))

    def back(gradient: Array, *second: Array) -> list[Array | None]:
        found = probability.copy()
        found[picked] -= 1
        found *= counted[:, None]
        found *= gradient / divisor
        for one in second:
            found += _softmax_back(probability, one.reshape(found.shape))
        return [found.reshape(bottom.shape), None]

    if layer.num_tops == 2:
        return (loss / divisor, probability.reshape(bottom.shape)), back
    return loss / divisor, back


def infogain_loss(
    layer: InfogainLoss, bottom: Array, label: Array, given: Array | None = None
) -> tuple[Top, Back]:
    """InfogainLoss."""
    probability = _probability(bottom, layer.dim)
    outer, classes, inner = probability.shape
    label = label.reshape(outer, -1)
    counted = _counted(np.trunc(label), layer.ignore)
    numbers = numbered(layer, np.where(counted, label, 0), classes)
    matrix = (layer.matrix.numpy() if given is None else given).reshape(classes, classes)
    rows = matrix[numbers].transpose(0, 2, 1)  # outer, classes, inner
    logs = log(np.maximum(probability, _F(LEAST)))
    terms = (rows * logs).transpose(0, 2, 1)[counted]
    valid = torch.tensor(int(counted.sum()))
    divisor = _F(normalizer(layer.mode, valid, outer, inner))

    def back(gradient: Array, *second: Array) -> list[Array | None]:
        totals = np.add.accumulate(matrix, axis=1, dtype=_F)[:, -1]
        found = probability * totals[numbers][:, None] - rows
        found *= counted[:, None]
        found *= gradient / divisor
        for one in second:
            found += _softmax_back(probability, one.reshape(found.shape))
        return [found.reshape(bottom.shape), None, *[None] * (given is not None)]

    loss = _one_by_one(-terms.reshape(-1)) / divisor
    return ((loss, probability.reshape(bottom.shape)) if layer.num_tops == 2 else loss), back


def multinomial_logistic_loss(layer: Layer, bottom: Array, label: Array) -> tuple[Top, Back]:
    """MultinomialLogisticLoss."""
    count, rows = _F(len(bottom)), bottom.reshape(len(bottom), -1)
    picked = np.arange(len(rows)), numbered(layer, label.reshape(-1), rows.shape[1])
    chances = np.maximum(rows[picked], _F(LEAST))

    def back(gradient: Array) -> list[Array | None]:
        found = np.zeros_like(rows)
        found[picked] = -gradient / count / chances
        return [found.reshape(bottom.shape), None]

    return _one_by_one(-log(chances)) / count, back


def sigmoid_cross_entropy_loss(
    layer: SigmoidCrossEntropyLoss, bottom: Array, target: Array
) -> tuple[Top, Back]:
    """SigmoidCrossEntropyLoss."""
    target = target.reshape(bottom.shape)
    counted = _counted(np.trunc(target), layer.ignore)
    positive = bottom >= 0
    inner = exp(bottom - 2 * bottom * positive)
    terms = bottom * (target - positive) - log(1 + inner)
    loss = _one_by_one(-terms[counted])
    outer, inside = bottom.shape[0], math.prod(bottom.shape[1:])
    divisor = _F(normalizer(layer.mode, torch.tensor(int(counted.sum())), outer, inside))

    def back(gradient: Array, *second: Array) -> list[Array | None]:
        found = (sigmoid(bottom) - target) * counted * (gradient / divisor)
        for one in second:
            found += sigmoid_back(sigmoid(bottom), one)
        return [found, None]

    if layer.num_tops == 2:
        return (loss / divisor, sigmoid(bottom)), back
    return loss / divisor, back


def euclidean_loss(layer: Layer, a: Array, b: Array) -> tuple[Top, Back]:
    """EuclideanLoss."""
    difference = a - b.reshape(a.shape)

    def back(gradient: Array) -> list[Array | None]:
        found = difference * (gradient / _F(len(a)))
        return [found, -found.reshape(b.shape)]

    return dot(difference, difference) / _F(len(a)) / _F(2), back


def contrastive_loss(layer: Layer, a: Array, b: Array, label: Array) -> tuple[Top, Back]:
    """ContrastiveLoss, of both versions."""
    param = layer.param.contrastive_loss_param
    legacy, similar = param.legacy_version, np.trunc(label.reshape(-1)) != 0
    difference = (a - b).reshape(len(a), -1)
    squared = np.array([dot(row, row) for row in difference])
    apart = squared if legacy else np.sqrt(squared)
    missing = _F(param.margin) - apart
    inside = np.maximum(missing, 0)
    terms = np.where(similar, squared, inside if legacy else inside * inside)

    def back(gradient: Array) -> list[Array | None]:
        alpha = gradient / _F(len(a))
        factor = -alpha if legacy else -alpha * missing / (apart + _F(1e-4))
        factor = np.where(similar, alpha, np.where(missing > 0, factor, _F(0)))
        found = (difference * factor[:, None]).reshape(a.shape)
        return [found, -found, None]

    return _one_by_one(terms) / _F(len(a)) / _F(2), back


def hinge_loss(layer: Layer, bottom: Array, label: Array) -> tuple[Top, Back]:
    """HingeLoss, of both norms."""
    count, param = len(bottom), layer.param.hinge_loss_param
    signs = np.ones((count, bottom.size // count), _F)
    signs[np.arange(count), numbered(layer, label.reshape(-1), signs.shape[1])] = -1
    margin = np.maximum(1 + bottom.reshape(signs.shape) * signs, 0)
    squared = param.norm == param.L2
    total = dot(margin, margin) if squared else absolute_sum(margin)

    def back(gradient: Array) -> list[Array | None]:
        found = margin * signs
        if squared:
            found *= gradient * _F(2) / _F(count)
        else:
            found = np.sign(found) * (gradient / _F(count))
        return [found.reshape(bottom.shape), None]

    return total / _F(count), back
