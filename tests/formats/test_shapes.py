"""Shapes that are worked out from the prototxt are those of the tops, for every layer type."""

import pytest
import torch

from gcnet_caffe.engine.layers import Context, create_layer, layer_types
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.formats.shapes import top_shapes
from tests.engine.forks.cases import FORKS
from tests.engine.parity.case import Case
from tests.engine.parity.cases import CASES

SOURCES = [
    'type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } }',
    'type: "Input" top: "a" top: "b" input_param { shape { dim: 2 } shape { } }',
    'type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 2 dim: 3 } }',
    'type: "Parameter" top: "a" parameter_param { shape { dim: 2 dim: 3 } }',
    'type: "DummyData" top: "a" dummy_data_param { num: 2 channels: 3 height: 4 width: 5 }',
]
#: Layers whose shapes are not in the prototxt, and those that are fed or write a file.
FROM_FILES = {"Data", "HDF5Data", "HDF5Output", "ImageData", "MemoryData", "WindowData"}


def _tops(param, bottoms):
    """Return the shapes of the tops that the engine's layer makes of `bottoms`."""
    layer = create_layer(param, Context(phase=caffe_pb.TRAIN, rng=CaffeRng(1)))
    layer.setup([bottom.shape for bottom in bottoms])
    made = layer(*map(torch.from_numpy, bottoms))
    return [tuple(top.shape) for top in (made if isinstance(made, tuple) else (made,))]


def test_shapes_are_those_of_the_tops():
    single = [(case, case.layers()) for case in CASES if len(case.layers()) == 1]
    single = [(case, layers) for case, layers in single if not case.name.startswith("Filter(")]
    whole = Case("Filter", "", [CASES[0].bottoms[0], CASES[0].bottoms[0] * 0 + 1])
    single.append((whole, whole.layers()))
    params = [(layers[0], case.bottoms) for case, layers in single]
    params += [(parse_text(text, caffe_pb.LayerParameter), []) for text in SOURCES]
    different = {}
    for param, bottoms in params:
        wanted = _tops(param, bottoms)
        found = top_shapes(param, [bottom.shape for bottom in bottoms], len(wanted))
        if found != wanted:
            different[str(param)] = found, wanted
    assert different == {}
    apart = FROM_FILES | FORKS | {"Python"}
    assert {param.type for param, _ in params} == set(layer_types()) - apart


@pytest.mark.parametrize(
    "text, bottoms, wanted",
    [
        ('type: "Python" top: "a"', [], None),
        ('type: "ReLU"', [None], None),
        ('type: "InnerProduct" inner_product_param { num_output: 5 }', [None], (None, 5)),
        ('type: "Convolution" convolution_param { num_output: 5 kernel_size: 3 }', [None], 5),
        (
            'type: "Pooling" pooling_param { global_pooling: true }',
            [(None, 5, None, None)],
            (None, 5, 1, 1),
        ),
        ('type: "Flatten"', [(2, 3, None, None)], None),
        ('type: "Slice" slice_param { axis: 3 }', [(2, 3)], None),
        ('type: "Embed" embed_param { input_dim: 4 num_output: 5 }', [(2,)], (2, 5)),
    ],
)
def test_what_cannot_be_told_is_none(text, bottoms, wanted):
    found = top_shapes(parse_text(text, caffe_pb.LayerParameter), bottoms, 1)
    assert found == [(None, wanted, None, None) if isinstance(wanted, int) else wanted]
