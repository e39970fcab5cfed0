"""Upsample of SegNet and of YOLO, Interp, SegAccuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Shape, register, register_namesake
from gcnet_caffe.engine.layers.neuron import without_backward
from gcnet_caffe.formats.fork_shapes import is_yolos_upsample


class _Put(torch.autograd.Function):
    """Puts values at places of empty planes: of several at one place the last stays.

    The gradient of each value is that of its place, also of those that did not stay, as in SegNet.
    """

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, places: torch.Tensor, size: int) -> torch.Tensor:
        ctx.save_for_backward(places)
        order = torch.arange(places.shape[2], device=places.device).expand_as(places)
        last = torch.full((*places.shape[:2], size), -1, device=places.device)
        last = last.scatter_reduce(2, places, order, "amax")
        return torch.where(last >= 0, values.gather(2, last.clamp_min(0)), 0.0)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return gradient.gather(2, ctx.saved_tensors[0]), None, None


@register("Upsample")
class SegNetUpsample(Layer):
    """Each value goes to the place of its plane that the mask (second bottom) gives; others are 0.

    The plane is upsample_h x upsample_w; or scale (default 2), or scale_h and scale_w, times the
    bottom's, less a row with pad_out_h and a column with pad_out_w.

    Source: alexgkendall/caffe-segnet, upsample_layer.cpp.
    """

    bottoms, takes_indices = (2, 2), True

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, (shape, mask) = self.param.upsample_param, shapes
        self.check(
            len(shape) == 4 and shape == mask,
            f"found bottoms of {shape} and {mask}, wanted one shape of 4 axes",
        )
        sized, scaled = (
            [param.HasField(f"{name}_{axis}") for axis in "hw"] for name in ("upsample", "scale")
        )
        self.check(
            all(sized)
            or (any(scaled) == all(scaled) != param.HasField("scale"))
            or not any(scaled),
            "wanted upsample_h and upsample_w, or scale, or scale_h and scale_w",
        )
        if not all(sized):
            for axis in "hw":
                scale = getattr(param, f"scale_{axis}") if all(scaled) else param.scale or 2
                padded = getattr(param, f"pad_out_{axis}")
                self.check(scale > 1, f"scale: found {scale}, wanted 2 or more")
                self.check(not padded or scale == 2, f"pad_out_{axis}: wanted scale 2 with it")
        self.check(min(self.top_shapes(shapes)[0][2:]) > 0, f"the bottom is {shape}: too small")

    def forward(self, bottom: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        height, width = self.top_shapes([bottom.shape, mask.shape])[0][2:]
        places = mask.long().flatten(2)
        if not torch.compiler.is_compiling() and places.numel():
            low, high = int(places.min()), int(places.max())
            self.check(
                0 <= low and high < height * width,
                f"the mask has places {low} to {high}, wanted 0 to {height * width - 1}: scale and "
                "the pooling that made the mask do not fit",
            )
        top: torch.Tensor = _Put.apply(bottom.flatten(2), places, height * width)
        return top.reshape(*bottom.shape[:2], height, width)


@register_namesake("Upsample", "YOLO", is_yolos_upsample)
class YOLOUpsample(Layer):
    """Each pixel `scale` (default 1) times in each direction.

    Source: eric612/MobileNet-YOLO, upsample_layer.cpp. It has one bottom; SegNet's has two.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(len(shapes[0]) == 4, f"found a bottom of shape {shapes[0]}, wanted 4 axes")
        self.scale = self.param.upsample_param.scale or 1

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@register("Interp")
class Interp(Layer):
    """Bilinear, corners on corners: y = h (H - 1) / (H' - 1) of the row h of H' rows made of H.

    First -pad_beg rows and columns are cut off at the top and left, and -pad_end at the bottom and
    right. Then the sizes: of the second bottom with use_blob_size; (H - 1) / shrink_factor + 1
    (rounded down); H + (H - 1) (zoom_factor - 1); `height` and `width`; or with both factors, not
    height and width, the shrunk one zoomed.

    Source: xmyqsh/deeplab-v2 and hszhao/PSPNet, interp_layer.cpp and util/interp.cpp. Only
    soeaver/py-RFCN-priv has use_blob_size.
    """

    bottoms = (1, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.interp_param, shapes[0]
        self.check(len(shape) == 4, f"found a bottom of shape {shape}, wanted 4 axes")
        self.check(
            param.pad_beg <= 0 and param.pad_end <= 0,
            f"pad_beg {param.pad_beg}, pad_end {param.pad_end}: wanted 0 or less (to crop)",
        )
        self.check(
            param.zoom_factor >= 1 and param.shrink_factor >= 1,
            "zoom_factor, shrink_factor: wanted 1 or more",
        )
        self.check(
            len(shapes) == 1 + param.use_blob_size,
            f"found {len(shapes)} bottoms, wanted 2 with use_blob_size, else 1",
        )
        made = self.top_shapes(shapes)[0]
        self.check(made, "wanted height and width, zoom_factor, shrink_factor, or use_blob_size")
        cut = param.pad_beg + param.pad_end
        self.check(
            min(*made[2:], shape[2] + cut, shape[3] + cut) > 0,
            f"of the bottom {shape} nothing is left",
        )

    def forward(self, bottom: torch.Tensor, sized: torch.Tensor | None = None) -> torch.Tensor:
        param, others = self.param.interp_param, [] if sized is None else [sized.shape]
        size = self.top_shapes([bottom.shape, *others])[0][2:]
        rows, columns = (slice(-param.pad_beg, full + param.pad_end) for full in bottom.shape[2:])
        cut = bottom[:, :, rows, columns]
        return F.interpolate(cut, size, mode="bilinear", align_corners=True)


@register("SegAccuracy")
class SegAccuracy(Layer):
    """Pixel accuracy, mean recall, mean intersection over union of the classes: top (1, 1, 1, 3).

    They are of the counts of this batch, or with reset: false of all passes. Pixels whose label is
    one of ignore_label do not count. Of equal predictions the highest class is meant. A class of no
    label is left out of the mean recall; one of no label and no prediction counts as 1 in the last
    mean. Has no backward.

    Source: xmyqsh/deeplab-v2, seg_accuracy_layer.cpp and util/confusion_matrix.cpp.
    """

    bottoms, has_backward, has_state = (2, 2), False, True
    counts: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        shape, labels = shapes
        self.check(
            len(shape) == 4 and labels == (shape[0], 1, *shape[2:]),
            f"found bottoms of {shape} and {labels}, wanted N x C x H x W and N x 1 x H x W",
        )
        if self.is_new:
            counts = torch.zeros(shape[1], shape[1], dtype=torch.int64)
            self.register_buffer("counts", counts, persistent=False)

    def forward(self, bottom: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        param, classes = self.param.seg_accuracy_param, len(self.counts)
        predicted = classes - 1 - bottom.detach().flip(1).argmax(1).flatten()
        labels = labels.flatten().long()
        counted = ~torch.isin(labels, labels.new_tensor(list(param.ignore_label)))
        labels, predicted = labels[counted], predicted[counted]
        if len(labels):
            low, high = int(labels.min()), int(labels.max())
            self.check(
                0 <= low and high < classes,
                f"found labels {low} to {high}, wanted 0 to {classes - 1}, or ignore_label",
            )
        found = torch.bincount(labels * classes + predicted, minlength=classes * classes)
        found = found.reshape(classes, classes)
        self.counts = found if param.reset else self.counts + found
        return without_backward(self, self._scores().to(bottom.dtype), bottom)

    def _scores(self) -> torch.Tensor:
        counts = self.counts.double()
        right, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
        recall = right[true > 0] / true[true > 0]
        union = true + predicted - right
        overlap = torch.where(union == 0, 1.0, right / union.clamp_min(1))
        accuracy = right.sum() / counts.sum().clamp_min(1)
        mean_recall = recall.sum() / max(len(recall), 1)
        return torch.stack([accuracy, mean_recall, overlap.mean()]).reshape(1, 1, 1, 3)

    def state(self) -> list[list[int]]:
        """Return the counts [label][prediction]."""
        counts: list[list[int]] = self.counts.tolist()
        return counts

    def set_state(self, state: list[list[int]]) -> None:
        """Continue from where `state` was taken."""
        self.counts = self.counts.new_tensor(state)
