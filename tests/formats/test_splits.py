"""Which Split layers a net gets; tests/pycaffe/flows/passes.py has real Caffe's."""

from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.formats.splits import with_splits

NET = """
layer { name: "a" type: "Input" top: "x" input_param { shape { dim: 1 } } }
layer { name: "b" type: "Power" bottom: "x" top: "y" loss_weight: 0.5 }
layer { name: "c" type: "Eltwise" bottom: "x" bottom: "y" top: "z" }
layer { name: "d" type: "Power" bottom: "z" top: "z" exclude { phase: TEST } }
"""


def test_readers_and_losses_get_a_copy_each() -> None:
    param = parse_text(NET, caffe_pb.NetParameter)
    param.state.phase = caffe_pb.TEST
    made = {layer.name: layer for layer in with_splits(param, "net").layer}
    assert list(made) == ["a", "x_a_0_split", "b", "y_b_0_split", "c"]
    assert list(made["b"].bottom) == ["x_a_0_split_0"] and not made["b"].loss_weight
    assert list(made["y_b_0_split"].loss_weight) == [0.5, 0]
    assert list(made["c"].bottom) == ["x_a_0_split_1", "y_b_0_split_1"]
    assert param.layer[1].bottom[0] == "x" and len(param.layer) == 4  # as it was
