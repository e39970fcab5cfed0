"""Accuracy: source Caffe src/caffe/layers/accuracy_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gcnet_caffe.engine.layers.base import Shape, Tops, register
from gcnet_caffe.engine.layers.losses import Labelled, counted_labels
from gcnet_caffe.engine.layers.neuron import without_backward


@register("Accuracy")
class Accuracy(Labelled):
    """The share of labels that are among the top_k predictions; the second top has it by class.

    A prediction as large as the label's own counts as better. Has no backward.
    """

    bottoms, tops, has_backward = (2, 2), (1, 2), False

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.accuracy_param
        self.read_labels(param.axis, shapes, param)
        self.classes = shapes[0][self.dim]
        self.check(
            param.top_k <= self.classes,
            f"top_k: found {param.top_k}, wanted {self.classes} at most",
        )

    def forward(self, bottom: torch.Tensor, label: torch.Tensor) -> Tops:
        data = bottom.detach().movedim(self.dim, -1).reshape(-1, self.classes)
        label = label.reshape(-1).long()
        counted = counted_labels(label, self.ignore)
        safe = torch.where(counted, label, 0)
        own = data.gather(1, safe[:, None])
        better = (data >= own).sum(1) - 1
        right = ((better < self.param.accuracy_param.top_k) & counted).to(bottom.dtype)
        counted = counted.to(bottom.dtype)
        top = right.sum() / counted.sum().clamp_min(1)
        if self.num_tops == 1:
            return without_backward(self, top, bottom)
        empty = torch.zeros(self.classes, dtype=bottom.dtype, device=bottom.device)
        hits, all_ = empty.scatter_add(0, safe, right), empty.scatter_add(0, safe, counted)
        by_class = hits / all_.clamp_min(1)
        return without_backward(self, top, bottom), without_backward(self, by_class, bottom)
