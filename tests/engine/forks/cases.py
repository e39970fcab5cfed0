"""The layers of other Caffes and their parameters, each with bottoms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.formats.other_caffes import BVLC_LAYERS
from tests.engine.parity.case import Case, begin, labels, normal, positive


def _distinct(*shape: int) -> NDArray[np.float32]:
    """Numbers of which no two are equal, in any order."""
    count = int(np.prod(shape))
    return (
        (np.random.default_rng(count).permutation(count) / 8 - 3).reshape(shape).astype(np.float32)
    )


def _neurons() -> Iterator[Case]:
    x = normal(2, 2, 3, 3) * 4
    yield Case("ReLU6", "", [x])
    yield Case("ReLU6", "relu6_param { negative_slope: 0.1 }", [x])
    yield Case("SeLu", "", [x])
    yield Case("SeLu", "selu_param { lambda: 2 alpha: 0.5 }", [x])
    for phase in ("TRAIN", "TEST"):
        yield Case("SeLuDropout", "", [normal(5, 8)], phase=phase)
        yield Case(
            "SeLuDropout", "selu_dropout_param { dropout_ratio: 0.5 alpha: -2 }", [x], phase=phase
        )
        yield Case("Insanity", "", [x], phase=phase)
        yield Case("Insanity", "insanity_param { lb: -8 ub: -3 }", [x], phase=phase)
        for text in ("scale_train: false", "sample_weights_test: true dropout_ratio: 0.3"):
            yield Case("Dropout", f"dropout_param {{ {text} }}", [x], phase=phase)
    for text in ("", "flip_width: false flip_height: true", "flip_height: true"):
        yield Case("Flip", f"flip_param {{ {text} }}", [x])


def _mobile() -> Iterator[Case]:
    x = normal(1, 4, 5, 3)
    filters = "kernel_size: 3 pad: 1 stride: 2"
    yield Case("ConvolutionDepthwise", f"convolution_param {{ num_output: 9 {filters} }}", [x])
    text = "kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 0 stride_h: 1 stride_w: 2 dilation: 2"
    yield Case("ConvolutionDepthwise", f"convolution_param {{ {text} bias_term: false }}", [x])
    text = f"num_output: 4 group: 4 {filters}"
    yield Case("DepthwiseConvolution", f"convolution_param {{ {text} }}", [x])
    for group in (1, 2, 3):
        fields = f"shuffle_channel_param {{ group: {group} }}"
        yield Case("ShuffleChannel", fields, [normal(2, 6, 2, 3)])
    yield Case("ShuffleChannel", "shuffle_channel_param { group: 2 }", [normal(2, 4)])
    yield Case("Axpy", "", [normal(2, 3, 1, 1), normal(2, 3, 2, 2), normal(2, 3, 2, 2)])
    yield Case("Axpy", "", [normal(2, 3), normal(2, 3, 2, 2), normal(2, 3, 2, 2)])


def _normalizations() -> Iterator[Case]:
    x = normal(3, 2, 3, 2)
    yield Case("BN", "", [x])
    yield Case("BN", "bn_param { bn_mode: INFERENCE }", [x])
    yield Case("BN", "", [x], tops=3, only_first=True)
    for phase in ("TRAIN", "TEST"):
        for text in ("eps: 0.1", "momentum: 0.3", "frozen: true"):
            yield Case("BN", f"bn_param {{ {text} }}", [x], phase=phase)
        for text in ("scale_bias: true", "scale_filler { } moving_average_fraction: 0.5 eps: 0.1"):
            yield Case("BatchNorm", f"batch_norm_param {{ {text} }}", [x], phase=phase)
    for text in ("", "across_spatial: false", "channel_shared: false eps: 0.5"):
        yield Case("Normalize", f"norm_param {{ {text} }}", [x])
    yield Case(
        "Normalize", "norm_param { across_spatial: false channel_shared: false }", [normal(3, 4)]
    )
    for kind in ("L1", "L2"):
        text = f"normalize_type: '{kind}'"
        yield Case("Normalize", f"normalize_param {{ {text} }}", [x])
        yield Case("Normalize", f"normalize_param {{ {text} }}", [x], tops=2, only_first=True)
        yield Case("Normalize", f"normalize_param {{ {text} bp_norm: true }}", [x], tops=2)


def _segmentation() -> Iterator[Case]:
    x = normal(2, 2, 2, 3)

    def places(count: int) -> NDArray[np.float32]:
        found = [np.random.default_rng(i).permutation(count)[:6] for i in range(4)]
        return np.stack(found).reshape(2, 2, 2, 3).astype(np.float32)

    mask, twice = places(24), np.minimum(places(24), 15)
    for text in ("", "scale: 2", "scale_h: 2 scale_w: 3", "upsample_h: 4 upsample_w: 7"):
        yield Case("Upsample", f"upsample_param {{ {text} }}", [x, mask], labels=(1,))
    text = "scale: 2 pad_out_h: true pad_out_w: true"
    yield Case("Upsample", f"upsample_param {{ {text} }}", [x, places(15)], labels=(1,))
    yield Case("Upsample", "", [x, twice], labels=(1,), name="Upsample(several at one place)")
    for text in ("", "scale: 3"):
        yield Case("Upsample", f"upsample_param {{ {text} }}", [x])
    y = normal(1, 2, 4, 5)
    for text in (
        "height: 7 width: 3",
        "height: 1 width: 1",
        "height: 4 width: 5",
        "zoom_factor: 3",
        "shrink_factor: 2",
        "shrink_factor: 2 zoom_factor: 3",
        "shrink_factor: 2 zoom_factor: 3 height: 6 width: 2",
        "pad_beg: -1 zoom_factor: 2",
        "pad_beg: -1 pad_end: -2 height: 3 width: 6",
    ):
        yield Case("Interp", f"interp_param {{ {text} }}", [y])
    yield Case(
        "Interp", "interp_param { use_blob_size: true }", [y, normal(1, 1, 6, 2)], labels=(1,)
    )
    scores, truth = normal(2, 4, 3, 3), labels(4, 2, 1, 3, 3)
    scores[0, :, 0] = 1  # several classes alike
    yield Case("SegAccuracy", "", [scores, truth], backward=False)
    truth = np.where(truth == 0, 255, truth)
    text = "ignore_label: 255 ignore_label: 1 reset: false"
    yield Case("SegAccuracy", f"seg_accuracy_param {{ {text} }}", [scores, truth], backward=False)


def _detection() -> Iterator[Case]:
    x = normal(2, 3, 2, 4)
    for order in ((0, 2, 3, 1), (3, 1), (), (1, 0, 2, 3)):
        text = " ".join(f"order: {axis}" for axis in order)
        yield Case("Permute", f"permute_param {{ {text} }}", [x])
    for text in (
        "min_size: 4.7",
        "min_size: 4 max_size: 9 aspect_ratio: 2 aspect_ratio: 3 clip: true",
        "min_size: 3 min_size: 8 max_size: 5.5 max_size: 12 aspect_ratio: 2 aspect_ratio: 0.5",
        "min_size: 3 aspect_ratio: 2 aspect_ratio: 1 flip: false variance: 0.3 offset: 0.25",
        "min_size: 3 variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4 img_size: 30 step: 7",
        "min_size: 3 img_h: 40 img_w: 20 step_h: 3 step_w: 5",
    ):
        fields = f"prior_box_param {{ {text} }}"
        yield Case("PriorBox", fields, [x, normal(1, 3, 13, 22)], backward=False)


def _regions() -> Iterator[Case]:
    regions = np.array(
        [[0, 1, 2, 9, 13], [1, -3, -2.5, 6, 5], [1, 3.2, 4.9, 3.4, 4.7], [0, 10, 30, 90, 91]]
    ).astype(np.float32)
    small = _distinct(2, 1, 4, 3)
    for text in ("3 pooled_w: 2 spatial_scale: 0.5", "2 pooled_w: 2", "7 pooled_w: 7"):
        fields = f"roi_pooling_param {{ pooled_h: {text} }}"
        yield Case("ROIPooling", fields, [small, regions], labels=(1,))
    wide = regions.reshape(4, 5, 1, 1)
    yield Case(
        "ROIPooling",
        "roi_pooling_param { pooled_h: 2 pooled_w: 3 }",
        [_distinct(2, 2, 5, 4), wide],
        labels=(1,),
    )
    for text, channels in (
        ("1 output_dim: 2 group_size: 2", 8),
        ("0.4 output_dim: 1 group_size: 3", 9),
    ):
        fields = f"psroi_pooling_param {{ spatial_scale: {text} }}"
        yield Case("PSROIPooling", fields, [normal(2, channels, 4, 3), regions], labels=(1,))


def _losses() -> Iterator[Case]:
    a, b, ones = normal(4, 6), normal(4, 6), (positive(4, 6) > 1).astype(np.float32)
    yield Case("SmoothL1Loss", "", [a, b])
    yield Case(
        "SmoothL1Loss",
        "smooth_l1_loss_param { sigma: 3 }",
        [a, b, ones, positive(4, 6)],
        labels=(2, 3),
    )
    yield Case(
        "SmoothL1Loss",
        "smooth_l1_loss_param { sigma: 0.7 }",
        [a, b, positive(4, 6), positive(4, 6)],
        labels=(2, 3),
    )
    wide = normal(2, 3, 2, 2), normal(2, 3, 2, 2)
    yield Case("SmoothL1Loss", "", [*wide, positive(2, 3, 2, 2)], labels=(2,))
    for kind in ("SmoothL1Loss", "SmoothL1LossOHEM"):
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE", "PRE_FIXED pre_fixed_normalizer: 7"):
            fields = f"loss_param {{ normalization: {mode} }}"
            yield Case(kind, fields, [*wide, positive(2, 3, 2, 2)], tops=2, labels=(2,))
    yield Case("SmoothL1LossOHEM", "", [*wide])
    yield Case("SmoothL1LossOHEM", "loss_param { normalize: false }", [a, b], tops=2)
    scores, truth = normal(3, 4, 2, 2), labels(4, 3, 2, 2)
    for text in (
        "",
        "ignore_label: 2",
        "normalization: PRE_FIXED pre_fixed_normalizer: 5",
        "normalization: FULL",
        "normalization: NONE",
    ):
        for tops in (1, 3):
            fields = f"loss_param {{ {text} }}"
            yield Case("SoftmaxWithLossOHEM", fields, [scores, truth], tops, labels=(1,))
    weights = "".join(f"class_weighting: {weight} " for weight in (0.2, 1.5, 3, 0.7))
    for text in ("", "ignore_label: 2", "normalize: false"):
        for tops in (1, 2):
            fields = f"loss_param {{ weight_by_label_freqs: true {weights} {text} }}"
            yield Case("SoftmaxWithLoss", fields, [scores, truth], tops, labels=(1,))
    regions = np.zeros((7, 5), np.float32)
    regions[[1, 4, 5], 0] = 1
    worst = _distinct(7, 1, 1, 1)
    fields = "box_annotator_ohem_param { roi_per_img: 2 ignore_label: -1 }"
    yield Case(
        "BoxAnnotatorOHEM",
        fields,
        [regions, worst, labels(3, 7) + 1, positive(7, 4)],
        tops=2,
        backward=False,
    )
    planes = np.repeat(np.arange(2)[:, None], 6, 1).reshape(2, 1, 2, 3) * np.ones((1, 5, 1, 1))
    more = [
        planes.astype(np.float32),
        _distinct(2, 1, 2, 3),
        labels(3, 2, 1, 2, 3) + 1,
        positive(2, 3, 2, 3),
    ]
    yield Case("BoxAnnotatorOHEM", fields, more, tops=2, backward=False)


def _faces() -> Iterator[Case]:
    x, truth = normal(6, 4), labels(5, 6)
    yield Case("CenterLoss", "center_loss_param { num_output: 5 }", [x, truth], labels=(1,))
    yield Case(
        "CenterLoss",
        "loss_weight: 0.25 center_loss_param { num_output: 5 }",
        [normal(3, 2, 1, 2), labels(5, 3)],
        labels=(1,),
    )
    for kind in ("SINGLE", "DOUBLE", "TRIPLE", "QUADRUPLE"):
        text = f"num_output: 5 type: {kind} base: 10 gamma: 0.5 power: 2 iteration: 1"
        fields = f"margin_inner_product_param {{ {text} }}"
        yield Case(
            "MarginInnerProduct",
            fields,
            [normal(12, 4), labels(5, 12)],
            tops=2,
            labels=(1,),
            only_first=True,
        )
    fields = "margin_inner_product_param { num_output: 5 type: DOUBLE lambda_min: 3 }"
    yield Case("MarginInnerProduct", fields, [normal(3, 2, 2), labels(5, 3)], labels=(1,))
    for text in ("minvalue: 0.01", "axis: 2"):
        fields = f"inner_product_as_prob_param {{ num_output: 5 {text} }}"
        yield Case("InnerProductAsProb", fields, [normal(3, 2, 4)])


begin(2)
CASES = [
    *_neurons(),
    *_mobile(),
    *_normalizations(),
    *_segmentation(),
    *_detection(),
    *_regions(),
    *_losses(),
    *_faces(),
]

#: The types that BVLC's Caffe does not have.
FORKS = {"DenseImageData", *(case.type for case in CASES)} - BVLC_LAYERS
