"""Runs the cases in both engines and compares.

The engine has three ways: each `layer` as it is; with Caffe's order of summation (`caffe`); and
as `training` runs it, with layers fused and blobs in channels-last format.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gcnet_caffe.engine.caffe_order import op_of
from gcnet_caffe.engine.layers import TEST, TRAIN, Context
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.records import FeedOptions
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.formats import caffe_pb, parse_text, to_text
from tests.engine.parity.case import Case
from tests.engine.parity.cases import CASES
from tests.engine.parity.sources import SEED, SOURCES, Source, write_files

Arrays = dict[str, NDArray[Any]]

#: max|found - wanted| over max|wanted|, of each array.
TOLERANCE = 1e-5
#: What each number may be off by: a share of itself, and a share of the largest of its array.
#: Sums that nearly cancel need the second; it is what 16 roundings of the largest number are.
OF_ITSELF, OF_LARGEST = 1e-5, 2e-6

WAYS = ("layer", "caffe", "training")
#: Layers with a blob of variances.
NORMS = ("BatchNorm", "BN")
CPU = torch.device("cpu")


def _phase(case: Case | Source) -> int:
    return TRAIN if case.phase == "TRAIN" else TEST


def opened(case: Case, way: str = "layer") -> Net:
    """Return the engine's net of the case."""
    param = case.net()
    param.state.phase = _phase(case)
    summation = "caffe" if way == "caffe" else "torch"
    return Net(param, Context(phase=_phase(case), rng=CaffeRng(1), summation=summation))


