"""`gcnet time` runs the backwards that `caffe time` runs."""

import re

import pytest
import torch

from gcnet_caffe import cli
from gcnet_caffe.engine.layers import TEST, TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.timing import time_net

_DATA = """
layer { name: "d" type: "DummyData" top: "x" top: "label" dummy_data_param {
  shape { dim: 2 dim: 2 dim: 5 dim: 5 } shape { dim: 2 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
"""
_BODY = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "c" param { } param { lr_mult: 0 }
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "scale" type: "Scale" bottom: "c" top: "s" }
layer { name: "drop" type: "Dropout" bottom: "s" top: "s" }
layer { name: "ip" type: "InnerProduct" bottom: "s" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
"""
_LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "right" type: "Accuracy" bottom: "ip" bottom: "label" top: "right" }
layer { name: "aside" type: "InnerProduct" bottom: "s" top: "aside"
  inner_product_param { num_output: 2 } }
"""
_STOPPED = """
layer { name: "stop" type: "Power" bottom: "c" top: "p" propagate_down: false }
layer { name: "other" type: "InnerProduct" bottom: "p" top: "q"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "apart" type: "EuclideanLoss" bottom: "q" bottom: "ip" top: "apart" }
"""
_FROZEN = """
layer { name: "first" type: "InnerProduct" bottom: "x" top: "y" param { lr_mult: 0 }
  param { lr_mult: 0 } inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "y" top: "y" }
layer { name: "last" type: "InnerProduct" bottom: "y" top: "z"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "label" top: "loss" }
"""
#: Name -> (net, what runs besides what Net::Backward runs: `caffe time` leaves no layer out).
NETS = {
    "plain": (_DATA + _BODY + _LOSS, {"aside 0", "aside 1"}),
    "stopped": (_DATA + _BODY + _LOSS + _STOPPED, {"aside 0", "aside 1"}),
    "frozen": (_DATA + _FROZEN, set()),
    "forced": ("force_backward: true" + _DATA + _FROZEN, set()),
    "deploy": (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 5 '
        "dim: 5 } } }" + _BODY,
        {"conv 0", "scale 0", "ip 0", "ip 1"},
    ),
}


def theirs(log):
    """{"layer blob"} of the gradients that Caffe's debug_info names; a Split has no line here."""
    found = re.findall(r"\[Backward\] Layer (\S+), (?:bottom|param) blob (\S+) diff", log)
    names = {(layer, re.sub(r"_[a-z]+_\d_split_\d$", "", blob)) for layer, blob in found}
    return {f"{layer} {blob}" for layer, blob in names if not layer.endswith("_split")}


def ours(net):
    """{"layer blob"} of the gradients that one iteration of time_net computes, layer by layer."""
    found, hooks, given = set(), [], {}

    def before(layer, bottoms):
        given[layer] = [bottom.requires_grad for bottom in bottoms]

    def of_bottoms(layer, gradients, _):
        for name, asked, gradient in zip(layer.param.bottom, given[layer], gradients):
            if asked and gradient is not None:
                found.add(f"{layer.name} {name}")

    def log(text):
        if "Benchmark begins" in text:
            for layer in net.layers:
                hooks.append(layer.register_forward_pre_hook(before))
                hooks.append(layer.register_full_backward_hook(of_bottoms))
                for index, blob in enumerate(layer.blobs):
                    name = f"{layer.name} {index}"
                    if blob.requires_grad:
                        hooks.append(blob.register_hook(lambda _, name=name: found.add(name)))
        if "Average time per layer" in text:
            for hook in hooks:
                hook.remove()

    time_net(net, 1, log, torch.device("cpu"))
    return found


SCRIPT = """
import caffe, os
for name in {names}:
    for phase in (caffe.TRAIN, caffe.TEST):
        log = os.open(f"{{name}}{{phase}}.log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 2)
        net = caffe.Net(f"{{name}}.prototxt", phase)
        net.forward()
        net.backward()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timing")
    for name, (text, _) in NETS.items():
        (folder / f"{name}.prototxt").write_text(f"debug_info: true {text}")
    return folder


@pytest.mark.caffe
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # where no bottom has a gradient
def test_the_backwards_that_run_are_caffes(caffe, folder, monkeypatch):
    monkeypatch.chdir(folder)
    caffe.run_python(SCRIPT.format(names=list(NETS)), folder, GLOG_minloglevel="0")
    for name, (_, more) in NETS.items():
        for phase in (TRAIN, TEST):
            wanted = theirs((folder / f"{name}{phase}.log").read_text()) | more
            assert ours(open_net(f"{name}.prototxt", phase, CaffeRng(1))) == wanted, (name, phase)


def test_each_layer_runs_alone_before_it_is_measured(folder, monkeypatch):
    """The first backward of a process may take a second; it is no layer's time."""
    monkeypatch.chdir(folder)
    net, lines, fired = open_net("plain.prototxt", TRAIN, CaffeRng(1)), [], []
    (aside,) = [layer for layer in net.layers if layer.name == "aside"]  # under no loss
    aside.blobs[0].register_hook(lambda _: fired.append(len(lines)))
    time_net(net, 1, lines.append, torch.device("cpu"))
    begins = lines.index("*** Benchmark begins ***")
    assert [at > begins for at in fired] == [False, True]


@pytest.mark.parametrize("name", ["plain", "deploy"])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_the_passes_are_not_empty(name, phase, folder, capfd, monkeypatch):
    monkeypatch.chdir(folder)
    words = f"time -model {name}.prototxt -phase {phase} -iterations 2"
    assert cli.main(words.split()) == 0
    log = capfd.readouterr().err
    parts = {n: float(v) for n, v in re.findall(r"Average (\w+) pass: (\S+) ms", log)}
    assert set(parts) == {"Forward", "Backward"} and min(parts.values()) > 0
    both = float(re.search(r"Average Forward-Backward: (\S+) ms", log)[1])
    assert both == pytest.approx(sum(parts.values()), rel=1e-4)
