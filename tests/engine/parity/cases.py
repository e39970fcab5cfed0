"""The layers and parameters that both engines must agree on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.engine.parity.bvlc_cases import BVLC_CASES
from tests.engine.parity.case import Case, Chain, Graph, begin, labels, normal, positive, ties


def _neurons() -> Iterator[Case]:
    x = normal(2, 3, 5, 4)
    for shape in ((7,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 2, 2, 3, 2)):
        yield Case("AbsVal", "", [normal(*shape)])
    for slope in ("", "relu_param { negative_slope: 0.1 }"):
        yield Case("ReLU", slope, [x])
        yield Case("ReLU", slope, [ties(2, 3, 4) - 1], name=f"ReLU[{slope}](ties)")
    yield Case("ELU", "", [x])
    yield Case("ELU", "elu_param { alpha: 0.5 }", [x])
    yield Case("PReLU", "", [x])
    yield Case("PReLU", "", [normal(4, 6)])
    yield Case("PReLU", "prelu_param { channel_shared: true }", [x])
    yield Case("Sigmoid", "", [x * 4])
    yield Case("TanH", "", [x * 2])
    yield Case("Clip", "clip_param { min: -0.5 max: 0.75 }", [x])
    for text in ("power: 2", "power: 3 scale: 0.5 shift: 2", "scale: -2 shift: 1", "power: 0"):
        yield Case("Power", f"power_param {{ {text} }}", [x])
    for text in ("power: -0.5 shift: 0.1", "power: 0.5", "power: 2 shift: -1", "scale: 0 shift: 3"):
        yield Case("Power", f"power_param {{ {text} }}", [positive(3, 4)])
    for text in ("", "base: 2", "base: 3 scale: 0.5 shift: 0.2", "shift: 1"):
        yield Case("Exp", f"exp_param {{ {text} }}", [x])
        yield Case("Log", f"log_param {{ {text} }}", [positive(3, 4)])
    for text in (
        "power: 2 scale: 0 shift: -3",
        "power: 0.5 scale: 0 shift: -2",
        "power: -1 scale: 0",
    ):
        yield Case("Power", f"power_param {{ {text} }}", [positive(3, 4)])
    yield Case("Power", "power_param { power: 20 }", [positive(3, 4) * 20], name="Power(overflow)")
    yield Case("Exp", "exp_param { base: 10 shift: 30 }", [x[0]])
    yield Case("Exp", "exp_param { base: 10 shift: 400 }", [positive(3, 4)], name="Exp(overflow)")
    yield Case("Threshold", "threshold_param { threshold: 0.25 }", [x], backward=False)
    for phase in ("TRAIN", "TEST"):
        yield Case("Dropout", "", [normal(6, 50)], phase=phase)
        yield Case("Dropout", "dropout_param { dropout_ratio: 0.3 }", [x], phase=phase)


def _shapes() -> Iterator[Case]:
    a, b = normal(2, 3, 4, 5), normal(2, 2, 4, 5)
    yield Case("Concat", "", [a, b])
    yield Case("Concat", "", [a])
    yield Case("Concat", "concat_param { axis: 0 }", [a, a + 1, a * 2])
    yield Case("Concat", "concat_param { axis: -1 }", [a, normal(2, 3, 4, 1)])
    yield Case("Concat", "concat_param { concat_dim: 1 }", [b, a])
    yield Case("Slice", "", [normal(2, 4, 3)], tops=2)
    yield Case("Slice", "slice_param { axis: 0 slice_point: 1 slice_point: 3 }", [normal(5, 2)], 3)
    yield Case("Slice", "slice_param { slice_dim: 1 slice_point: 2 }", [a], 2)
    yield Case("Slice", "slice_param { axis: -1 }", [normal(2, 6)], 3)
    yield Case("Split", "", [a], tops=3)
    for text in ("", "axis: 2", "axis: 0 end_axis: 1", "axis: -3 end_axis: -2"):
        yield Case("Flatten", f"flatten_param {{ {text} }}", [a])
    for text in (
        "shape { dim: 0 dim: -1 }",
        "shape { dim: 6 dim: 20 }",
        "shape { dim: 0 dim: 0 dim: -1 }",
        "axis: 1 num_axes: 2 shape { dim: 2 dim: 6 }",
        "axis: -2 shape { dim: -1 dim: 1 }",
        "axis: 1 num_axes: 0 shape { dim: 1 }",
    ):
        yield Case("Reshape", f"reshape_param {{ {text} }}", [a])
    yield Case("Tile", "tile_param { tiles: 3 }", [a])
    yield Case("Tile", "tile_param { axis: -1 tiles: 2 }", [a])
    yield Case("Tile", "tile_param { axis: 2 tiles: 20 }", [a])
    yield Case("Tile", "tile_param { axis: 0 tiles: 2 }", [normal(2, 3)])
    small = normal(2, 2, 2, 3)
    for text in ("", "offset: 1", "axis: 1 offset: 0 offset: 2 offset: 1", "axis: -1 offset: 2"):
        like = normal(2, 3, 4, 3) if "-1" in text else small
        yield Case(
            "Crop",
            f"crop_param {{ {text} }}",
            [normal(2, 3, 4, 5)[:, : 2 if not text or text == "offset: 1" else 3], like],
            labels=(1,),
        )


def _combinations() -> Iterator[Case]:
    a, b, c = positive(2, 3, 4), positive(2, 3, 4), positive(2, 3, 4)
    yield Case("Eltwise", "", [a, b, c])
    yield Case("Eltwise", "eltwise_param { coeff: 1 coeff: -0.5 }", [a, b])
    for stable in ("true", "false"):
        text = f"eltwise_param {{ operation: PROD stable_prod_grad: {stable} }}"
        yield Case("Eltwise", text, [a, b, c])
    yield Case("Eltwise", "eltwise_param { operation: MAX }", [a, b, c])
    yield Case(
        "Eltwise",
        "eltwise_param { operation: MAX }",
        [ties(2, 9), ties(2, 9)],
        name="Eltwise[MAX](ties)",
    )
    for operation in ("SUM", "ASUM", "SUMSQ", "MEAN"):
        for text in ("", "axis: 1", "axis: -1 coeff: -2.5"):
            fields = f"reduction_param {{ operation: {operation} {text} }}"
            yield Case("Reduction", fields, [normal(2, 3, 4)])
    for text in (
        "",
        "top_k: 2",
        "out_max_val: true",
        "axis: 1",
        "axis: -1 top_k: 2 out_max_val: true",
    ):
        yield Case("ArgMax", f"argmax_param {{ {text} }}", [normal(3, 4, 5)], backward=False)
    yield Case(
        "ArgMax", "argmax_param { top_k: 3 }", [ties(3, 7)], backward=False, name="ArgMax(ties)"
    )
    yield Case("Silence", "", [a, b], tops=0)


def _filters() -> Iterator[Case]:
    x = normal(2, 4, 7, 6)
    for text in (
        "kernel_size: 3",
        "kernel_size: 3 pad: 1 stride: 2",
        "kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 1 stride_h: 2 stride_w: 1",
        "kernel_size: 3 kernel_size: 1 stride: 1 stride: 2 pad: 0 pad: 1",
        "kernel_size: 3 dilation: 2",
        "kernel_size: 2 dilation: 2 dilation: 3 pad: 2",
        "kernel_size: 3 group: 2",
        "kernel_size: 1 group: 4 bias_term: false",
        "kernel_size: 5 pad: 2 bias_term: false",
    ):
        for kind in ("Convolution", "Deconvolution"):
            yield Case(kind, f"convolution_param {{ num_output: 8 {text} }}", [x])
    text = "convolution_param { num_output: 3 kernel_size: 3 }"
    yield Case("Convolution", text, [x, normal(2, 4, 7, 6)], tops=2, name="Convolution[2 bottoms]")
    yield Case(
        "Convolution",
        "convolution_param { num_output: 3 kernel_size: 2 stride: 2 }",
        [normal(2, 3, 9)],
    )
    yield Case(
        "Convolution",
        "convolution_param { num_output: 2 kernel_size: 2 pad: 1 }",
        [normal(2, 2, 4, 5, 3)],
    )
    yield Case(
        "Convolution",
        "convolution_param { num_output: 3 kernel_size: 2 axis: 2 }",
        [normal(2, 3, 2, 5, 4)],
    )
    yield Case(
        "Deconvolution",
        "convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 }",
        [x],
    )
    for text in ("kernel_size: 3", "kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 bias_term: false"):
        yield Case("Deconvolution", f"convolution_param {{ num_output: 1 {text} }}", [x])
    for text in ("", "bias_term: false", "transpose: true", "axis: 2", "axis: -1"):
        yield Case(
            "InnerProduct", f"inner_product_param {{ num_output: 5 {text} }}", [normal(3, 2, 4)]
        )


def _pools() -> Iterator[Case]:
    for text in (
        "kernel_size: 2 stride: 2",
        "kernel_size: 3 stride: 2",
        "kernel_size: 3 stride: 2 pad: 1",
        "kernel_size: 3 stride: 3 pad: 2",
        "kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0",
        "kernel_size: 2 stride: 3",
        "global_pooling: true",
        "kernel_size: 2 stride: 2 round_mode: FLOOR",
    ):
        for size in ((7, 5), (6, 8)):
            if "stride: 3" in text and "pad" not in text and size == (6, 8):
                continue  # a window outside the image: real Caffe writes outside its memory
            x = normal(2, 3, *size)
            fields = f"pooling_param {{ pool: MAX {text} }}"
            yield Case("Pooling", fields, [x])
            yield Case(
                "Pooling",
                fields,
                [x],
                tops=2,
                only_first=True,
                name=f"Pooling[{fields}]({size}) with mask",
            )
            yield Case(
                "Pooling",
                fields,
                [ties(2, 3, *size)],
                tops=2,
                only_first=True,
                name=f"Pooling[{fields}]({size}) ties",
            )
            yield Case("Pooling", f"pooling_param {{ pool: AVE {text} }}", [x])
    for text, size, kernel, stride, pad in (
        ("kernel_size: 2 stride: 2", 8, 2, 2, 0),
        ("kernel_size: 3 stride: 2 pad: 1", 8, 3, 2, 1),
        ("kernel_size: 3 stride: 2", 9, 3, 2, 0),
    ):
        pooled, mask = _pooled(ties(2, 3, size, size), kernel, stride, pad)
        like = normal(2, 3, size, size)
        fields = f"pooling_param {{ {text} }}"
        if (pooled.shape[2] - 1) * stride + kernel - 2 * pad == size:
            yield Case("MaxUnpool", fields, [pooled + normal(*pooled.shape), mask], labels=(1,))
        yield Case("MaxUnpool", fields, [normal(*pooled.shape), mask, like], labels=(1, 2))
    pooled, mask = _pooled(normal(2, 3, 7, 5), 2, 2, 0)
    yield Case(
        "MaxUnpool",
        "pooling_param { kernel_size: 2 stride: 2 }",
        [pooled, mask, normal(2, 3, 7, 5)],
        labels=(1, 2),
    )


def _pooled(x, kernel, stride, pad):
    """Return max pooling and its mask by a plain loop, as the definition says."""
    count = (
        -(-(x.shape[2] + 2 * pad - kernel) // stride) + 1,
        -(-(x.shape[3] + 2 * pad - kernel) // stride) + 1,
    )
    if pad:
        count = tuple(c - ((c - 1) * stride >= n + pad) for c, n in zip(count, x.shape[2:]))
    top = np.zeros((*x.shape[:2], *count), np.float32)
    mask = np.zeros_like(top)
    for place in np.ndindex(top.shape):
        n, c, i, j = place
        best = -np.inf
        for row in range(max(i * stride - pad, 0), min(i * stride - pad + kernel, x.shape[2])):
            for column in range(
                max(j * stride - pad, 0), min(j * stride - pad + kernel, x.shape[3])
            ):
                if x[n, c, row, column] > best:
                    best = x[n, c, row, column]
                    top[place], mask[place] = best, row * x.shape[3] + column
    return top, mask


def _normalizations() -> Iterator[Case]:
    x = normal(3, 4, 5, 2)
    for phase in ("TRAIN", "TEST"):
        for text in ("", "batch_norm_param { moving_average_fraction: 0.9 eps: 0.01 }"):
            yield Case("BatchNorm", text, [x * 2 + 1], phase=phase)
            yield Case("BatchNorm", text, [normal(6, 3)], phase=phase)
    yield Case("BatchNorm", "batch_norm_param { use_global_stats: true }", [x])
    yield Case("BatchNorm", "batch_norm_param { use_global_stats: false }", [x], phase="TEST")
    yield Case("BatchNorm", "", [normal(2, 3, 4)])
    yield Case("MVN", "", [normal(3, 6)])
    yield Case("Scale", "scale_param { axis: 0 }", [normal(6)])
    yield Case("Bias", "bias_param { axis: 0 }", [normal(6)])
    yield Case("InnerProduct", "inner_product_param { num_output: 3 axis: 0 }", [normal(6)])
    yield Case("Softmax", "softmax_param { axis: 0 }", [normal(6)])
    for text in (
        "",
        "bias_term: true",
        "axis: 0 num_axes: 2 bias_term: true",
        "axis: -2 num_axes: -1",
        "num_axes: 0 bias_term: true",
        "axis: 2 num_axes: 1",
    ):
        yield Case("Scale", f"scale_param {{ {text} }}", [x])
    for text in ("", "axis: 0 num_axes: 3", "num_axes: 0", "axis: -1"):
        yield Case("Bias", f"bias_param {{ {text} }}", [x])
    yield Case("Scale", "scale_param { axis: 0 }", [x, normal(3)])
    yield Case("Scale", "scale_param { axis: 1 bias_term: true }", [x, normal(4, 5)])
    yield Case("Scale", "scale_param { axis: 0 }", [x, normal(3, 4, 5, 2)])
    yield Case("Bias", "bias_param { axis: 0 }", [x, normal(3, 4)])
    for text in (
        "",
        "local_size: 3 alpha: 0.5 beta: 0.6 k: 2",
        "norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.7",
    ):
        yield Case("LRN", f"lrn_param {{ {text} }}", [normal(2, 6, 5, 4)])
    for text in (
        "",
        "across_channels: true",
        "normalize_variance: false",
        "normalize_variance: false across_channels: true",
        "eps: 0.5",
    ):
        yield Case("MVN", f"mvn_param {{ {text} }}", [x])
    a, b = ties(4, 30), ties(4, 30)
    b[0], a[1] = a[0], 0
    yield Case("NormalizedDistance", "", [a, b], name="NormalizedDistance(equal and zero rows)")
    yield Case("NormalizedDistance", "", [normal(3, 2, 4), normal(3, 2, 4)])


def _losses() -> Iterator[Case]:
    x, y = normal(5, 6), labels(6, 5)
    yield Case("Softmax", "", [x * 5])
    yield Case("Softmax", "softmax_param { axis: -1 }", [normal(2, 3, 4)])
    yield Case("Softmax", "softmax_param { axis: 0 }", [normal(2, 3)])
    maps, places = normal(2, 4, 3, 2), labels(4, 2, 3, 2)
    for text in ("", "ignore_label: 1", "ignore_label: 9", "normalize: false", "normalize: true"):
        yield Case("SoftmaxWithLoss", f"loss_param {{ {text} }}", [x, y], labels=(1,))
    for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
        for ignore in ("", "ignore_label: 2"):
            text = f"loss_param {{ normalization: {mode} {ignore} }}"
            yield Case("SoftmaxWithLoss", text, [maps, places], labels=(1,))
            binary = (places % 3).clip(0, 2)
            yield Case(
                "SigmoidCrossEntropyLoss", text, [maps, np.resize(binary, maps.shape)], labels=(1,)
            )
    nothing = np.full(5, 3, np.float32)
    yield Case(
        "SoftmaxWithLoss",
        "loss_param { ignore_label: 3 }",
        [x, nothing],
        labels=(1,),
        name="SoftmaxWithLoss(all ignored)",
    )
    yield Case(
        "SoftmaxWithLoss", "", [x * 80, y], labels=(1,), name="SoftmaxWithLoss(probability 0)"
    )
    yield Case(
        "SoftmaxWithLoss", "softmax_param { axis: 2 } ", [maps, labels(3, 2, 4, 2)], labels=(1,)
    )
    yield Case("SoftmaxWithLoss", "loss_weight: 0.3", [x, y], labels=(1,))
    yield Case(
        "SigmoidCrossEntropyLoss", "", [x * 9, (normal(5, 6) > 0).astype(np.float32)], labels=(1,)
    )
    yield Case(
        "SigmoidCrossEntropyLoss",
        "",
        [x, positive(5, 6) / 2],
        labels=(1,),
        name="SigmoidCrossEntropyLoss(soft targets)",
    )
    yield Case("EuclideanLoss", "", [x, normal(5, 6)])
    yield Case("EuclideanLoss", "loss_weight: 0.25", [normal(3, 2, 4, 4), normal(3, 2, 4, 4)])
    for norm in ("L1", "L2"):
        yield Case("HingeLoss", f"hinge_loss_param {{ norm: {norm} }}", [x, y], labels=(1,))
        text = f"hinge_loss_param {{ norm: {norm} }}"
        ties_at_1 = np.array([[1, -1, 0], [2, -1, -1], [-1, 1, -3]], np.float32)
        yield Case(
            "HingeLoss", text, [ties_at_1, labels(3, 3)], 1, (1,), name=f"HingeLoss {norm} ties"
        )
        yield Case("HingeLoss", text, [normal(5), labels(1, 5)], labels=(1,))
    a, b, same = normal(6, 4), normal(6, 4), labels(2, 6)
    yield Case("ContrastiveLoss", "", [a[:, 0], b[:, 0], same], labels=(2,))
    yield Case("EuclideanLoss", "", [a[:, 0], b[:, 0]])
    b[0], b[1] = a[0], a[1] + 0.1
    for legacy in ("false", "true"):
        for margin in (0.5, 3):
            text = f"contrastive_loss_param {{ margin: {margin} legacy_version: {legacy} }}"
            yield Case("ContrastiveLoss", text, [a, b, same], labels=(2,))
    text = "contrastive_loss_param { margin: 2 }"
    yield Case(
        "ContrastiveLoss", text, [a, b, same * 0], labels=(2,), name="ContrastiveLoss(dissimilar)"
    )
    hits = y.copy()
    hits[:3] = x.argmax(1)[:3]
    for text in ("", "top_k: 2", "ignore_label: 1", "top_k: 3 ignore_label: 0"):
        for tops in (1, 2):
            yield Case(
                "Accuracy",
                f"accuracy_param {{ {text} }}",
                [x, hits],
                tops,
                (1,),
                backward=False,
                name=f"Accuracy[{text}] {tops} tops",
            )
    yield Case("Accuracy", "accuracy_param { axis: 1 }", [maps, places], 1, (1,), backward=False)
    yield Case(
        "Accuracy",
        "accuracy_param { ignore_label: 3 }",
        [x, nothing],
        1,
        (1,),
        backward=False,
        name="Accuracy(all ignored)",
    )
    yield Case(
        "Accuracy", "", [ties(9, 4), labels(4, 9)], 1, (1,), backward=False, name="Accuracy(ties)"
    )


def _chains() -> Iterator[Case]:
    """What training does in one step (engine/fusion.py)."""
    x, slope = normal(3, 4, 6, 5), "relu_param { negative_slope: 0.1 }"
    conv = "convolution_param { num_output: 4 kernel_size: 3 %s }"
    for bias in ("", "bias_term: false"):
        for kind in ("Convolution", "Deconvolution"):
            yield Chain(f"{kind}+ReLU", conv % bias + ";", [x])
        inner = f"inner_product_param {{ num_output: 7 {bias} }}"
        yield Chain("InnerProduct+ReLU", f"{inner};", [x])
    one = "convolution_param { num_output: 1 kernel_size: 3 pad: 1 };"
    yield Chain("Deconvolution+ReLU", one, [x])
    yield Chain("Scale+ReLU", "scale_param { bias_term: true };", [x])
    yield Chain("Bias+ReLU", ";", [x])
    for phase in ("TRAIN", "TEST"):
        yield Chain("BatchNorm+ReLU", ";", [x], phase=phase)
        for bias in ("", "bias_term: true"):
            scale = f";scale_param {{ {bias} }}"
            yield Chain("BatchNorm+Scale", scale, [x * 3 + 1], phase=phase)
            for in_place in (True, False):
                yield Chain(
                    "BatchNorm+Scale+ReLU", f"{scale};", [x], 1, phase=phase, in_place=in_place
                )
    yield Chain("BatchNorm+Scale+ReLU", ";scale_param { bias_term: true };", [normal(6, 5)])
    # of one channel, as a decoder ends; and what may not be joined
    yield Chain("BatchNorm+Scale+ReLU", ";scale_param { bias_term: true };", [normal(4, 1, 6, 5)])
    by_image = ";scale_param { axis: 0 num_axes: 1 };"
    yield Chain("BatchNorm+Scale+ReLU", by_image, [x], joined=False)
    yield Chain("Convolution+ReLU", f"{conv % ''};{slope}", [x], joined=False)
    block = f"{conv % 'bias_term: false'};;scale_param {{ bias_term: true }};"
    pool = "pooling_param { kernel_size: 2 stride: 2 }"
    kinds = "Convolution+BatchNorm+Scale+ReLU+Pooling"
    yield Chain(kinds, f"{block};{pool}", [x], in_place=False, joined=False)
    x = normal(5, 6)
    yield Graph("three readers", READERS, [x], name="three readers")
    yield Graph("three readers", SPLIT, [x], name="three readers of a Split")


#: A blob that three layers read: its gradient is a sum of three.
READERS = """
layer { name: "a" type: "TanH" bottom: "b0" top: "a" }
layer { name: "x" type: "InnerProduct" bottom: "a" top: "x" inner_product_param { num_output: 6 } }
layer { name: "y" type: "InnerProduct" bottom: "a" top: "y" inner_product_param { num_output: 6 } }
layer { name: "t" type: "Eltwise" bottom: "x" bottom: "a" bottom: "y" top: "t0" }
"""
#: The same, of the tops of a Split.
SPLIT = """
layer { name: "a" type: "TanH" bottom: "b0" top: "a" }
layer { name: "s" type: "Split" bottom: "a" top: "s0" top: "s1" top: "s2" }
layer { name: "x" type: "InnerProduct" bottom: "s0" top: "x" inner_product_param { num_output: 6 } }
layer { name: "y" type: "InnerProduct" bottom: "s1" top: "y" inner_product_param { num_output: 6 } }
layer { name: "t" type: "Eltwise" bottom: "x" bottom: "s2" bottom: "y" top: "t0" }
"""

begin(1)
CASES = [
    *_neurons(),
    *_shapes(),
    *_combinations(),
    *_filters(),
    *_pools(),
    *_normalizations(),
    *_losses(),
    *_chains(),
    *BVLC_CASES,
]
