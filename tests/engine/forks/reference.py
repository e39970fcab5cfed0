"""The layers of other Caffes, evaluated in float64 straight from their sources, element by element.

Nothing here is the engine's. A reference takes a `Call` and returns the tops; what forward does to
a blob it does to `call.blobs`. Gradients are differences of the reference itself (`differences`).
Where a source's backward is not the derivative of its forward, `GRADIENTS` has what it says.
The sources are named in gcnet_caffe/engine/layers/forks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.rng import CaffeRng

Array = NDArray[np.float64]


@dataclass
class Call:
    """One forward pass: the LayerParameter, bottoms and blobs, and the phase, "TRAIN" or "TEST".

    `learned` are the blobs that have a gradient; None is all. `rng` gives what the layer draws.
    """

    layer: Any
    bottoms: list[Array]
    blobs: list[Array]
    phase: str
    tops: int = 1
    learned: tuple[int, ...] | None = None
    rng: CaffeRng = field(default_factory=lambda: CaffeRng(1))


Reference = Callable[[Call], list[Array]]
REFERENCES: dict[str, Reference] = {}
#: Type -> {name: array} of the gradients that a source does not take from its forward.
GRADIENTS: dict[str, Callable[[Call, list[Array]], dict[str, Array]]] = {}


def reference(*names: str) -> Callable[[Reference], Reference]:
    def add(function: Reference) -> Reference:
        REFERENCES.update(dict.fromkeys(names, function))
        return function

    return add


def gradients_of(*names: str) -> Callable[[Callable], Callable]:
    def add(function: Callable) -> Callable:
        GRADIENTS.update(dict.fromkeys(names, function))
        return function

    return add


def run(call: Call) -> list[Array]:
    return [np.asarray(top, np.float64) for top in REFERENCES[call.layer.type](call)]


def differences(call: Call, diffs: list[Array], labels: tuple[int, ...]) -> dict[str, Array]:
    """Return {"b0_diff": array, "blob0_diff": array, ...} of the sum of diff * top."""

    def total(bottoms: list[Array], blobs: list[Array]) -> float:
        tops = run(replace(call, bottoms=bottoms, blobs=blobs, rng=CaffeRng(1)))
        return sum(float((top * diff).sum()) for top, diff in zip(tops, diffs))

    found = {}
    for kind, arrays in (("b", call.bottoms), ("blob", call.blobs)):
        for index, array in enumerate(arrays):
            gradient = found[f"{kind}{index}_diff"] = np.zeros(array.shape)
            learned = range(len(arrays)) if call.learned is None else call.learned
            fixed = index in labels if kind == "b" else index not in learned
            for place in np.ndindex(array.shape) if not fixed else ():
                sides = []
                for step in (1e-5, -1e-5):
                    moved = {"b": list(call.bottoms), "blob": list(call.blobs)}
                    moved[kind][index] = array.copy()
                    moved[kind][index][place] += step
                    sides.append(total(moved["b"], [one.copy() for one in moved["blob"]]))
                gradient[place] = (sides[0] - sides[1]) / 2e-5
    return found


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    return np.vectorize(function, otypes=[np.float64])


# ---- on each element


@reference("ReLU6")
def relu6(call: Call) -> list[Array]:
    slope = call.layer.relu6_param.negative_slope
    return [_each(lambda x: min(max(x, 0) + slope * min(x, 0), 6))(call.bottoms[0])]


@reference("SeLu")
def selu(call: Call) -> list[Array]:
    param = call.layer.selu_param
    scale, alpha = getattr(param, "lambda"), param.alpha
    return [_each(lambda x: scale * (x if x > 0 else alpha * (math.exp(x) - 1)))(call.bottoms[0])]


def _kept(call: Call, ratio: float) -> Array:
    shape = call.bottoms[0].shape
    return call.rng.bernoulli(math.prod(shape), 1 - ratio).reshape(shape).astype(np.float64)


@reference("SeLuDropout")
def selu_dropout(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.selu_dropout_param
    if call.phase == "TEST":
        return [x]
    q, kept, alpha = 1 - param.dropout_ratio, _kept(call, param.dropout_ratio), param.alpha
    a = (q * (1 + alpha * alpha * (1 - q))) ** -0.5
    b = -a * (1 - q) * alpha
    top = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        top[i] = a * (x[i] if kept[i] else alpha) + b
    return [top]


@reference("Dropout")
def dropout(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.dropout_param
    scale = 1 / (1 - param.dropout_ratio)
    if call.phase == "TRAIN" or param.sample_weights_test:
        return [x * _kept(call, param.dropout_ratio) * (scale if param.scale_train else 1)]
    return [x if param.scale_train else x / scale]


@reference("Insanity")
def insanity(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.insanity_param
    mean = (param.ub - param.lb) / (math.log(abs(param.ub)) - math.log(abs(param.lb)))
    slopes = np.full(x.shape, mean)
    if call.phase == "TRAIN":
        slopes = call.rng.uniform(x.size, param.lb, param.ub).reshape(x.shape).astype(np.float64)
    top = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        top[i] = max(x[i], 0) + min(x[i], 0) / slopes[i]
    return [top]


@reference("Flip")
def flip(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.flip_param
    top = np.zeros(x.shape)
    for n, c, h, w in np.ndindex(x.shape):
        row = x.shape[2] - 1 - h if param.flip_height else h
        column = x.shape[3] - 1 - w if param.flip_width else w
        top[n, c, h, w] = x[n, c, row, column]
    return [top]


# ---- of small nets


@reference("ConvolutionDepthwise", "DepthwiseConvolution")
def depthwise(call: Call) -> list[Array]:
    x, param, weight = call.bottoms[0], call.layer.convolution_param, call.blobs[0]

    def pair(name: str, short: str, default: int) -> list[int]:
        if short and param.HasField(f"{short}_h"):
            return [getattr(param, f"{short}_h"), getattr(param, f"{short}_w")]
        values = list(getattr(param, name)) or [default]
        return values * 2 if len(values) == 1 else values

    kernel, stride = pair("kernel_size", "kernel", 0), pair("stride", "stride", 1)
    pad, dilation = pair("pad", "pad", 0), pair("dilation", "", 1)
    sizes = [
        (x.shape[2 + i] + 2 * pad[i] - (dilation[i] * (kernel[i] - 1) + 1)) // stride[i] + 1
        for i in (0, 1)
    ]
    top = np.zeros((*x.shape[:2], *sizes))
    for n, c, h, w in np.ndindex(top.shape):
        for i, j in np.ndindex(*kernel):
            row = h * stride[0] - pad[0] + i * dilation[0]
            column = w * stride[1] - pad[1] + j * dilation[1]
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                top[n, c, h, w] += weight[c, 0, i, j] * x[n, c, row, column]
        if param.bias_term:
            top[n, c, h, w] += call.blobs[1][c]
    return [top]


@reference("ShuffleChannel")
def shuffle_channel(call: Call) -> list[Array]:
    x, rows = call.bottoms[0], call.layer.shuffle_channel_param.group
    columns = x.shape[1] // rows
    top = np.zeros(x.shape)
    for n in range(len(x)):
        for i in range(rows):
            for j in range(columns):
                top[n, j * rows + i] = x[n, i * columns + j]
    return [top]


@reference("Axpy")
def axpy(call: Call) -> list[Array]:
    a, x, y = call.bottoms
    top = y.copy()
    for n, c, h, w in np.ndindex(x.shape):
        top[n, c, h, w] += a.reshape(a.shape[:2])[n, c] * x[n, c, h, w]
    return [top]


# ---- normalization


def _statistics(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel, as E(x) and E(x^2) - E(x)^2."""
    mean, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    count = x.size / x.shape[1]
    for place in np.ndindex(x.shape):
        mean[place[1]] += x[place] / count
        squares[place[1]] += x[place] ** 2 / count
    return mean, squares - mean**2


