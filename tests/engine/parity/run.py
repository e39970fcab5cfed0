"""Runs the cases in both engines and compares."""

from pathlib import Path

import numpy as np
import torch

from gcnet_caffe.engine.caffe_order import op_of
from gcnet_caffe.engine.layers import TEST, TRAIN, Context, create_layer
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.schema import to_text
from tests.engine.parity.cases import CASES

TOLERANCE = 1e-5


def _phase(case):
    return TRAIN if case.phase == "TRAIN" else TEST


def _made(case):
    """Return the engine's layer, its blobs' values and its tops' gradients."""
    layer = create_layer(case.layer(), Context(phase=_phase(case), rng=CaffeRng(1)))
    shapes = layer.setup([bottom.shape for bottom in case.bottoms])[: layer.num_tops]
    rng = np.random.default_rng(len(case.name))
    low = 0.5 if case.type == "BatchNorm" else -1
    blobs = [rng.uniform(low, 1.5, shape).astype(np.float32) for shape in layer.blob_shapes]
    diffs = []
    if case.backward and not layer.is_loss:
        count = 1 if case.only_first else len(shapes)
        diffs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes[:count]]
    return layer, blobs, diffs


def by_engine(case, dtype=torch.float32, summation="torch"):
    """Return {name: array} of the case in the engine, computed in `dtype`."""
    layer, blobs, diffs = _made(case)
    layer.to(dtype)
    for parameter, values in zip(layer.blobs, blobs):
        parameter.data = torch.from_numpy(values).to(dtype)
    bottoms = [torch.from_numpy(bottom).to(dtype) for bottom in case.bottoms]
    for index, bottom in enumerate(bottoms):
        bottom.requires_grad_(case.backward and index not in case.labels)
    if layer.draws:
        layer.draw()
    tops = (op_of(layer) if summation == "caffe" else layer)(*bottoms)
    tops = tops if isinstance(tops, tuple) else (tops,)
    found = {f"t{i}": top for i, top in enumerate(tops)}
    if case.backward:
        if layer.is_loss:
            weights = list(case.layer().loss_weight) or [1.0]
            sum(w * top.sum() for w, top in zip(weights, tops) if w).backward()
        else:
            roots = [(t, d) for t, d in zip(tops, diffs) if t.requires_grad]
            if roots:
                seeds = [torch.from_numpy(diff).to(dtype) for _, diff in roots]
                torch.autograd.backward([top for top, _ in roots], seeds)
        found.update(
            (f"b{i}_diff", b.grad if b.grad is not None else torch.zeros_like(b))
            for i, b in enumerate(bottoms)
            if i not in case.labels
        )
        for k, blob in enumerate(layer.blobs):
            found[f"blob{k}_diff"] = torch.zeros_like(blob) if blob.grad is None else blob.grad
    found.update((f"blob{k}", blob) for k, blob in enumerate(layer.blobs))
    if case.type == "BatchNorm":  # Caffe leaves no gradient there
        found = {
            name: value
            for name, value in found.items()
            if not name.startswith("blob") or "_" not in name
        }
    return {name: value.detach().double().numpy() for name, value in found.items()}


def by_caffe(caffe, folder):
    """Return [{name: array}, ...] of all cases in real Caffe."""
    given = {"count": len(CASES)}
    for index, case in enumerate(CASES):
        _, blobs, diffs = _made(case)
        given[f"{index}.net"] = to_text(case.net())
        given[f"{index}.phase"] = _phase(case)
        given[f"{index}.backward"] = case.backward
        for kind, arrays in (("b", case.bottoms), ("blob", blobs)):
            given.update((f"{index}.{kind}{k}", array) for k, array in enumerate(arrays))
        given.update((f"{index}.t{k}_diff", array) for k, array in enumerate(diffs))
    np.savez(folder / "cases.npz", **given)
    caffe.run_python(Path(__file__).with_name("in_caffe.py"), folder)
    results = [{} for _ in CASES]
    with np.load(folder / "found.npz") as found:
        for key in found.files:
            index, name = key.split(".")
            results[int(index)][name] = found[key]
    return results


def error(found, wanted):
    """Return max|found - wanted| / max|wanted|; 0 where all are equal, NaN included."""
    wanted = np.asarray(wanted, np.float64)
    if np.array_equal(found, wanted, equal_nan=True):
        return 0.0
    size, worst = np.abs(wanted).max(), np.abs(found - wanted).max()
    return worst / size if size else worst


def has_rule(case):
    """Return whether the layer is another one in Caffe's order of summation."""
    layer, _, _ = _made(case)
    return op_of(layer) is not layer


def unequal(case, theirs):
    """Return {name: error} of what is not Caffe's bit for bit in Caffe's order of summation."""
    ours = by_engine(case, summation="caffe")
    errors = {name: error(found, theirs[name]) for name, found in ours.items()}
    return {name: value for name, value in errors.items() if value}


def compare(case, theirs):
    """Return {name: (error, passes, words)} of the case against real Caffe's numbers."""
    ours, exact, results = by_engine(case), None, {}
    for name, found in ours.items():
        assert found.shape == theirs[name].shape, (case.name, name, found.shape, theirs[name].shape)
        difference = error(found, theirs[name])
        passes, words = difference <= TOLERANCE, ""
        if not passes:
            exact = exact or by_engine(case, torch.float64)
            mine, caffes = error(found, exact[name]), error(theirs[name], exact[name])
            passes, words = mine <= 2 * caffes, f"{mine:.1e} against Caffe's {caffes:.1e}"
        results[name] = (difference, passes, words)
    return results
