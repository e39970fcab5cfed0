"""CenterLoss, MarginInnerProduct and InnerProductAsProb: layers of face recognition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register
from gcnet_caffe.formats.labels import label_range


class _Center(torch.autograd.Function):
    """The loss with Caffe's gradient of the centres, which is not the derivative."""

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, centers: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        distance = rows - centers[labels]
        ctx.save_for_backward(distance, labels)
        ctx.classes = len(centers)
        return (distance * distance).sum() / (2 * len(rows))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        distance, labels = ctx.saved_tensors
        moves = distance.new_zeros(ctx.classes, distance.shape[1]).index_add(0, labels, -distance)
        counts = torch.bincount(labels, minlength=ctx.classes)
        return distance * (gradient / len(distance)), moves / (counts + 1)[:, None], None


@register("CenterLoss")
class CenterLoss(Layer):
    """The sum of |x_i - c_(y_i)|^2 / (2 N), x_i the axes from `axis` on. Blob: the centres (C, K).

    The gradient of a centre is the sum of c_j - x_i over its rows / (1 + their number), whatever
    the loss_weight.

    Source: ydwen/caffe-face, center_loss_layer.cpp.
    """

    bottoms, auto_tops, is_loss = (2, 2), True, True

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, (shape, labels) = self.param.center_loss_param, shapes
        self.first = self.axis(param.axis, len(shape))
        self.check(param.num_output > 0, "num_output: found 0, wanted the number of classes")
        self.check(
            math.prod(labels) == shape[0] == math.prod(shape[: self.first]),
            f"found labels of {labels} for rows of {shape}",
        )
        self.add_blob((param.num_output, math.prod(shape[self.first :])), param.center_filler)
        self.label_range = label_range(self.param, shape)

    def forward(self, bottom: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        rows = bottom.reshape(len(bottom), -1)
        loss: torch.Tensor = _Center.apply(rows, self.blob(0), labels.reshape(-1).long())
        return loss


class _Margin(torch.autograd.Function):
    """A product whose label's column is changed, with SphereFace's gradients.

    That of the weight is the one of a plain product. That of a row through its label's column is a
    w + b x, divided by sqrt(a^2 + b^2).
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        weight: torch.Tensor,
        labels: torch.Tensor,
        margin: int,
        factor: float,
    ) -> torch.Tensor:
        product = rows @ weight.T
        ctx.margin, ctx.factor = margin, factor
        if margin == 1:
            ctx.save_for_backward(rows, weight)
            return product
        length = rows.norm(dim=1)
        own = product.gather(1, labels[:, None])[:, 0] / length
        ctx.save_for_backward(rows, weight, labels, length, own)
        value = length * _margin(own, margin)[0]
        changed = product.scatter(1, labels[:, None], value[:, None])
        return (changed + factor * product) / (1 + factor)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        rows, weight, *rest = ctx.saved_tensors
        to_weight = gradient.T @ rows
        if ctx.margin == 1:
            return gradient @ weight, to_weight, None, None, None
        labels, length, own = rest
        _, of_weight, of_row = _margin(own, ctx.margin)
        of_row = -of_row / length
        norm = (of_weight * of_weight + of_row * of_row).sqrt()
        mine = gradient.gather(1, labels[:, None])
        others = gradient.scatter(1, labels[:, None], 0)
        to_rows = (others + ctx.factor * gradient) @ weight
        direction = (of_weight / norm)[:, None] * weight[labels] + (of_row / norm)[:, None] * rows
        return (to_rows + mine * direction) / (1 + ctx.factor), to_weight, None, None, None


def _margin(cosine: torch.Tensor, margin: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return psi, SphereFace's stand-in for cos(margin angle), and a and -|x| b of its gradient."""
    c, sign = cosine, cosine.sign()
    if margin == 2:
        return 2 * sign * c**2 - 1, 4 * sign * c, 2 * sign * c**2 + 1
    if margin == 3:
        outer = (c.abs() - 0.5).sign()
        step = sign * (1 + outer) - 2
        psi = outer * (4 * c**3 - 3 * c) + step
        return psi, outer * (12 * c**2 - 3), 8 * outer * c**3 - step
    outer = sign * (2 * c**2 - 1).sign()
    step = 2 * sign + outer - 3
    psi = outer * (8 * c**4 - 8 * c**2 + 1) + step
    return psi, outer * (32 * c**3 - 16 * c), outer * (24 * c**4 - 8 * c**2 - 1) - step


@register("MarginInnerProduct")
class MarginInnerProduct(Layer):
    """A product with rows of length 1; the label's column is |x| psi(angle), by `type`.

    Blob: weight (num_output, K); each forward divides its rows by their lengths. SINGLE is the
    product. Otherwise top = (changed + lambda product) / (1 + lambda); psi is +-cos(m angle) - 2k,
    falling over all angles, m = 2, 3 or 4. lambda = max(lambda_min, base (1 + gamma i)^-power), i
    the number of passes plus `iteration`. A second top is lambda (1).

    Source: wy1iu/sphereface, margin_inner_product_layer.cpp; see `_Margin` for the gradient.
    """

    bottoms, tops, has_state = (2, 2), (1, 2), True

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, (shape, labels) = self.param.margin_inner_product_param, shapes
        self.first = self.axis(param.axis, len(shape))
        self.check(param.num_output > 0, "num_output: found 0, wanted the number of classes")
        self.check(
            math.prod(labels) == shape[0] == math.prod(shape[: self.first]),
            f"found labels of {labels} for rows of {shape}",
        )
        self.add_blob((param.num_output, math.prod(shape[self.first :])), param.weight_filler)
        if self.is_new:
            self.passes = param.iteration
        self.label_range = label_range(self.param, shape)

    def forward(self, bottom: torch.Tensor, labels: torch.Tensor) -> Tops:
        param, weight = self.param.margin_inner_product_param, self.blob(0)
        self.passes += 1
        factor = max(param.base * (1 + param.gamma * self.passes) ** -param.power, param.lambda_min)
        with torch.no_grad():
            weight.div_(weight.norm(dim=1, keepdim=True))
        rows = bottom.reshape(len(bottom), -1)
        top = _Margin.apply(rows, weight, labels.reshape(-1).long(), param.type + 1, factor)
        top = top.reshape(*bottom.shape[: self.first], param.num_output)
        return (top, bottom.new_tensor([factor])) if self.num_tops == 2 else top

    def state(self) -> dict[str, int]:
        """Return how many passes there have been, `iteration` included."""
        return {"passes": self.passes}

    def set_state(self, state: dict[str, int]) -> None:
        """Continue from where `state` was taken."""
        self.passes = state["passes"]


@register("InnerProductAsProb")
class InnerProductAsProb(Layer):
    """A product with a weight (K, num_output) whose rows are probabilities, without bias.

    Each forward sets numbers of the weight below 0 to minvalue, and then divides each row by its
    sum, if that is 1e-10 or more. The filled weight gets 999 on its diagonal and is treated alike.

    Source: dualplus/LTNet, inner_product_as_prob_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.inner_product_as_prob_param, shapes[0]
        self.first = self.axis(param.axis, len(shape))
        self.check(param.num_output > 0, "num_output: found 0, wanted 1 or more")
        self.add_blob((math.prod(shape[self.first :]), param.num_output), param.weight_filler)
        if self.is_new and not self.param.blobs:
            self.blobs[0].data.fill_diagonal_(999)
            self._make_probabilities()

    @torch.no_grad()
    def _make_probabilities(self) -> None:
        weight = self.blob(0)
        weight.copy_(
            torch.where(weight < 0, self.param.inner_product_as_prob_param.minvalue, weight)
        )
        sums = weight.sum(1, keepdim=True)
        weight.div_(torch.where(sums >= 1e-10, sums, 1.0))

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        self._make_probabilities()
        rows = bottom.reshape(*bottom.shape[: self.first], -1)
        return rows @ self.blob(0)
