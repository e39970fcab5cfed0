"""caffe.draw: the graph that Graphviz gets. Graphviz itself is not run."""

from __future__ import annotations

import pytest

from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.pycaffe import draw

NET = """
layer { name: "data" type: "Data" top: "data" data_param { batch_size: 7 }
  include { phase: TEST stage: "one" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 2 }
  convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" exclude { phase: TRAIN } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE
  kernel_size: 2 stride: 2 } }
"""


def test_a_graph_has_what_real_pycaffes_has() -> None:
    pytest.importorskip("pydot", reason="pydot is not installed")
    net = parse_text(NET, caffe_pb.NetParameter)
    lines = draw.get_pydot_graph(net, "LR", phase=1, display_lrm=True).to_string().splitlines()
    assert lines[:2] == ["digraph Net {", "rankdir=LR;"]
    conv = r'"conv\n(Convolution)\nkernel size: 3\nstride: 1\npad: 1\nlr mult: 2.0, 1.0"'
    pool = r'"pool\n(Pooling AVE)\nkernel size: 2\nstride: 2\npad: 0"'
    for wanted in (
        r'"data\n(Data)" [shape=record, fillcolor="#6495ED", style=filled];',
        f'{conv} [shape=record, fillcolor="#FF5050", style=filled];',
        r'"relu\n(ReLU)" [shape=record, fillcolor="#90EE90", style=filled];',
        r'"data\n(Data)" -> data [label="Batch 7"];',
        f"{conv} -> conv [label=5];",
        f'conv -> {pool} [label=""];',
    ):
        assert wanted in lines
    train = draw.get_pydot_graph(net, "TB", phase=0, label_edges=False).to_string()
    assert "Data" not in train and "ReLU" not in train and "label=5" not in train
    assert '"pool (Pooling AVE) kernel size: 2 stride: 2 pad: 0"' in train
    net.layer[0].exclude.add(phase=0)
    with pytest.raises(ValueError, match="data: found both include and exclude"):
        draw.get_pydot_graph(net, "LR", phase=1)
