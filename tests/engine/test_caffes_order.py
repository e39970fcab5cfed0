"""`--summation caffe`: whole runs that are real Caffe's bit for bit, on the CPU."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe import cli
from gcnet_caffe.engine.layers import TRAIN, Context
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import read_caffemodel
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text, read_solver
from gcnet_caffe.formats.blobs import blob_from_proto
from tests.engine import runs
from tests.engine.small import write_small
from tests.scratch import make_tree

ITERATIONS = 6
WHAT = runs.VARIANTS + runs.PRETRAININGS + runs.VAES


@pytest.fixture(scope="module")
def tree(caffe, tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("runs"), batch_size=4)


@pytest.mark.caffe
@pytest.mark.parametrize("what", WHAT)
def test_every_output_and_every_blob_is_caffes(what, tree, caffe, monkeypatch):
    monkeypatch.chdir(tree)
    path = runs.solver_of(tree, what)
    wanted = runs.record(caffe, tree, path, ITERATIONS)
    solver = runs.make_solver(path, options=runs.ORDERS["Caffe's order"])
    for iteration in range(ITERATIONS):
        _, outputs = runs.one_step(solver)
        for name, values in outputs.items():
            assert np.array_equal(values, wanted[name][iteration]), (iteration, name)
    for key, values in runs.blobs_in(solver.net).items():
        assert np.array_equal(values, wanted[key]), key


@pytest.mark.caffe
@pytest.mark.slow
@pytest.mark.parametrize("what", WHAT)
def test_fifty_iterations_have_no_deviation(what, tree, caffe):
    found = runs.measure(caffe, tree, what, 50, ["Caffe's order"])
    forced, free = found["forced"]["Caffe's order"], found["free"]["Caffe's order"]
    assert max(forced["loss"]) == max(forced["worst"]) == max(forced["all"]) == 0
    assert max(free["loss"]) == free["weights"] == 0


@pytest.mark.caffe
@pytest.mark.parametrize(
    "iterations", [12, pytest.param(500, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_the_commands_log_and_write_the_same(iterations, tree, caffe, monkeypatch, capfd):
    monkeypatch.chdir(tree)
    changes = {"max_iter": iterations, "display": 4, "snapshot_after_train": True}
    path = runs.solver_of(tree, "S1R1", **changes, test_interval=6, test_iter=[2])
    theirs = caffe.run_caffe(["train", "-solver", path], tree).stderr
    snapshot = f"snapshots/S1R1_iter_{iterations}"
    wanted = _read(snapshot)
    capfd.readouterr()
    assert cli.main(["train", "-solver", path, "--summation", "caffe"]) == 0
    assert _values(capfd.readouterr().err) == _values(theirs)
    found = _read(snapshot)
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        assert np.array_equal(found[key], values), key


@pytest.mark.caffe
def test_a_score_is_caffes(tree, caffe, monkeypatch, capfd):
    monkeypatch.chdir(tree)
    path = runs.solver_of(tree, "S1R1", max_iter=1, snapshot_after_train=True)
    caffe.run_caffe(["train", "-solver", path], tree)
    model = read_solver(path).net
    words = ["test", "-model", model, "-weights", "snapshots/S1R1_iter_1.caffemodel"]
    theirs = caffe.run_caffe([*words, "-iterations", "3"], tree).stderr
    capfd.readouterr()
    assert cli.main([*words, "-iterations", "3", "--summation", "caffe"]) == 0
    scores = re.compile(r"(?:Batch \d+, )?(\w+ = \S+)")
    found = scores.findall(capfd.readouterr().err)
    assert len(found) > 20 and found == scores.findall(theirs)


def _read(snapshot):
    """Return {blob or history: array} of the .caffemodel and .solverstate."""
    blobs = {
        (name, index): array
        for name, arrays, _ in read_caffemodel(f"{snapshot}.caffemodel")
        for index, array in arrays.items()
    }
    state = caffe_pb.SolverState.FromString(Path(f"{snapshot}.solverstate").read_bytes())
    history = enumerate(map(blob_from_proto, state.history))
    return {**blobs, **{("history", index): array for index, array in history}}


def _values(log):
    """Return the losses and outputs that a log shows."""
    return re.findall(r"((?:loss|Net|net output #\d+: \w+|accuracy) = [^ \n]+)", log)


INPUTS = """layer { name: "x" type: "Input" top: "x" top: "label" top: "gains"
  input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } shape { dim: 9 } } }"""


@pytest.mark.parametrize("summation", ["torch", "caffe"])
@pytest.mark.parametrize("number", [3, -1])
@pytest.mark.parametrize(
    "layer",
    [
        'type: "Embed" bottom: "label" embed_param { num_output: 2 input_dim: 3 }',
        'type: "SoftmaxWithLoss" bottom: "x" bottom: "label"',
        'type: "InfogainLoss" bottom: "x" bottom: "label" bottom: "gains"',
        'type: "MultinomialLogisticLoss" bottom: "x" bottom: "label"',
        'type: "HingeLoss" bottom: "x" bottom: "label"',
    ],
    ids=lambda text: text.split('"')[1],
)
def test_a_number_of_no_class_is_an_error(layer, number, summation):
    text = f'{INPUTS} layer {{ name: "reads" {layer} top: "top" }}'
    param = parse_text(text, caffe_pb.NetParameter)
    net = Net(param, Context(phase=TRAIN, rng=CaffeRng(1), summation=summation))
    net({"label": torch.tensor([0.0, 2.0])})
    with pytest.raises(NetError, match="'reads'"):
        net({"label": torch.tensor([0.0, number])})


def test_what_it_cannot_be_used_with(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path)
    for words, said in (
        (["--summation", "mkl"], "--summation: found 'mkl', wanted torch, caffe"),
        (["--summation", "caffe", "--compile"], "cannot be used with --compile"),
        (["--summation", "caffe", "--precision", "bf16"], "cannot be used with"),
    ):
        assert cli.main(["train", "-solver", "solver.prototxt", *words]) == 2
        assert said in capfd.readouterr().err
