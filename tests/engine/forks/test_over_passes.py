"""What layers of other Caffes keep from pass to pass, what is not learned, and an exact resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe import cli
from gcnet_caffe.engine.layers import TEST, TRAIN, Context, Layer, create_layer
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text

RNG = np.random.default_rng(0)


def made(text: str, *shapes: tuple[int, ...], phase: int = TRAIN) -> Layer:
    """Return the layer of a prototxt, set up on bottoms of `shapes`."""
    param = parse_text(f"name: 'x' {text}", caffe_pb.LayerParameter)
    if not param.top:
        param.top.append("y")
    if not param.bottom:
        param.bottom.extend(f"b{index}" for index in range(len(shapes)))
    layer = create_layer(param, Context(phase=phase, rng=CaffeRng(1)))
    layer.setup(shapes)
    return layer


def batches(count: int, *shape: int) -> list[torch.Tensor]:
    return [torch.from_numpy(RNG.standard_normal(shape).astype(np.float32)) for _ in range(count)]


def test_nvidias_statistics_are_set_twice_and_then_move() -> None:
    fields = "batch_norm_param { scale_bias: true moving_average_fraction: 0.75 }"
    layer = made(f"type: 'BatchNorm' {fields}", (3, 2, 4, 4))
    assert layer.blobs[2].item() == 1 and layer.blobs[3].tolist() == [1, 1]
    given, mean, variance = batches(5, 3, 2, 4, 4), 0.0, 0.0
    for index, batch in enumerate(given):
        if index == 3:
            state = layer.state()
            layer.passes = 0
            layer.set_state(state)
        layer(batch)
        array = batch.double().numpy()
        kept = 0.75 if index > 1 else 0
        mean = kept * mean + (1 - kept) * array.mean((0, 2, 3))
        variance = kept * variance + (1 - kept) * (array.var((0, 2, 3)) + 1e-5)
        assert np.allclose(layer.blobs[0].detach(), mean, rtol=1e-5, atol=1e-6)
        assert np.allclose(layer.blobs[1].detach(), variance, rtol=1e-5)


def test_lambda_of_a_margin_falls_from_pass_to_pass() -> None:
    fields = "num_output: 3 base: 8 gamma: 1 power: 1 lambda_min: 2 weight_filler { value: 1 }"
    text = f"type: 'MarginInnerProduct' top: 'a' top: 'b' margin_inner_product_param {{ {fields} }}"
    layer = made(text, (2, 4), (2,))
    found = [layer(torch.ones(2, 4), torch.zeros(2))[1].item() for _ in range(3)]
    other = made(text, (2, 4), (2,))
    other.set_state(layer.state())
    found += [other(torch.ones(2, 4), torch.zeros(2))[1].item() for _ in range(2)]
    assert found == pytest.approx([4, 8 / 3, 2, 2, 2])
    assert other.state() == {"passes": 5}


def test_counts_of_seg_accuracy_add_up_without_reset() -> None:
    shape, (first, second) = (1, 2, 2, 2), batches(2, 1, 2, 2, 2)
    labels = torch.tensor([0.0, 1, 1, 0]).reshape(1, 1, 2, 2)
    for reset in ("true", "false"):
        text = f"type: 'SegAccuracy' seg_accuracy_param {{ reset: {reset} }}"
        layer, both = made(text, shape, (1, 1, 2, 2)), made(text, (2, 2, 2, 2), (2, 1, 2, 2))
        layer(first, labels)
        again = made(text, shape, (1, 1, 2, 2))
        again.set_state(layer.state())
        whole = both(torch.cat([first, second]), torch.cat([labels, labels]))
        alone = made(text, shape, (1, 1, 2, 2))(second, labels)
        for one in (layer, again):
            assert torch.equal(one(second, labels), alone if reset == "true" else whole)
        assert not torch.equal(alone, whole)


@pytest.mark.parametrize(
    "text, rates",
    [
        ("type: 'BN' bn_param { eps: 1e-5 } param { lr_mult: 3 }", [3, 1, 0, 0]),
        ("type: 'BN' bn_param { frozen: true } param { lr_mult: 3 }", [0, 0, 0, 0]),
        ("type: 'BN' param { lr_mult: 3 }", [3]),
        (
            "type: 'BatchNorm' batch_norm_param { scale_bias: true } param { lr_mult: 2 }",
            [0, 0, 0, 1, 1],
        ),
    ],
)
def test_what_is_not_learned(text: str, rates: list[float]) -> None:
    layer = made(text, (2, 3, 4, 4))
    assert [spec.lr_mult for spec in layer.param.param] == rates
    fixed = [spec.decay_mult for spec, rate in zip(layer.param.param, rates) if rate == 0]
    assert fixed == [0] * len(fixed)


def test_a_frozen_bn_starts_with_variance_1() -> None:
    for frozen in (True, False):
        text = f"type: 'BN' bn_param {{ eps: 1e-5 frozen: {str(frozen).lower()} }}"
        assert made(text, (2, 3, 4, 4)).blobs[3].unique().tolist() == [float(frozen)]


def test_of_equal_maxima_of_a_region_the_first_has_the_gradient() -> None:
    layer = made(
        "type: 'ROIPooling' roi_pooling_param { pooled_h: 1 pooled_w: 1 }", (1, 1, 3, 3), (1, 5)
    )
    bottom = torch.tensor([[[[0.0, 1, 2], [2, 0, 2], [1, 2, 0]]]], requires_grad=True)
    layer(bottom, torch.tensor([[0.0, 0, 0, 2, 2]])).sum().backward()
    assert bottom.grad.flatten().tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_the_rows_of_a_filled_probability_weight() -> None:
    fields = "num_output: 3 minvalue: 0.5 weight_filler { value: -1 }"
    layer = made(f"type: 'InnerProductAsProb' inner_product_as_prob_param {{ {fields} }}", (2, 3))
    wanted = (np.full((3, 3), 0.5) + np.eye(3) * 998.5) / 1000
    assert np.allclose(layer.blobs[0].detach(), wanted, rtol=1e-6)


def test_msra_with_alpha() -> None:
    text = "inner_product_param { num_output: 5 weight_filler { type: 'msra' %s } }"
    text = f"type: 'InnerProduct' {text}"
    plain, leaky = (made(text % alpha, (2, 8)).blobs[0].detach() for alpha in ("", "alpha: 0.5"))
    assert torch.allclose(leaky, plain / 1.25**0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "text, shapes, said",
    [
        ("type: 'BN' bn_param { bn_mode: INFERENCE } top: 'a' top: 'b'", [(2, 3)], "wanted 1 with"),
        (
            "type: 'Upsample' upsample_param { scale: 1 }",
            [(1, 1, 2, 2)] * 2,
            "found 1, wanted 2",
        ),
        (
            "type: 'Upsample' upsample_param { scale_h: 2 }",
            [(1, 1, 2, 2)] * 2,
            "wanted upsample_h and upsample_w",
        ),
        (
            "type: 'Upsample' upsample_param { scale: 3 pad_out_h: true }",
            [(1, 1, 2, 2)] * 2,
            "wanted scale 2",
        ),
        ("type: 'Interp' interp_param { pad_beg: 1 zoom_factor: 2 }", [(1, 1, 2, 2)], "pad_beg 1"),
        ("type: 'Interp' interp_param { height: 3 }", [(1, 1, 2, 2)], "wanted height and width"),
        (
            "type: 'Interp' interp_param { zoom_factor: 2 pad_end: -2 }",
            [(1, 1, 2, 2)],
            "nothing is left",
        ),
        (
            "type: 'Interp' interp_param { use_blob_size: true }",
            [(1, 1, 2, 2)],
            "wanted 2 with use_blob_size",
        ),
        ("type: 'Permute' permute_param { order: 1 order: 1 }", [(1, 2)], r"order: found \[1, 1\]"),
        ("type: 'Permute' permute_param { order: 2 }", [(1, 2)], r"order: found \[2\]"),
        ("type: 'PriorBox' prior_box_param { }", [(1, 1, 2, 2)] * 2, "min_size: found"),
        (
            "type: 'PriorBox' prior_box_param { min_size: 3 max_size: 2 }",
            [(1, 1, 2, 2)] * 2,
            "max_size: found",
        ),
        (
            "type: 'PriorBox' prior_box_param { min_size: 3 variance: 1 variance: 1 }",
            [(1, 1, 2, 2)] * 2,
            "variance: found",
        ),
        (
            "type: 'PriorBox' prior_box_param { min_size: 3 step_h: 1 }",
            [(1, 1, 2, 2)] * 2,
            "wanted step, or",
        ),
        (
            "type: 'PriorBox' prior_box_param { min_size: 3 img_h: 1 }",
            [(1, 1, 2, 2)] * 2,
            "wanted img_size, or",
        ),
        ("type: 'ROIPooling'", [(1, 1, 2, 2), (3, 5)], "pooled_h, pooled_w"),
        (
            "type: 'ROIPooling' roi_pooling_param { pooled_h: 1 pooled_w: 1 }",
            [(1, 1, 2, 2), (3, 4)],
            "wanted R x 5",
        ),
        (
            "type: 'PSROIPooling' "
            "psroi_pooling_param { spatial_scale: 1 output_dim: 2 group_size: 2 }",
            [(1, 7, 2, 2), (3, 5)],
            "found 7 channels, wanted 8",
        ),
        ("type: 'ShuffleChannel' shuffle_channel_param { group: 2 }", [(1, 3)], "must divide"),
        ("type: 'Axpy'", [(2, 3), (2, 4, 1, 1), (2, 4, 1, 1)], "wanted N x C"),
        ("type: 'Insanity' insanity_param { lb: 3 ub: 2 }", [(1, 3)], "wanted lb < ub"),
        ("type: 'Normalize' normalize_param { normalize_type: 'L3' }", [(1, 3)], "found 'L3'"),
        (
            "type: 'Normalize' normalize_param { fix_gradient: true }",
            [(1, 3)],
            "fix_gradient: found true",
        ),
        (
            "type: 'CenterLoss' center_loss_param { num_output: 3 }",
            [(2, 3), (3,)],
            "found labels of",
        ),
        ("type: 'MarginInnerProduct'", [(2, 3), (2,)], "num_output: found 0"),
        ("type: 'SmoothL1Loss'", [(2, 3), (2, 4)], "wanted one shape"),
        ("type: 'SmoothL1Loss' smooth_l1_loss_param { sigma: 0 }", [(2, 3)] * 2, "sigma: found 0"),
        (
            "type: 'PriorBox' prior_box_param { min_size: 3 aspect_ratio: 0 }",
            [(1, 1, 2, 2)] * 2,
            "aspect_ratio: found",
        ),
        (
            "type: 'BoxAnnotatorOHEM' box_annotator_ohem_param { roi_per_img: 2 }",
            [(2, 4), (2,), (2,), (2, 8)],
            "they do not fit",
        ),
        (
            "type: 'SoftmaxWithLoss' loss_param { weight_by_label_freqs: true class_weighting: 1 }",
            [(2, 3), (2,)],
            "class_weighting: found 1, wanted 3",
        ),
        (
            "type: 'SoftmaxWithLoss' loss_param { normalization: PRE_FIXED }",
            [(2, 3), (2,)],
            "normalization: found PRE_FIXED",
        ),
        (
            "type: 'BatchNorm' batch_norm_param { scale_bias: true use_global_stats: true }",
            [(2, 3)],
            "use_global_stats: wanted false",
        ),
        (
            "type: 'DepthwiseConvolution' convolution_param { num_output: 4 kernel_size: 1 }",
            [(1, 4, 2, 2)],
            "wanted 4, the number of channels",
        ),
        ("type: 'SegAccuracy'", [(2, 3, 4, 4), (2, 4, 4)], "wanted N x C x H x W and"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, shapes: list[tuple[int, ...]], said: str) -> None:
    with pytest.raises(NetError, match=said) as error:
        made(text, *shapes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, bottoms, said",
    [
        (
            "type: 'Upsample' upsample_param { scale: 2 }",
            [torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 16.0)],
            "the mask has places 16 to 16, wanted 0 to 15",
        ),
        (
            "type: 'ROIPooling' roi_pooling_param { pooled_h: 1 pooled_w: 1 }",
            [torch.zeros(1, 1, 2, 2), torch.full((1, 5), 2.0)],
            "found a region of image 2, wanted 0 to 0",
        ),
        (
            "type: 'SegAccuracy'",
            [torch.zeros(1, 2, 2, 2), torch.full((1, 1, 2, 2), 255.0)],
            "found labels 255 to 255, wanted 0 to 1, or ignore_label",
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    text: str, bottoms: list[torch.Tensor], said: str
) -> None:
    layer = made(text, *(tuple(bottom.shape) for bottom in bottoms), phase=TEST)
    with pytest.raises(NetError, match=said):
        layer(*bottoms)


SEGNET = """
layer { name: "data" type: "DummyData" top: "data" dummy_data_param {
        shape { dim: 2 dim: 3 dim: 8 dim: 6 } data_filler { type: "gaussian" } } }
