"""The shapes that layers of other Caffes make: `shapes.py` for engine/layers/forks.

The sources are named there, with each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def aspect_ratios(param: Any) -> list[float]:
    """Return the ratios width / height of a PriorBoxParameter: 1 first, each once."""
    found = [1.0]
    for ratio in param.aspect_ratio:
        if all(abs(ratio - other) >= 1e-6 for other in found):
            found += [ratio, 1 / ratio] if param.flip else [ratio]
    return found


def is_yolos_upsample(layer: Any) -> bool:
    """Return whether an Upsample is YOLO's, of one bottom; SegNet's has the mask, too."""
    return len(layer.bottom) == 1


def _bn(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [shapes[0], *[(1, shapes[0][1], 1, 1)] * (count - 1)]


def _upsample(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, (n, c, *full) = layer.upsample_param, shapes[0]
    if is_yolos_upsample(layer):
        return [(n, c, *(size * (param.scale or 1) for size in full))]
    if param.HasField("upsample_h") and param.HasField("upsample_w"):
        return [(n, c, param.upsample_h, param.upsample_w)]
    scales = [param.scale_h, param.scale_w] if param.scale_h else [param.scale or 2] * 2
    less = (param.pad_out_h, param.pad_out_w)
    return [(n, c, *(size * by - cut for size, by, cut in zip(full, scales, less)))]


def _interp(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.interp_param, shapes[0]
    if param.use_blob_size:
        return [(*shape[:2], *shapes[1][2:])]
    shrinks, zooms = param.HasField("shrink_factor"), param.HasField("zoom_factor")
    if shrinks == zooms and param.HasField("height") and param.HasField("width"):
        return [(*shape[:2], param.height, param.width)]
    if not shrinks and not zooms:
        return []
    sizes = [size + param.pad_beg + param.pad_end for size in shape[2:]]
    shrunk = [(size - 1) // param.shrink_factor + 1 for size in sizes]
    return [(*shape[:2], *(size + (size - 1) * (param.zoom_factor - 1) for size in shrunk))]


def _permute(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    order, shape = list(layer.permute_param.order), shapes[0]
    order += [axis for axis in range(len(shape)) if axis not in order]
    return [tuple(shape[axis] for axis in order)]


def _prior_box(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, (height, width) = layer.prior_box_param, shapes[0][2:]
    boxes = len(aspect_ratios(param)) * len(param.min_size) + len(param.max_size)
    return [(1, 2, height * width * boxes * 4)]


def _roi_pooling(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param = layer.roi_pooling_param
    return [(shapes[1][0], shapes[0][1], param.pooled_h, param.pooled_w)]


def _psroi_pooling(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param = layer.psroi_pooling_param
    return [(shapes[1][0], param.output_dim, param.group_size, param.group_size)]


def _normalize(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    shape = shapes[0]
    if not layer.HasField("normalize_param"):
        return [shape]
    shape = (*shape, 1, 1)[:4]
    return [shape, (shape[0], 1, *shape[2:])]


def _axpy(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [shapes[1]]


def _margin(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param = layer.margin_inner_product_param
    return [(*shapes[0][: param.axis], param.num_output), (1,)]


def _as_prob(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param = layer.inner_product_as_prob_param
    return [(*shapes[0][: param.axis], param.num_output)]


def _smooth_l1(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    n, _, height, width = (*shapes[0], 1, 1, 1)[:4]
    return [(), (n, 1, height, width)]


def _softmax_ohem(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(), shapes[0], shapes[1]]


def _box_annotator(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    n, _, height, width = (*shapes[0], 1, 1)[:4]
    return [(n, 1, height, width), (n, shapes[3][1], height, width)]


def _scores(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(1, 1, 1, 3)]


def _loss(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [()]


#: Type -> its rule, as in shapes.py.
FORK_RULES = {
    "Axpy": _axpy,
    "BN": _bn,
    "BoxAnnotatorOHEM": _box_annotator,
    "CenterLoss": _loss,
    "InnerProductAsProb": _as_prob,
    "Interp": _interp,
    "MarginInnerProduct": _margin,
    "Normalize": _normalize,
    "Permute": _permute,
    "PriorBox": _prior_box,
    "PSROIPooling": _psroi_pooling,
    "ROIPooling": _roi_pooling,
    "SegAccuracy": _scores,
    "SmoothL1Loss": _smooth_l1,
    "SmoothL1LossOHEM": _smooth_l1,
    "SoftmaxWithLossOHEM": _softmax_ohem,
    "Upsample": _upsample,
}
#: Types whose tops are of the shape of the first bottom.
FORK_SAME = "Flip Insanity ReLU6 SeLu SeLuDropout ShuffleChannel"
