"""Every update rule, lr_policy and solver option against real Caffe, step by step."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import read_solver
from tests.engine import rules, runs
from tests.engine.parity.mutations import RULE_HEADS, rows, rows_of, survivors
from tests.engine.parity.other_mutations import break_rules
from tests.engine.small import write_small

pytestmark = pytest.mark.caffe

SHARED_ITERATIONS = 5


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the rules, and of the nets that share blobs."""
    folder = tmp_path_factory.mktemp("rules")
    rules.write_rules(folder)
    for index, fields in enumerate(SHARING):
        (folder / f"net_{index}.prototxt").write_text(shared_net(**fields))
        solver = (folder / "solver.prototxt").read_text()
        (folder / f"shared_{index}.prototxt").write_text(
            solver.replace("net.prototxt", f"net_{index}.prototxt")
        )
    return folder


@pytest.fixture(scope="module")
def theirs(caffe, tree: Path) -> dict[str, list[rules.Arrays]]:
    """Real Caffe's runs of all rules, from one process."""
    return rules.by_caffe(caffe, tree, map(rules.path_of, rules.RULES), rules.ITERATIONS)


@pytest.mark.parametrize("order", rules.LIMITS)
@pytest.mark.parametrize("name", rules.RULES)
def test_rule(name: str, order: str, theirs, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert rules.wrong(name, theirs[rules.path_of(name)], order) == {}


def test_no_break_of_a_rule_survives(theirs, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    found = break_rules(theirs)
    assert survivors(found) == []
    assert rows_of("rules") == rows(found, RULE_HEADS)


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


def shared_net(**fields: object) -> str:
    """Return the net with `fields` filled in."""
    defaults = {"force": "false", "mode": "", "down": "", "outputs": 6, "last": "z"}
    return SHARED.format(**{**defaults, **fields})


SHARING = (
    {},
    {"down": "propagate_down: true propagate_down: false"},
    {"down": "propagate_down: false propagate_down: true"},
    {"force": "true"},
    {"mode": "share_mode: PERMISSIVE"},
)


@pytest.fixture(scope="module")
def shared(caffe, tree: Path) -> dict[str, list[rules.Arrays]]:
    """Real Caffe's runs of the nets that share blobs, from one process."""
    paths = [f"shared_{index}.prototxt" for index in range(len(SHARING))]
    return rules.by_caffe(caffe, tree, paths, SHARED_ITERATIONS)


@pytest.mark.parametrize("order", rules.LIMITS)
@pytest.mark.parametrize("index", range(len(SHARING)))
def test_sharing_and_the_way_back(
    index: int, order: str, shared, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    path = f"shared_{index}.prototxt"
    solver = runs.make_solver(path, options=runs.ORDERS[order])
    assert solver.net.layers[1].blobs[0] is solver.net.layers[3].blobs[0]
    for found in rules.deviations(path, solver, shared[path]):
        assert max(found.values()) <= rules.LIMITS[order], found
    ends = {tuple(shared[name][-1]["score:0"].ravel()) for name in shared}
    assert len(ends) >= 3  # the ways back are not all one


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"outputs": 5}, "Cannot share param 'w' owned by layer 'one' with layer 'two'; shape"),
        ({"mode": "lr_mult: 3"}, "Shared param 'w' has mismatched lr_mult: 2 in layer 'one', 3"),
    ],
)
def test_sharing_that_caffe_refuses(fields, message, caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path)
    text = shared_net(last="x", **fields)
    (tmp_path / "net.prototxt").write_text(
        text.replace('bottom: "x" bottom: "y" top: "z"', 'bottom: "x" bottom: "x" top: "z"')
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


#: Read by the nets of one test_state each.
SCORES = """
layer { name: "of_a" type: "Reduction" bottom: "score" top: "of_a"
  include { stage: "a" not_stage: "b" } reduction_param { operation: SUMSQ } }
layer { name: "of_2" type: "Reduction" bottom: "score" top: "of_2"
  include { min_level: 2 } reduction_param { operation: ASUM } }
layer { name: "trained" type: "Reduction" bottom: "score" top: "trained"
  include { phase: TRAIN stage: "c" } }
"""
STATES = """solver_type: NESTEROV test_interval: 2 test_compute_loss: true %s
  train_state { stage: "c" } test_iter: 1 test_iter: 3 test_iter: 2
  test_state { stage: "a" } test_state { stage: "a" stage: "b" level: 1 } test_state { level: 2 }"""


@pytest.mark.parametrize("more", ["", "test_initialization: false"])
def test_each_test_state_makes_its_net_and_is_tested_when_caffe_does(
    more, caffe, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path, more=STATES % more)
    with open("net.prototxt", "a") as net:
        net.write(SCORES)
    theirs = caffe.run_caffe(["train", "-solver", "solver.prototxt"], tmp_path).stderr
    stream = io.StringIO()
    Solver(read_solver("solver.prototxt"), "solver.prototxt", log=Log(stream)).solve()
    ours, wanted = (output_lines(text) for text in (stream.getvalue(), theirs))
    assert [name for name, _ in ours] == [name for name, _ in wanted]
    for (name, numbers), (_, others) in zip(ours, wanted):
        assert numbers == pytest.approx(others, rel=1e-4), name
    names = " ".join(name for name, _ in ours)
    tests = 3 if more else 4  # of the iterations 0, 2, 4 and 6
    assert (names.count("of_a ="), names.count("of_2 =")) == (tests, tests)
    assert names.count("trained =") == 3 and names.count("Testing net") == 3 * tests


def output_lines(log):
    """Return [(line without its numbers, the numbers)] of the tests and the shown iterations."""
    lines = re.findall(r"\] +((?:Iteration \d+, Testing|Test|Train) (?:net|loss).*)", log)
    parts = [line.partition("= " if "=" in line else ": ") for line in lines]
    return [
        (head + mark, [float(number) for number in re.findall(r"-?\d[-\d.e]*", values)])
        for head, mark, values in parts
    ]


def debug_lines(log):
    """Return {line without its numbers: the numbers} of the first iteration's debug lines."""
    found = {}
    for line in re.findall(r"\] +(\[(?:Forward|Backward)\].*)", log.split("Iteration 0 (")[0]):
        name, _, values = line.partition(": ") if "norm" not in line else line.partition("= ")
        found[name] = [float(number) for number in re.findall(r"\d[-\d.e]*(?=[,;)]|$)", values)]
    return found