layer { name: "truth" type: "DummyData" top: "truth"
        dummy_data_param { shape { dim: 2 dim: 1 dim: 8 dim: 6 } data_filler { value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BN" bottom: "conv" top: "conv" bn_param { scale_filler { value: 1 } } }
layer { name: "five" type: "BatchNorm" bottom: "conv" top: "five"
        batch_norm_param { scale_bias: true } }
layer { name: "pool" type: "Pooling" bottom: "five" top: "pool" top: "mask"
        pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "insane" type: "Insanity" bottom: "pool" top: "insane" }
layer { name: "up" type: "Upsample" bottom: "insane" bottom: "mask" top: "up" }
layer { name: "score" type: "ConvolutionDepthwise" bottom: "up" top: "score"
        convolution_param { kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "truth" top: "loss"
        loss_param { weight_by_label_freqs: true class_weighting: [1, 2, 3, 4] } }
"""


def test_a_segnet_resumes_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moving statistics, their count, and what Insanity draws go on where they were."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(SEGNET)
    solver = "net: 'net.prototxt' base_lr: 0.1 momentum: 0.9 lr_policy: 'fixed' random_seed: 3 "
    for name, more in (("straight", ""), ("cut", "snapshot: 1")):
        Path(f"{name}.prototxt").write_text(
            f"{solver} max_iter: 5 snapshot_prefix: '{name}' {more}"
        )
        assert cli.main(["train", "-solver", f"{name}.prototxt"]) == 0
    whole = Path("straight_iter_5.caffemodel").read_bytes()
    assert Path("cut_iter_5.caffemodel").read_bytes() == whole
    for at in (1, 3):
        state = f"cut_iter_{at}.solverstate"
        assert cli.main(["train", "-solver", "cut.prototxt", "-snapshot", state]) == 0
        assert Path("cut_iter_5.caffemodel").read_bytes() == whole, at
    Path("cut_iter_1.resume.json").unlink()
    assert (
        cli.main(["train", "-solver", "cut.prototxt", "-snapshot", "cut_iter_1.solverstate"]) == 0
    )
    assert Path("cut_iter_5.caffemodel").read_bytes() != whole
