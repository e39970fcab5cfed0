"""In-place layers: what real Caffe refuses is refused, and what it computes otherwise, too."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gcnet_caffe.engine.layers import TRAIN, Context, layer_types
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.packing.check import check
from tests.engine.forks.cases import FORKS

SCRIPT = Path(__file__).with_name("in_place_in_caffe.py")
SOURCES = {
    *("Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "Parameter"),
    "WindowData",
}
IMAGE, ROWS, LABELS = (2, 4, 6, 6), (3, 4), (3,)
_FILLED = 'weight_filler { type: "xavier" }'


def _convolution(outputs, kernel, more=""):
    return f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} {more} {_FILLED} }}"


#: Layer types -> (fields, shapes of the bottoms, further tops) to try in place.
LAYERS = {
    **dict.fromkeys("AbsVal ReLU PReLU ELU Sigmoid TanH Clip Dropout".split(), [("", [IMAGE], 0)]),
    **dict.fromkeys("Threshold Exp Log BatchNorm Reduction Silence".split(), [("", [IMAGE], 0)]),
    "Clip": [("clip_param { min: 0.5 max: 1 }", [IMAGE], 0)],
    "Power": [
        ("", [IMAGE], 0),
        ("power_param { power: 3 shift: 0.1 }", [IMAGE], 0),
    ],
    "Softmax": [("", [IMAGE], 0), ("", [ROWS], 0)],
    "Scale": [("", [IMAGE], 0), ("scale_param { axis: 0 }", [IMAGE, (2, 4)], 0)],
    "Bias": [("", [IMAGE], 0), ("bias_param { axis: 0 }", [IMAGE, (2, 4)], 0)],
    "MVN": [("", [IMAGE], 0), ("", [ROWS], 0)],
    "LRN": [
        ("", [IMAGE], 0),
        ("lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }", [IMAGE], 0),
    ],
    "Split": [("", [IMAGE], 0), ("", [IMAGE], 1)],
    "Flatten": [("", [IMAGE], 0), ("", [ROWS], 0)],
    "Reshape": [
        ("reshape_param { shape { dim: 0 dim: -1 } }", [IMAGE], 0),
        ("reshape_param { shape { dim: 0 dim: 4 } }", [ROWS], 0),
    ],
    "Concat": [("", [IMAGE], 0), ("", [ROWS, ROWS], 0)],
    "Slice": [("", [IMAGE], 0), ("", [IMAGE], 1)],
    "Eltwise": [
        (f"eltwise_param {{ operation: {operation} }}", [ROWS, ROWS], 0)
        for operation in ("SUM", "PROD", "MAX")
    ],
    "ArgMax": [("argmax_param { axis: 1 top_k: 4 out_max_val: true }", [ROWS], 0), ("", [ROWS], 0)],
    "Convolution": [
        (_convolution(4, 1), [IMAGE], 0),
        (_convolution(4, 3, "pad: 1"), [IMAGE], 0),
        (_convolution(3, 3), [IMAGE], 0),
    ],
    "Deconvolution": [
        (_convolution(4, 1), [IMAGE], 0),
        (_convolution(4, 3, "pad: 1"), [IMAGE], 0),
        (_convolution(4, 2, "stride: 2"), [IMAGE], 0),
    ],
    "InnerProduct": [
        (f"inner_product_param {{ num_output: {count} {_FILLED} }}", [ROWS], 0) for count in (4, 5)
    ],
    "Pooling": [
        (f"pooling_param {{ {fields} }}", [IMAGE], 0)
        for fields in (
            "kernel_size: 1",
            "kernel_size: 3 pad: 1",
            "pool: AVE kernel_size: 3 pad: 1",
            "kernel_size: 2 stride: 2",
        )
    ],
    "MaxUnpool": [
        (f"pooling_param {{ {fields} }}", [(1, 1, 3, 3)] * 2, 0)
        for fields in ("kernel_size: 1", "kernel_size: 3 pad: 1")
    ],
    "Tile": [(f"tile_param {{ tiles: {tiles} }}", [IMAGE], 0) for tiles in (1, 2)],
    "Crop": [("crop_param { axis: 2 }", [IMAGE, (2, 4, size, size)], 0) for size in (6, 3)],
    **dict.fromkeys(("BNLL", "Swish"), [("", [IMAGE], 0)]),
    "BatchReindex": [("", [IMAGE, (2,)], 0), ("", [IMAGE, (3,)], 0)],
    "Embed": [
        (f"embed_param {{ input_dim: 3 num_output: {count} {_FILLED} }}", [(3,)], 0)
        for count in (1, 2)
    ],
    "Filter": [("", [IMAGE, (2,)], 0)],
    "HDF5Output": [('hdf5_output_param { file_name: "x.h5" }', [ROWS, LABELS], 0)],
    "Im2col": [
        (f"convolution_param {{ {fields} }}", [IMAGE], 0)
        for fields in ("kernel_size: 1", "kernel_size: 2 stride: 2", "kernel_size: 3")
    ],
    "SPP": [(f"spp_param {{ pyramid_height: {count} }}", [IMAGE], 0) for count in (1, 2)]
    + [("spp_param { pyramid_height: 1 }", [(2, 4, 1, 1)], 0)],
    **{
        kind: [
            (f"recurrent_param {{ num_output: {size} {_FILLED} }}", [(2, 3, 4), (2, 3)], 0)
            for size in (4, 5)
        ]
        for kind in ("LSTM", "RNN")
    },
    "LSTMUnit": [("", [(1, 2, 3), (1, 2, 12), (1, 2)], 1)],
    "InfogainLoss": [("", [ROWS, LABELS, (4, 4)], 0)],
    "MultinomialLogisticLoss": [("", [ROWS, LABELS], 0)],
    "SoftmaxWithLoss": [("", [ROWS, LABELS], 0)],
    "HingeLoss": [("", [ROWS, LABELS], 0)],
    "EuclideanLoss": [("", [ROWS, ROWS], 0)],
    "SigmoidCrossEntropyLoss": [("", [ROWS, ROWS], 0)],
    "ContrastiveLoss": [("", [ROWS, ROWS, LABELS], 0)],
    "Accuracy": [("", [ROWS, LABELS], 0)],
    "NormalizedDistance": [("", [ROWS, ROWS], 0)],
}

EXP = 'layer { name: "exp" type: "Exp" bottom: "x" top: "y" } '
RELU = 'layer { name: "relu" type: "ReLU" bottom: "x" top: "x" } '
_SILENCE = 'layer { name: "silence" type: "Silence" bottom: "x" } '
_OTHER = 'layer { name: "other" type: "Exp" bottom: "b1" top: "x" } '
_TWO_TOPS = 'layer { name: "slice" type: "Slice" bottom: "x" top: "x" top: "x" } '


def _product(first, second, operation="PROD"):
    return (
        f'layer {{ name: "product" type: "Eltwise" bottom: "{first}" bottom: "{second}" top: "x" '
        f"eltwise_param {{ operation: {operation} }} }} "
    )


def _loss(weight):
    return (
        f'layer {{ name: "l" type: "Reduction" bottom: "b1" top: "m" loss_weight: {weight} }} '
        'layer { name: "relu" type: "ReLU" bottom: "m" top: "m" } '
    )


#: Layers behind the inputs "x" and "b1": which blob a name stands for.
WIRINGS = {
    "read before": EXP + RELU,
    "read by a Silence before": _SILENCE + RELU,
    "read after": RELU + EXP,
    "twice in place, then read twice": RELU + RELU + EXP + _SILENCE,
    "read between two in place": RELU + EXP + RELU,
    "one blob as both bottoms": _product("x", "x"),
    "of the second bottom": _product("b1", "x"),
    "of the first of two bottoms": _product("x", "b1"),
    "both tops": _TWO_TOPS,
    "the top of another layer": _OTHER,
    "of a loss": _loss(1),
    "of no loss": _loss(0),
}


def _inputs(shapes):
    net = ""
    for name, shape in shapes.items():
        dims = " ".join(f"dim: {size}" for size in shape)
        net += f'layer {{ name: "in {name}" type: "Input" top: "{name}" '
        net += f"input_param {{ shape {{ {dims} }} }} }}\n"
    return net


def _layer_case(kind, fields, shapes, more):
    names = ["x", "b1", "b2"][: len(shapes)]
    words = " ".join(f'bottom: "{name}"' for name in names) + ' top: "%s" '
    words += " ".join(f'top: "t{index}"' for index in range(more))
    net = _inputs(dict(zip(names, shapes)))
    net += f'layer {{ name: "l" type: "{kind}" {words} {fields} }}'
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.2, 2, math.prod(shape)) for shape in shapes]
    for index, shape in enumerate(shapes):
        if shape in (LABELS, (2,)):
            values[index] = np.arange(shape[0])[::-1] % 2.0
    if kind == "MaxUnpool":
        values[-1] = np.full(9, 4.0) if "3" in fields else np.arange(9.0)  # the maxima's places
    bottoms = {name: one.tolist() for name, one in zip(names, values)}
    return {"bottoms": bottoms, "in place": net % "x", "apart": net % "y"}


def cases():
    """Return {name: what in_place_in_caffe.py takes}."""
    found = {
        f"{kind} {fields} {shapes} {more}": _layer_case(kind, fields, shapes, more)
        for kind, tried in LAYERS.items()
        for fields, shapes, more in tried
    }
    for name, layers in WIRINGS.items():
        text = _inputs({"x": ROWS, "b1": ROWS}) + layers
        found[name] = {"bottoms": {}, "in place": text, "apart": None}
    return found


def refusal(text):
    """Return why the engine refuses the net, or None."""
    net = parse_text(text, caffe_pb.NetParameter)
    try:
        Net(net, Context(TRAIN, CaffeRng(1)))
    except NetError as error:
        return str(error)
    return None


def test_every_layer_type_is_tried():
    assert set(LAYERS) == set(layer_types()) - SOURCES - FORKS - {"Python"}


@pytest.mark.caffe
def test_what_real_caffe_refuses_or_computes_otherwise_is_refused(caffe, tmp_path):
    tried = cases()
    (tmp_path / "in_place.json").write_text(json.dumps(tried))
    caffe.run_python(SCRIPT, tmp_path)
    found = json.loads((tmp_path / "in_place_found.json").read_text())
    wrong = []
    for name, case in tried.items():
        here, (verdict, said) = refusal(case["in place"]), found[name].values()
        own = [
            words
            for words in ("does not allow in-place computation", "produced by multiple sources")
            if words in said
        ]
        if (here is None) != (verdict == "right") or any(words not in here for words in own):
            wrong.append(f"{name}: {here} / {verdict} {said}")
    assert not wrong, "\n".join(wrong)
    assert {found[name]["verdict"] for name in tried} == {"right", "wrong", "refused"}


def test_check_refuses_them_too(tmp_path, monkeypatch):
    """Without torch, and so also in the image, before real Caffe starts."""
    monkeypatch.chdir(tmp_path)
    solver = 'net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "x"'
    Path("solver.prototxt").write_text(solver)
    differ = []
    for name, case in cases().items():
        Path("net.prototxt").write_text(case["in place"])
        try:
            check("solver.prototxt")
            found = None
        except NetError as error:
            found = str(error).split(": ", 1)[1]
        wanted = refusal(case["in place"])
        if found != (wanted and wanted.split(": ", 1)[1]):
            differ.append((name, found, wanted))
    # what the engine's own layers say of their bottoms and tops is none of check's
    assert [name for name, found, wanted in differ if found or "in place" in wanted] == []


@pytest.mark.parametrize(
    "layers, words",
    [
        (
            'layer { name: "flat" type: "Flatten" bottom: "x" top: "x" }',
            "layer 'flat' (Flatten): Flatten Layer does not allow in-place computation; "
            "give the top 'x' another name",
        ),
        (
            EXP + RELU,
            "Top blob 'x' produced by multiple sources (layer 'relu': in place, but layer 'exp' "
            "reads 'x', too; give the top another name)",
        ),
        (
            _product("x", "b1", "SUM"),
            "layer 'product' (Eltwise): in place, Caffe overwrites the bottom before it has read "
            "it and computes something else; give the top 'x' another name",
        ),
        (
            'layer { name: "t" type: "Tile" bottom: "x" top: "x" tile_param { tiles: 2 } }',
            "layer 't' (Tile): in place, but the bottom is of shape (3, 4) and the top of (3, 8); "
            "give the top 'x' another name",
        ),
    ],
)
def test_the_refusals_say_what_to_do(layers, words):
    assert refusal(_inputs({"x": ROWS, "b1": ROWS}) + layers) == f"net: {words}"
