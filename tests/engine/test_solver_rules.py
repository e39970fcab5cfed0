"""Every update rule, lr_policy and solver option against real Caffe, step by step."""

import io
import re

import numpy as np
import pytest

from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.snapshot import read_snapshot
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import NetError
from gcnet_caffe.schema import caffe_pb, parse_text, read_solver, to_text
from tests.engine import runs
from tests.engine.small import NET, write_small

pytestmark = pytest.mark.caffe

RULES = {
    "sgd": 'type: "SGD"',
    "sgd clipped": 'type: "SGD" clip_gradients: 0.05',
    "sgd iter_size": 'type: "SGD" iter_size: 3',
    "sgd L1": 'type: "SGD" regularization_type: "L1" weight_decay: 0.01',
    "nesterov": 'type: "Nesterov"',
    "nesterov inv": 'type: "Nesterov" lr_policy: "inv" gamma: 0.1 power: 0.75',
    "step": 'lr_policy: "step" gamma: 0.5 stepsize: 2',
    "exp": 'lr_policy: "exp" gamma: 0.9',
    "multistep": 'lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 4',
    "poly": 'lr_policy: "poly" power: 2 max_iter: 9',
    "sigmoid": 'lr_policy: "sigmoid" gamma: 0.5 stepsize: 3',
    "adagrad": 'type: "AdaGrad" momentum: 0 delta: 1e-4',
    "rmsprop": 'type: "RMSProp" momentum: 0 rms_decay: 0.9 delta: 1e-4',
    "adadelta": 'type: "AdaDelta" momentum: 0.9 delta: 1e-6 base_lr: 1',
    "adam": 'type: "Adam" momentum2: 0.99 delta: 1e-6 base_lr: 0.01',
}

#: Multipliers, a frozen blob, and two layers that share one.
MULTIPLIED = NET.replace(
    'type: "InnerProduct" bottom: "conv"',
    'type: "InnerProduct" bottom: "conv" param {{ lr_mult: 2 decay_mult: 0.5 }} '
    "param {{ lr_mult: 0 }}",
)
ITERATIONS = 8


@pytest.mark.parametrize("name", RULES)
def test_rule(name, caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path, net=MULTIPLIED)
    merged = parse_text((tmp_path / "solver.prototxt").read_text(), caffe_pb.SolverParameter)
    merged.MergeFrom(parse_text(RULES[name], caffe_pb.SolverParameter))
    (tmp_path / "solver.prototxt").write_text(to_text(merged))
    runs.record(caffe, tmp_path, "solver.prototxt", ITERATIONS, "snapshots")
    solver = runs.make_solver("solver.prototxt")
    exact = runs.make_solver("solver.prototxt", options=runs.ORDERS["Caffe's order"])
    for iteration in range(ITERATIONS):
        solver.step(1)
        exact.step(1)
        mine, equal = (runs.blobs_in(one.net) for one in (solver, exact))
        theirs = runs.make_blobs(f"small_iter_{iteration + 1}.caffemodel", mine)
        for key, blob in mine.items():
            assert runs.distance(blob, theirs[key]) <= 1e-5, (iteration, key)
            assert np.array_equal(equal[key], theirs[key]), (iteration, key)
    found = read_snapshot(f"small_iter_{ITERATIONS}.solverstate", solver.updater.history)
    assert (found.iteration, found.current_step) == (ITERATIONS, solver.current_step)
    for mine, theirs in zip(solver.updater.history, found.history):
        assert runs.distance(mine.numpy(), theirs) <= 1e-4
    assert np.isfinite(found.history[0]).all()


SHARED = """
name: "shared" force_backward: {force}
layer {{ name: "data" type: "DummyData" top: "a" top: "label"
  dummy_data_param {{ shape {{ dim: 4 dim: 6 }} shape {{ dim: 4 }}
    data_filler {{ type: "gaussian" std: 1 }} data_filler {{ type: "constant" value: 1 }} }} }}
layer {{ name: "one" type: "InnerProduct" bottom: "a" top: "x" param {{ name: "w" lr_mult: 2 }}
  inner_product_param {{ num_output: 6 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "in_place" type: "ReLU" bottom: "x" top: "x" relu_param {{ negative_slope: 0.3 }} }}
layer {{ name: "two" type: "InnerProduct" bottom: "x" top: "y" param {{ name: "w" {mode} }}
  inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "stop" type: "Eltwise" bottom: "x" bottom: "y" top: "z" {down} }}
layer {{ name: "score" type: "InnerProduct" bottom: "{last}" top: "score"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "msra" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_weight: 0.5 }}
layer {{ name: "second" type: "Reduction" bottom: "y" top: "second" loss_weight: 0.1
  reduction_param {{ operation: SUMSQ }} }}
"""


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"down": "propagate_down: true propagate_down: false"},
        {"down": "propagate_down: false propagate_down: true"},
        {"force": "true"},
        {"mode": "share_mode: PERMISSIVE"},
    ],
)
def test_sharing_and_the_way_back(fields, caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    defaults = {"force": "false", "mode": "", "down": "", "outputs": 6, "last": "z"}
    write_small(tmp_path)
    (tmp_path / "net.prototxt").write_text(SHARED.format(**{**defaults, **fields}))
    runs.record(caffe, tmp_path, "solver.prototxt", 5, "snapshots")
    solver = runs.make_solver("solver.prototxt")
    assert solver.net.layers[1].blobs[0] is solver.net.layers[3].blobs[0]
    solver.step(5)
    mine = runs.blobs_in(solver.net)
    theirs = runs.make_blobs("small_iter_5.caffemodel", mine)
    for key, blob in mine.items():
        assert runs.distance(blob, theirs[key]) <= 1e-5, key


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"outputs": 5}, "Cannot share param 'w' owned by layer 'one' with layer 'two'; shape"),
        ({"mode": "lr_mult: 3"}, "Shared param 'w' has mismatched lr_mult: 2 in layer 'one', 3"),
    ],
)
def test_sharing_that_caffe_refuses(fields, message, caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    defaults = {"force": "false", "mode": "", "down": "", "outputs": 6, "last": "x"}
    write_small(tmp_path)
    (tmp_path / "net.prototxt").write_text(
        SHARED.replace(
            'bottom: "x" bottom: "y" top: "z"', 'bottom: "x" bottom: "x" top: "z"'
        ).format(**{**defaults, **fields})
    )
    with pytest.raises(NetError, match=message):
        runs.make_solver("solver.prototxt")
    done = caffe.run_caffe(["train", "-solver", "solver.prototxt"], tmp_path, check=False)
    assert done.returncode != 0


def test_debug_info_prints_what_caffe_prints(caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path, more="debug_info: true")
    theirs = caffe.run_caffe(["train", "-solver", "solver.prototxt"], tmp_path).stderr
    stream = io.StringIO()
    Solver(read_solver("solver.prototxt"), "solver.prototxt", log=Log(stream)).step(1)
    ours, wanted = debug_lines(stream.getvalue()), debug_lines(theirs)
    assert {"[Forward]", "[Backward]"} == {name.split()[0] for name in ours}
    for name, numbers in ours.items():
        assert numbers == pytest.approx(wanted[name], rel=1e-3), name


def debug_lines(log):
    """Return {line without its numbers: the numbers} of the first iteration's debug lines."""
    found = {}
    for line in re.findall(r"\] +(\[(?:Forward|Backward)\].*)", log.split("Iteration 0 (")[0]):
        name, _, values = line.partition(": ") if "norm" not in line else line.partition("= ")
        found[name] = [float(number) for number in re.findall(r"\d[-\d.e]*(?=[,;)]|$)", values)]
    return found