def given(case: Case, net: Net) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return the values of the blobs, and the gradients of the tops that have one."""
    rng = np.random.default_rng(len(case.name))
    blobs = [
        rng.uniform(0.5 if layer.param.type in NORMS else -1, 1.5, shape).astype(np.float32)
        for layer in net.layers
        for shape in layer.blob_shapes
    ]
    last, diffs = net.steps[-1], []
    if case.backward and not last.layer.is_loss:
        tops = last.tops[:1] if case.only_first else last.tops
        shapes = [net.blob_shapes[number] for number in tops]
        if case.type == "Filter":  # known when it runs
            chosen = int((case.bottoms[-1] != 0).sum())
            shapes = [(chosen, *shape[1:]) for shape in shapes]
        diffs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    return blobs, diffs


def by_engine(case: Case, way: str = "layer", device: torch.device = CPU) -> Arrays:
    """Return {name: array} of the case in the engine."""
    net = opened(case, way).to(device)
    values, diffs = given(case, net)
    blobs = [blob for layer in net.layers for blob in layer.blobs]
    for blob, array in zip(blobs, values):
        blob.data = torch.from_numpy(array).to(device)
    if way == "training":
        net.use_channels_last()
    given_bottoms = (torch.from_numpy(bottom).to(device) for bottom in case.bottoms)
    batch = net.next_batch({f"b{i}": bottom for i, bottom in enumerate(given_bottoms)})
    bottoms = [batch[number] for step in net.steps for number in step.tops if number in batch]
    if way == "layer":
        loss, made = net.run_keeping(batch)
        tops = {f"t{i}": made[number] for i, number in enumerate(net.steps[-1].tops)}
    else:
        loss, tops = net.run(batch)
    found = dict(tops)
    if case.backward:
        roots = [loss] if torch.is_tensor(loss) else []
        roots += [tops[f"t{i}"] for i in range(len(diffs))]
        seeds = [None] * (len(roots) - len(diffs))
        seeds += [torch.from_numpy(diff).to(device) for diff in diffs]
        pairs = [(root, seed) for root, seed in zip(roots, seeds) if root.requires_grad]
        if pairs:
            with torch.autocast("cpu", enabled=False):  # as the solver's
                torch.autograd.backward(*map(list, zip(*pairs)))
        for kind, tensors in (("b", bottoms), ("blob", blobs)):
            for index, one in enumerate(tensors):
                none = torch.zeros_like(one)
                found[f"{kind}{index}_diff"] = none if one.grad is None else one.grad
    found.update((f"blob{k}", blob) for k, blob in enumerate(blobs))
    return {name: value.detach().double().cpu().numpy() for name, value in found.items()}


def source_by_engine(source: Source, device: torch.device = CPU) -> Arrays:
    """Return {"blob turn": array} of a net of sources, its files in the current folder."""
    param = parse_text(source.text, caffe_pb.NetParameter)
    param.state.phase = _phase(source)
    feed = FeedOptions.of(EngineOptions(), device)
    net = Net(param, Context(phase=_phase(source), rng=CaffeRng(SEED), feed=feed)).to(device)
    return {
        f"{name} {turn}": blob.cpu().numpy()
        for turn in range(source.turns)
        for name, blob in net.blobs().items()
    }


def by_caffe(caffe: ModuleType, folder: Path) -> tuple[list[Arrays], list[Arrays]]:
    """Return [{name: array}, ...] of all cases in real Caffe, and of all nets of sources."""
    sent: dict[str, Any] = {"count": len(CASES), "sources": len(SOURCES)}
    for index, case in enumerate(CASES):
        blobs, diffs = given(case, opened(case))
        sent[f"{index}.net"] = to_text(case.net(in_caffe=True))
        sent[f"{index}.phase"] = _phase(case)
        sent[f"{index}.backward"] = case.backward
        for kind, arrays in (("b", case.bottoms), ("blob", blobs)):
            sent.update((f"{index}.{kind}{k}", array) for k, array in enumerate(arrays))
        sent.update((f"{index}.t{k}_diff", array) for k, array in enumerate(diffs))
    write_files(folder)
    for index, source in enumerate(SOURCES):
        sent[f"source{index}.net"] = source.text
        sent[f"source{index}.phase"] = _phase(source)
        sent[f"source{index}.turns"] = source.turns
    np.savez(folder / "cases.npz", **sent)
    caffe.run_python(Path(__file__).with_name("in_caffe.py"), folder)
    results: dict[str, Arrays] = {}
    with np.load(folder / "found.npz") as found:
        for key in found.files:
            index, name = key.split(".")
            results.setdefault(index, {})[name] = found[key]
    return (
        [results.get(str(index), {}) for index in range(len(CASES))],
        [results[f"source{index}"] for index in range(len(SOURCES))],
    )


def error(found: ArrayLike, wanted: ArrayLike) -> float:
    """Return max|found - wanted| / max|wanted|, of the finite numbers.

    0 where all are equal; infinite where the shapes differ, or one is finite and the other not.
    """
    found, wanted = (np.asarray(array, np.float64) for array in (found, wanted))
    finite = np.isfinite(wanted)
    if found.shape != wanted.shape or not np.array_equal(
        found[~finite], wanted[~finite], equal_nan=True
    ):
        return np.inf
    worst = np.abs(found[finite] - wanted[finite]).max(initial=0)
    size = np.abs(wanted[finite]).max(initial=0)
    return float(worst / size if size else worst)


def is_near(found: ArrayLike, wanted: ArrayLike) -> bool:
    """Whether the array as a whole, and each of its numbers, is real Caffe's."""
    if not error(found, wanted) <= TOLERANCE:
        return False
    found, wanted = (np.asarray(array, np.float64) for array in (found, wanted))
    finite = np.isfinite(wanted)
    sizes = np.abs(wanted[finite])
    limits = OF_ITSELF * sizes + OF_LARGEST * sizes.max(initial=0)
    return bool((np.abs(found[finite] - wanted[finite]) <= limits).all())


def has_rule(case: Case) -> bool:
    """Return whether a layer is another one in Caffe's order of summation."""
    return any(op_of(layer) is not layer for layer in opened(case).layers)


def wrong(case: Case, theirs: Arrays, way: str) -> dict[str, float]:
    """Return {name: error} of what is not real Caffe's, and how far off it is.

    In Caffe's order of summation that is all that is not equal bit for bit.
    """
    ours = by_engine(case, way)
    assert ours.keys() == theirs.keys(), (case.name, sorted(ours.keys() ^ theirs.keys()))
    errors = {name: error(found, theirs[name]) for name, found in ours.items()}
    if way == "caffe":
        return {name: value for name, value in errors.items() if value}
    return {name: value for name, value in errors.items() if not is_near(ours[name], theirs[name])}
