"""Fields and layers of other Caffes are named as such; a slip of the finger is still one."""

import json

import pytest

from gcnet_caffe.engine.layers import layer_types
from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.formats.other_caffes import (
    BVLC_LAYERS,
    _owners,
    explain_layer,
    nearest,
    whose_field,
    whose_layer,
)
from tests.engine.forks.cases import FORKS

#: What stops public nets that need more than this engine has, as their Caffes name it.
LAYERS = """
    AnnotatedData DetectionOutput MultiBoxLoss DetectionEvaluate ImageSegData
    MultilabelImageData Yolov3 Reorg ROIAlign LargeMarginInnerProduct
""".split()
FIELDS = """
    detection_output_param annotated_data_param multibox_loss_param detection_evaluate_param
    multilabel_image_data_param yolov3_param reorg_param
    largemargin_inner_product_param
""".split()


def message_of(text, message="NetParameter"):
    with pytest.raises(SchemaError) as error:
        parse_text(text, getattr(caffe_pb, message), "f")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("type_name", LAYERS)
def test_layers_that_stop_public_nets(type_name):
    assert whose_layer(type_name)
    said = explain_layer(type_name, layer_types())
    assert said.startswith(f"type {type_name!r} is a layer of ") and "did you mean" not in said


@pytest.mark.parametrize("field", FIELDS)
def test_fields_that_stop_public_nets(field):
    for text in ("layer { type: 'x'\n%s { } }", "layers {\n%s { } }"):
        said = message_of(text % field)
        assert said.startswith(f"f:2: {field!r} is a field of ") and "'s Caffe (" in said


@pytest.mark.parametrize(
    "text, said",
    [
        (
            "layer { detection_output_param { num_classes: 2 } }",
            "f:1: 'detection_output_param' is a field of SSD's Caffe (weiliu89/caffe); BVLC's has "
            "no layer DetectionOutput, which turns predictions and prior boxes into detections",
        ),
        (
            "layer { data_param { shuffle: true } }",
            "f:1: 'shuffle' is a field of TSN's Caffe (yjxiong/caffe); BVLC's has none of that "
            "name",
        ),
        (
            "layer { forward_type: FLOAT16 }",
            "f:1: FLOAT16 is a value of NVIDIA's Caffe (NVIDIA/caffe); BVLC's has none of that "
            "name",
        ),
        (
            "layer { blobs_lr: 1 }",
            "f:1: 'blobs_lr' is a field of the old 'layers { }'; wanted one ",
        ),
        ("layers { scale_param { } }", "f:1: 'scale_param' is a field of 'layer { }'; wanted one "),
        ("base_lr: 1", "f:1: 'base_lr' is a field of a solver; wanted a net"),
        ("layers { bn_param { } }", "f:1: 'bn_param' is a field of 'layer { }'; wanted one of "),
        ("layer { foo_param { } }", "f:1: LayerParameter has no field 'foo_param'"),
    ],
)
def test_what_is_said(text, said):
    assert message_of(text).startswith(said)


def test_solvers():
    said = message_of("eval_type: 'detection'", "SolverParameter")
    assert said.startswith("f:1: 'eval_type' is a field of SSD's Caffe (weiliu89/caffe)")
    assert "a field of a net; wanted a solver" in message_of("layer { }", "SolverParameter")


def test_only_a_slip_of_the_finger_is_one():
    known = caffe_pb.LayerParameter.DESCRIPTOR.fields_by_name
    for name, near in (
        ("naem", "name"),
        ("bottoms", "bottom"),
        ("convolution_params", "convolution_param"),
        ("inner_produkt_param", "inner_product_param"),
    ):
        assert nearest(name, known) == near
    for name in (*FIELDS, "gn_param", "l1_loss_param", "softmax2"):
        assert nearest(name, known) is None, name
    pooling = caffe_pb.PoolingParameter.DESCRIPTOR.fields_by_name
    assert nearest("kernal_size", pooling) == "kernel_size"
    assert nearest("kernel_size_3d", pooling) is None
    assert nearest("kernelsize", pooling) == "kernel_size"
    assert nearest("num_outputs", caffe_pb.ConvolutionParameter.DESCRIPTOR.fields_by_name)


def test_no_name_of_the_table_is_bvlcs():
    for kind, name in _owners():
        if kind == "layers":
            assert name not in BVLC_LAYERS
        elif kind != "values":
            assert name not in getattr(caffe_pb, kind).DESCRIPTOR.fields_by_name, (kind, name)
    assert whose_field("LayerParameter", "relu_param") == whose_layer("ReLU") == ""


@pytest.mark.caffe
def test_bvlcs_layers_are_those_of_real_caffe(caffe, tmp_path):
    script = "import caffe, json; print(json.dumps(list(caffe.layer_type_list())))"
    found = set(json.loads(caffe.run_python(script, tmp_path).stdout))
    plugin = set(layer_types()) - BVLC_LAYERS - FORKS
    assert found - plugin == BVLC_LAYERS and plugin <= found