def _apply(x: Array, mean: Array, variance: Array, scale: Array, shift: Array, eps: float) -> Array:
    top = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        c = place[1]
        top[place] = (x[place] - mean[c]) / math.sqrt(variance[c] + eps) * scale[c] + shift[c]
    return top


@reference("BN")
def bn(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.bn_param
    scale, shift = (blob.reshape(-1) for blob in call.blobs[:2])
    if len(call.blobs) == 2:  # SegNet's
        if param.bn_mode == param.INFERENCE:
            return [_apply(x, 0 * scale, 0 * scale + 1, scale, shift, 0)]
        mean, variance = _statistics(x)
        top = _apply(x, mean, variance, scale, shift, 1e-9)
        return [top, mean.reshape(1, -1, 1, 1), variance.reshape(1, -1, 1, 1)][: call.tops]
    call.learned = () if param.frozen else (0, 1)
    moving = [blob.reshape(-1) for blob in call.blobs[2:]]
    if param.frozen or call.phase == "TEST":
        return [_apply(x, *moving, scale, shift, param.eps)]
    batch = _statistics(x)
    for i in (0, 1):
        moved = (1 - param.momentum) * batch[i] + param.momentum * moving[i]
        call.blobs[2 + i] = moved.reshape(1, -1, 1, 1)
    return [_apply(x, *batch, scale, shift, param.eps)]


@reference("BatchNorm")
def nvidia_batch_norm(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.batch_norm_param
    call.learned, eps = (3, 4), max(param.eps, 1e-5)
    mean, variance, _, scale, shift = call.blobs
    if call.phase == "TRAIN":  # the first pass: nothing is moved, but set
        mean, variance = _statistics(x)
        call.blobs[:2] = mean, variance + eps
    return [_apply(x, mean, variance, scale, shift, eps)]


@reference("Normalize")
def normalize(call: Call) -> list[Array]:
    x = call.bottoms[0]
    shape = (*x.shape, 1, 1)[:4]
    four = x.reshape(shape)
    top, norm = np.zeros(shape), np.zeros((shape[0], 1, *shape[2:]))
    if call.layer.HasField("normalize_param"):
        kind = call.layer.normalize_param.normalize_type
        for n, c, h, w in np.ndindex(shape):
            norm[n, 0, h, w] += four[n, c, h, w] ** 2 if kind == "L2" else abs(four[n, c, h, w])
        norm = np.sqrt(norm + 1e-6) if kind == "L2" else norm + 1e-6
        for n, c, h, w in np.ndindex(shape):
            top[n, c, h, w] = four[n, c, h, w] / norm[n, 0, h, w]
        return [top, norm][: call.tops]
    param, scale = call.layer.norm_param, call.blobs[0].reshape(-1)
    for n, c, h, w in np.ndindex(shape):
        norm[n, 0, h, w] += four[n, c, h, w] ** 2
    if param.across_spatial:
        norm[:] = norm.sum((1, 2, 3), keepdims=True)
    for n, c, h, w in np.ndindex(shape):
        length = math.sqrt(norm[n, 0, h, w] + param.eps)
        top[n, c, h, w] = four[n, c, h, w] / length * scale[0 if param.channel_shared else c]
    return [top.reshape(x.shape)]


# ---- segmentation


@reference("Upsample")
def upsample(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.upsample_param
    n, c, height, width = x.shape
    if len(call.bottoms) == 1:  # YOLO's
        scale = param.scale if param.HasField("scale") else 1
        top = np.zeros((n, c, height * scale, width * scale))
        for i, j, h, w in np.ndindex(top.shape):
            top[i, j, h, w] = x[i, j, h // scale, w // scale]
        return [top]
    scale = param.scale if param.HasField("scale") else 2
    size = [
        height * (param.scale_h if param.HasField("scale_h") else scale) - param.pad_out_h,
        width * (param.scale_w if param.HasField("scale_w") else scale) - param.pad_out_w,
    ]
    if param.HasField("upsample_h"):
        size = [param.upsample_h, param.upsample_w]
    top = np.zeros((n, c, size[0] * size[1]))
    for i, j, h, w in np.ndindex(x.shape):
        top[i, j, int(call.bottoms[1][i, j, h, w])] = x[i, j, h, w]
    return [top.reshape(n, c, *size)]


@gradients_of("Upsample")
def upsample_gradient(call: Call, diffs: list[Array]) -> dict[str, Array]:
    if len(call.bottoms) == 1:
        return {}
    found, flat = np.zeros(call.bottoms[0].shape), diffs[0].reshape(*diffs[0].shape[:2], -1)
    for i, j, h, w in np.ndindex(found.shape):
        found[i, j, h, w] = flat[i, j, int(call.bottoms[1][i, j, h, w])]
    return {"b0_diff": found}


@reference("Interp")
def interp(call: Call) -> list[Array]:
    param = call.layer.interp_param
    end = param.pad_end or None
    x = call.bottoms[0][:, :, -param.pad_beg : end, -param.pad_beg : end]
    full = x.shape[2:]
    if param.use_blob_size:
        size = list(call.bottoms[1].shape[2:])
    elif param.HasField("shrink_factor") and not param.HasField("zoom_factor"):
        size = [(one - 1) // param.shrink_factor + 1 for one in full]
    elif param.HasField("zoom_factor") and not param.HasField("shrink_factor"):
        size = [one + (one - 1) * (param.zoom_factor - 1) for one in full]
    elif param.HasField("height") and param.HasField("width"):
        size = [param.height, param.width]
    else:
        size = [(one - 1) // param.shrink_factor + 1 for one in full]
        size = [one + (one - 1) * (param.zoom_factor - 1) for one in size]
    ratio = [(a - 1) / (b - 1) if b > 1 else 0.0 for a, b in zip(full, size)]
    top = np.zeros((*x.shape[:2], *size))
    for n, c, h2, w2 in np.ndindex(top.shape):
        y, z = ratio[0] * h2, ratio[1] * w2
        h, w = min(int(y + 1e-9), full[0] - 1), min(int(z + 1e-9), full[1] - 1)
        below, right = min(h + 1, full[0] - 1), min(w + 1, full[1] - 1)
        dy, dz = y - h, z - w
        upper = (1 - dz) * x[n, c, h, w] + dz * x[n, c, h, right]
        lower = (1 - dz) * x[n, c, below, w] + dz * x[n, c, below, right]
        top[n, c, h2, w2] = (1 - dy) * upper + dy * lower
    return [top]


@reference("SegAccuracy")
def seg_accuracy(call: Call) -> list[Array]:
    (scores, labels), param = call.bottoms, call.layer.seg_accuracy_param
    classes = scores.shape[1]
    counts = np.zeros((classes, classes))
    for n, _, h, w in np.ndindex(labels.shape):
        label = int(labels[n, 0, h, w])
        if label not in param.ignore_label:
            pairs = [(scores[n, c, h, w], c) for c in range(classes)]
            counts[label, max(pairs)[1]] += 1
    recalls, overlaps = [], []
    for c in range(classes):
        right, true, said = counts[c, c], counts[c].sum(), counts[:, c].sum()
        recalls += [right / true] if true else []
        union = true + said - right
        overlaps.append(1.0 if right == union else right / union)
    accuracy = np.trace(counts) / counts.sum()
    scores = [accuracy, sum(recalls) / len(recalls), sum(overlaps) / classes]
    return [np.array(scores).reshape(1, 1, 1, 3)]


# ---- detection


@reference("Permute")
def permute(call: Call) -> list[Array]:
    x, order = call.bottoms[0], list(call.layer.permute_param.order)
    order += [axis for axis in range(x.ndim) if axis not in order]
    top = np.zeros([x.shape[axis] for axis in order])
    for place in np.ndindex(x.shape):
        top[tuple(place[axis] for axis in order)] = x[place]
    return [top]


@reference("PriorBox")
def prior_box(call: Call) -> list[Array]:
    param, (height, width) = call.layer.prior_box_param, call.bottoms[0].shape[2:]
    ratios = [1.0]
    for ratio in param.aspect_ratio:
        if not any(abs(ratio - other) < 1e-6 for other in ratios):
            ratios.append(ratio)
            if param.flip:
                ratios.append(1 / ratio)
    image_h, image_w = call.bottoms[1].shape[2:]
    if param.HasField("img_size"):
        image_h = image_w = param.img_size
    if param.HasField("img_h"):
        image_h, image_w = param.img_h, param.img_w
    step_h, step_w = image_h / height, image_w / width
    if param.HasField("step"):
        step_h = step_w = param.step
    if param.HasField("step_h"):
        step_h, step_w = param.step_h, param.step_w
    boxes = []
    for h in range(height):
        for w in range(width):
            sizes = []
            for index, small in enumerate(map(int, param.min_size)):
                sizes.append((small, small))
                if param.max_size:
                    side = math.sqrt(small * int(param.max_size[index]))
                    sizes.append((side, side))
                for ratio in ratios[1:]:
                    sizes.append((small * math.sqrt(ratio), small / math.sqrt(ratio)))
            x, y = (w + param.offset) * step_w, (h + param.offset) * step_h
            for wide, high in sizes:
                boxes += [(x - wide / 2) / image_w, (y - high / 2) / image_h]
                boxes += [(x + wide / 2) / image_w, (y + high / 2) / image_h]
    if param.clip:
        boxes = [min(max(one, 0), 1) for one in boxes]
    variances = list(param.variance) or [0.1]
    variances = [variances[i % len(variances)] for i in range(len(boxes))]
    return [np.array([[boxes, variances]])]


def _round(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


@reference("ROIPooling")
def roi_pooling(call: Call) -> list[Array]:
    """The bins are computed in float32, as the source does: their edges are rounded."""
    x, param = call.bottoms[0], call.layer.roi_pooling_param
    regions, f = call.bottoms[1].reshape(-1, 5), np.float32
    bins = (param.pooled_h, param.pooled_w)
    top = np.zeros((len(regions), x.shape[1], *bins))
    for r, c, i, j in np.ndindex(top.shape):
        image, *corners = regions[r]
        left, up, right, low = (int(_round(f(one) * f(param.spatial_scale))) for one in corners)
        edges = []
        for begin, end, k, full, count in (
            (up, low, i, x.shape[2], bins[0]),
            (left, right, j, x.shape[3], bins[1]),
        ):
            size = f(max(end - begin + 1, 1)) / f(count)
            first, last = math.floor(f(k) * size) + begin, math.ceil(f(k + 1) * size) + begin
            edges.append((min(max(first, 0), full), min(max(last, 0), full)))
        (h0, h1), (w0, w1) = edges
        inside = [x[int(image), c, h, w] for h in range(h0, h1) for w in range(w0, w1)]
        top[r, c, i, j] = max(inside, default=0.0)
    return [top]


@reference("PSROIPooling")
def psroi_pooling(call: Call) -> list[Array]:
    x, param = call.bottoms[0], call.layer.psroi_pooling_param
    regions, f, group = call.bottoms[1].reshape(-1, 5), np.float32, param.group_size
    scale = f(param.spatial_scale)
    top = np.zeros((len(regions), param.output_dim, group, group))
    for r, o, i, j in np.ndindex(top.shape):
        image, x1, y1, x2, y2 = regions[r]
        edges = []
        for begin, end, k, full in ((y1, y2, i, x.shape[2]), (x1, x2, j, x.shape[3])):
            first, last = f(_round(begin)) * scale, f(_round(end) + 1) * scale
            size = f(max(last - first, f(0.1))) / f(group)
            one, two = math.floor(f(k) * size + first), math.ceil(f(k + 1) * size + first)
            edges.append((min(max(one, 0), full), min(max(two, 0), full)))
        (h0, h1), (w0, w1) = edges
        channel = (o * group + i) * group + j
        inside = [x[int(image), channel, h, w] for h in range(h0, h1) for w in range(w0, w1)]
        top[r, o, i, j] = sum(inside) / len(inside) if inside else 0.0
    return [top]


# ---- losses


@reference("SmoothL1Loss", "SmoothL1LossOHEM")
def smooth_l1(call: Call) -> list[Array]:
    a, b, *weights = call.bottoms
    squared = call.layer.smooth_l1_loss_param.sigma**2
    errors = np.zeros(a.shape)
    for place in np.ndindex(a.shape):
        value = a[place] - b[place]
        value = value * weights[0][place] if weights else value
        small = abs(value) < 1 / squared
        errors[place] = 0.5 * value**2 * squared if small else abs(value) - 0.5 / squared
        errors[place] *= weights[1][place] if len(weights) > 1 else 1
    n, _, height, width = (*a.shape, 1, 1)[:4]
    each = errors.reshape(n, -1, height, width).sum(1, keepdims=True)
    return [errors.sum() / _divisor(call, n, height * width), each][: call.tops]


def _divisor(call: Call, outer: int, inner: int) -> float:
    param = call.layer.loss_param
    mode = "VALID" if call.layer.type == "SmoothL1LossOHEM" else "BATCH_SIZE"
    if param.HasField("normalization"):
        mode = param.NormalizationMode.Name(param.normalization)
    elif param.HasField("normalize"):
        mode = "VALID" if param.normalize else "BATCH_SIZE"
    fixed = {"BATCH_SIZE": outer, "NONE": 1, "PRE_FIXED": param.pre_fixed_normalizer}
    return max(fixed.get(mode, outer * inner), 1)


@gradients_of("SmoothL1Loss", "SmoothL1LossOHEM")
def smooth_l1_gradient(call: Call, diffs: list[Array]) -> dict[str, Array]:
    """Of three bottoms, the gradient is not multiplied by the weights."""
    if len(call.bottoms) != 3:
        return {}
    a, b, weight = call.bottoms
    n, _, height, width = (*a.shape, 1, 1)[:4]
    found = np.zeros(a.shape)
    for place in np.ndindex(a.shape):
        value = weight[place] * (a[place] - b[place])
        found[place] = value if abs(value) < 1 else math.copysign(1, value)
    found /= _divisor(call, n, height * width)
    return {"b0_diff": found, "b1_diff": -found}


@reference("SoftmaxWithLossOHEM", "SoftmaxWithLoss")
def softmax_loss(call: Call) -> list[Array]:
    (x, labels), param = call.bottoms, call.layer.loss_param
    powers = np.exp(x)
    probabilities = powers / powers.sum(1, keepdims=True)
    losses, counted = np.zeros(labels.shape), 0
    for n, h, w in np.ndindex(labels.shape):
        label = int(labels[n, h, w])
        if param.HasField("ignore_label") and label == param.ignore_label:
            continue
        weight = param.class_weighting[label] if param.weight_by_label_freqs else 1
        losses[n, h, w] = -weight * math.log(probabilities[n, label, h, w])
        counted += 1
    divisor = counted
    if param.HasField("normalize") and not param.normalize:
        divisor = len(x)
    if param.HasField("normalization"):
        mode = param.NormalizationMode.Name(param.normalization)
        divisor = {"FULL": labels.size, "NONE": 1, "PRE_FIXED": param.pre_fixed_normalizer}[mode]
    return [losses.sum() / divisor, probabilities, losses][: call.tops]


@reference("BoxAnnotatorOHEM")
def box_annotator(call: Call) -> list[Array]:
    (regions, losses, labels, weights), param = call.bottoms, call.layer.box_annotator_ohem_param
    n, _, height, width = (*regions.shape, 1, 1)[:4]
    regions = regions.reshape(n, 5, height * width)
    order = sorted(range(losses.size), key=lambda i: -losses.reshape(-1)[i])
    left = {image: param.roi_per_img for image in regions[:, 0].reshape(-1)}
    kept = np.full((n, height * width), float(param.ignore_label))
    made = np.zeros((n, weights.shape[1], height * width))
    for index in order:
        region, place = divmod(index, height * width)
        image = regions[region, 0, place]
        if left[image] > 0:
            left[image] -= 1
            kept[region, place] = labels.reshape(-1)[index]
            made[region, :, place] = weights.reshape(made.shape)[region, :, place]
    return [kept.reshape(n, 1, height, width), made.reshape(n, -1, height, width)]


# ---- faces


@reference("CenterLoss")
def center_loss(call: Call) -> list[Array]:
    rows, labels = call.bottoms[0].reshape(len(call.bottoms[0]), -1), call.bottoms[1].reshape(-1)
    total = 0.0
    for row, label in zip(rows, labels.astype(int)):
        total += float(((row - call.blobs[0][label]) ** 2).sum())
    return [np.array(total / len(rows) / 2)]


@gradients_of("CenterLoss")
def center_gradient(call: Call, diffs: list[Array]) -> dict[str, Array]:
    rows, labels = call.bottoms[0].reshape(len(call.bottoms[0]), -1), call.bottoms[1].reshape(-1)
    centers = call.blobs[0]
    found = np.zeros(centers.shape)
    for label in range(len(centers)):
        mine = [row for row, other in zip(rows, labels) if int(other) == label]
        for row in mine:
            found[label] += (centers[label] - row) / (len(mine) + 1)
    return {"blob0_diff": found}


@reference("MarginInnerProduct")
def margin_inner_product(call: Call) -> list[Array]:
    x, weight, param, factor = _margin_terms(call)
    call.blobs[0] = weight
    psi = {
        1: lambda c: c,
        2: lambda c: 2 * np.sign(c) * c**2 - 1,
        3: _psi_of_three,
        4: _psi_of_four,
    }[param.type + 1]
    top = np.zeros((len(x), len(weight)))
    for i, row in enumerate(x):
        length = math.sqrt((row**2).sum())
        for j, column in enumerate(weight):
            plain = float(row @ column)
            own = j == int(call.bottoms[1][i])
            changed = length * psi(plain / length) if own else plain
            top[i, j] = (changed + factor * plain) / (1 + factor) if param.type else plain
    return [top, np.array([factor])][: call.tops]


def _psi_of_three(c: float) -> float:
    """cos(3 angle) with its sign and 2 k, as the angle grows from 0 to pi."""
    angle = math.acos(c)
    k = int(3 * angle / math.pi)
    return (-1) ** k * math.cos(3 * angle) - 2 * k


def _psi_of_four(c: float) -> float:
    angle = math.acos(c)
    k = int(4 * angle / math.pi)
    return (-1) ** k * math.cos(4 * angle) - 2 * k


def _margin_terms(call: Call) -> tuple[Array, Array, Any, float]:
    param, weight = call.layer.margin_inner_product_param, call.blobs[0]
    weight = weight / np.sqrt((weight**2).sum(1, keepdims=True))
    factor = param.base * (1 + param.gamma * (param.iteration + 1)) ** -param.power
    x = call.bottoms[0].reshape(len(call.bottoms[0]), -1)
    return x, weight, param, max(factor, param.lambda_min)


@gradients_of("MarginInnerProduct")
def margin_gradient(call: Call, diffs: list[Array]) -> dict[str, Array]:
    x, weight, param, factor = _margin_terms(call)
    to_x = np.zeros(x.shape)
    for i, row in enumerate(x):
        length = math.sqrt((row**2).sum())
        for j, column in enumerate(weight):
            g, cosine = diffs[0][i, j], float(row @ column) / length
            if param.type == 0:
                to_x[i] += g * column
                continue
            to_x[i] += g * column * factor / (1 + factor)
            if j != int(call.bottoms[1][i]):
                to_x[i] += g * column / (1 + factor)
                continue
            a, b = _margin_coefficients(cosine, param.type + 1)
            b = -b / length
            to_x[i] += g * (a * column + b * row) / math.hypot(a, b) / (1 + factor)
    return {"b0_diff": to_x.reshape(call.bottoms[0].shape), "blob0_diff": diffs[0].T @ x}


def _margin_coefficients(c: float, margin: int) -> tuple[float, float]:
    """What the source multiplies the weight by, and the row by, times -|x|."""
    sign = math.copysign(1, c)
    if margin == 2:
        return 4 * sign * c, 2 * sign * c * c + 1
    if margin == 3:
        sign_1 = math.copysign(1, abs(c) - 0.5)
        sign_2 = sign * (1 + sign_1) - 2
        return sign_1 * (12 * c * c - 3), 8 * sign_1 * c**3 - sign_2
    sign_3 = sign * math.copysign(1, 2 * c * c - 1)
    sign_4 = 2 * sign + sign_3 - 3
    return sign_3 * (32 * c**3 - 16 * c), sign_3 * (24 * c**4 - 8 * c * c - 1) - sign_4


def _as_probabilities(call: Call) -> Array:
    weight = call.blobs[0].copy()
    for row in weight:
        row[row < 0] = call.layer.inner_product_as_prob_param.minvalue
        row /= row.sum() if row.sum() >= 1e-10 else 1
    return weight


@reference("InnerProductAsProb")
def inner_product_as_prob(call: Call) -> list[Array]:
    axis = call.layer.inner_product_as_prob_param.axis
    call.blobs[0] = _as_probabilities(call)
    rows = call.bottoms[0].reshape(*call.bottoms[0].shape[:axis], -1)
    return [rows @ call.blobs[0]]


@gradients_of("InnerProductAsProb")
def as_prob_gradient(call: Call, diffs: list[Array]) -> dict[str, Array]:
    """The gradient of the weight that forward has made."""
    axis = call.layer.inner_product_as_prob_param.axis
    rows = call.bottoms[0].reshape(math.prod(call.bottoms[0].shape[:axis]), -1)
    return {"blob0_diff": rows.T @ diffs[0].reshape(len(rows), -1)}
