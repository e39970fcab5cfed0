"""The drawn data flow is figure 3's."""

import pytest

from gcnet_caffe import nets
from gcnet_caffe.analysis.drawing import data_flow, draw_net
from gcnet_caffe.schema import read_net
from tests.scratch import ROOT


def flow(name):
    return data_flow(read_net(ROOT / f"prototxt/{name}_train_test.prototxt"))[1]


def test_s1r1_has_the_arrows_of_figure_3():
    data = {edge for edge, kind in flow("ck_fold0_S1R1").items() if kind == "data"}
    named = {(a.replace("\n", " "), b.replace("\n", " ").strip()) for a, b in data}
    assert named == {
        ("query and reference", "encoder 1"),
        ("encoder 1", "decoder 1"),
        ("decoder 1", "generative loss"),
        ("decoder 1", "encoder 2 (reference)"),
        ("query and reference", "encoder 2 (query)"),
        ("encoder 2 (query)", "δ"),
        ("encoder 2 (reference)", "δ"),
        ("encoder 2 (query)", "contrastive loss (S)"),
        ("encoder 2 (reference)", "contrastive loss (S)"),
        ("encoder 2 (query)", "decoder 2 (query)"),
        ("encoder 2 (reference)", "decoder 2 (reference)"),
        ("decoder 2 (query)", "reconstruction loss (R)"),
        ("decoder 2 (reference)", "reconstruction loss (R)"),
        ("δ", "dropout, FC, ReLU, FC"),
        ("dropout, FC, ReLU, FC", "cross entropy (C)"),
    }


@pytest.mark.parametrize("net", [p for p in nets.committed() if p.startswith("prototxt/")])
def test_every_net_can_be_drawn(net, tmp_path):
    draw_net(ROOT / net, tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes()[:4] == b"\x89PNG"
