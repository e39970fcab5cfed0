"""Short runs of every update rule, lr_policy and solver option, in both engines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.snapshot import read_snapshot
from gcnet_caffe.formats import caffe_pb, parse_text, to_text
from tests.engine import runs
from tests.engine.small import NET, write_small

RULES = {
    "sgd": 'type: "SGD"',
    "sgd clipped": 'type: "SGD" clip_gradients: 0.05',
    "sgd iter_size": 'type: "SGD" iter_size: 3',
    "sgd L1": 'type: "SGD" regularization_type: "L1" weight_decay: 0.1',
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

#: Multipliers and a frozen blob.
MULTIPLIED = NET.replace(
    'type: "InnerProduct" bottom: "conv"',
    'type: "InnerProduct" bottom: "conv" param {{ lr_mult: 2 decay_mult: 0.5 }} '
    "param {{ lr_mult: 0 }}",
)
ITERATIONS = 8
#: How far off the engine may be: the longest way seen is 9e-6, of clipped gradients, whose updates
#: are small beside the float32 steps of the weights. In Caffe's order nothing is.
LIMITS = {"engine": 5e-5, "Caffe's order": 0.0}

Arrays = dict[str, NDArray[Any]]


def path_of(name: str) -> str:
    """Return the solver file of a rule."""
    return f"{name.replace(' ', '_')}.prototxt"


def write_rules(folder: Path) -> None:
    """Write the net, its LMDB and a solver file for each rule into `folder`."""
    write_small(folder, net=MULTIPLIED)
    for name, fields in RULES.items():
        text = (folder / "solver.prototxt").read_text()
        param = parse_text(text, caffe_pb.SolverParameter)
        param.weight_decay = 0.2  # so much that a wrong decay shows
        param.MergeFrom(parse_text(fields, caffe_pb.SolverParameter))
        param.snapshot_prefix = path_of(name).partition(".")[0]
        (folder / path_of(name)).write_text(to_text(param))


def by_caffe(
    caffe: ModuleType, folder: Path, paths: Iterable[str], iterations: int
) -> dict[str, list[Arrays]]:
    """Return {solver file: the blobs at the start and after each iteration} of real Caffe."""
    script = Path(__file__).with_name("rules_in_caffe.py")
    caffe.run_python(script, folder, [str(iterations), *paths])
    found: dict[str, list[Arrays]] = {}
    with np.load(folder / "recorded.npz") as recorded:
        for key in recorded.files:
            path, blob, iteration = key.split("|")
            steps = found.setdefault(path, [{} for _ in range(iterations + 1)])
            steps[int(iteration)][blob] = recorded[key]
    return found


def deviations(name: str, solver: Any, theirs: list[Arrays]) -> Iterator[dict[str, float]]:
    """Yield {blob: how far} off a run of the engine is from real Caffe's, step by step.

    At the start, and then after each iteration of all that the blob has moved since, as
    ||a - b|| / ||b||.
    """
    start = runs.blobs_in(solver.net)
    assert start.keys() == theirs[0].keys(), name
    yield {f"{key} at the start": runs.distance(start[key], theirs[0][key]) for key in start}
    for iteration, after in enumerate(theirs[1:], 1):
        solver.step(1)
        found = {}
        for key, mine in runs.blobs_in(solver.net).items():
            ours, wanted = (np.float64(1) * blob - theirs[0][key] for blob in (mine, after[key]))
            found[f"{key} after {iteration}"] = runs.distance(ours, wanted)
        yield found


def wrong(name: str, theirs: list[Arrays], order: str) -> dict[str, float]:
    """Return {what: how far} of what is first too far off in the engine's run of a rule.

    Parameters
    ----------
    order : str
        A key of LIMITS.
    """
    solver = runs.make_solver(path_of(name), options=runs.ORDERS[order])
    after = (_of_history(name, solver) for _ in range(1))  # when the run is done
    for found in chain(deviations(name, solver, theirs), after):
        far = {what: value for what, value in found.items() if not value <= LIMITS[order]}
        if far:
            return far
    return {}


def _of_history(name: str, solver: Any) -> dict[str, float]:
    prefix = path_of(name).partition(".")[0]
    state = read_snapshot(f"{prefix}_iter_{ITERATIONS}.solverstate", solver.updater.history)
    found = {"steps": float(abs(state.current_step - solver.current_step))}
    found["histories"] = float(abs(len(state.history) - len(solver.updater.history)))
    for index, (ours, wanted) in enumerate(zip(solver.updater.history, state.history)):
        found[f"history {index}"] = runs.distance(ours.numpy(), wanted)
    return found
