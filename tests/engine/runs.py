"""Training runs of the committed solvers in both engines, for the tests that compare them.

The solvers are the committed ones over a scratch tree (tests/scratch.py), with a random_seed, so
that both engines start from the same weights and see the same crops, mirrors and dropout masks.
"""

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe import nets
from gcnet_caffe.engine import loops
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.formats import read_solver, to_text
from tests.nets.narrow import narrow_nets

RECORD = Path(__file__).with_name("record_in_caffe.py")
VARIANTS = ("cnn", "metric", "S0R0", "S1R0", "S0R1", "S1R1")
PRETRAININGS = ("pretrain_autoencoder", "pretrain_identity")
#: Nets with a VAE, narrow here.
VAES = ("S1R1_vae", "disentangle_vae")
#: The engine as it is, and in Caffe's order of summation.
ORDERS = {"engine": EngineOptions(), "Caffe's order": EngineOptions(summation="caffe")}


def write_solver(tree, name, **changes):
    """Write a copy of solvers/`name`.prototxt with `changes` into `tree`; return its path."""
    param = read_solver(tree / "solvers" / f"{name}.prototxt")
    param.random_seed = 1
    param.snapshot_prefix = f"snapshots/{name}"
    param.snapshot_after_train = False
    for field in ("test_interval", "test_iter", "snapshot"):
        param.ClearField(field)
    for field, value in changes.items():
        if isinstance(value, (list, tuple)):
            param.ClearField(field)
            getattr(param, field).extend(value)
        else:
            setattr(param, field, value)
    path = f"solvers/recorded_{Path(param.snapshot_prefix).name}.prototxt"
    (tree / path).write_text(to_text(param))
    return path


def solver_of(tree, what, **changes):
    """Write the solver of a variant, a pre-training or a VAE; return its path."""
    if what in PRETRAININGS:
        return write_solver(tree, what, **changes)
    if what in VAES:
        net = f"prototxt/narrow_{what}_train_test.prototxt"
        text, *_ = narrow_nets(what.split("_")[0], generator="vae", batch_size=4)
        (tree / net).write_text(text)
        return write_solver(tree, f"ck_fold0_{what}", net=net, **changes)
    net = nets.solver_defaults(what).net
    changes = {"net": net, "snapshot_prefix": f"snapshots/{what}", **changes}
    return write_solver(tree, "ck_fold0", **changes)


def record(caffe, tree, solver, iterations, how="", threads=1):
    """Train in real Caffe; return what record_in_caffe.py saves."""
    (found,) = record_all(caffe, tree, solver, iterations, [how], threads)
    return found


def record_all(caffe, tree, solver, iterations, hows, threads=1):
    """Train in real Caffe once for each of `hows`, in one process; return what each saves."""
    outs = [f"recorded_{place}.npz" for place in range(len(hows))]
    arguments = [word for pair in zip(outs, hows) for word in pair]
    caffe.run_python(RECORD, tree, [solver, str(iterations), *arguments], threads=threads)
    return [dict(np.load(tree / out)) for out in outs]


def make_solver(solver, **options):
    """Return the engine's Solver of the file `solver`, in the current folder."""
    return Solver(read_solver(solver), solver, log=Log(io.StringIO()), **options)


@contextlib.contextmanager
def threads(count):
    """Have PyTorch, and loops in Caffe's order however short, use `count` threads in the body."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loops, "_WORTH", 1)
            yield
    finally:
        torch.set_num_threads(before)


def blobs_in(net):
    """Return {"layer:index": float32 array} of the blobs of the engine's `net`."""
    return {
        f"{layer.name}:{index}": layer.blob(index).detach().numpy().copy()
        for layer in net.layers
        for index in range(len(layer.blobs))
    }


def one_step(solver):
    """Do one iteration; return its loss and {output: array}."""
    seen = []
    inner = solver.forward_backward

    def spying(debugged=False):
        seen.append(inner(debugged))
        return seen[-1]

    solver.forward_backward = spying
    solver.step(1)
    del solver.forward_backward
    loss, outputs = seen[0]
    return float(loss), {name: blob.detach().numpy() for name, blob in outputs.items()}


def distance(found, wanted):
    """Return ||found - wanted|| / ||wanted||; 0 where both are 0."""
    wanted = np.asarray(wanted, np.float64)
    size = np.linalg.norm(wanted)
    error = np.linalg.norm(np.asarray(found, np.float64) - wanted)
    return error / size if size else error


def total_loss(recorded, weights):
    """Return the total loss by iteration, of outputs that are recorded by iteration, or of one."""
    return sum(weight * recorded[name].reshape(-1) for name, weight in weights.items())


def update_distances(found, wanted):
    """Return the worst blob's distance between two updates, and that of all blobs together."""
    errors, squares, sizes = [], 0.0, 0.0
    for key, theirs in wanted.items():
        mine = found[key]
        errors.append(distance(mine, theirs))
        squares += np.square(np.float64(1) * mine - theirs).sum()
        sizes += np.square(np.float64(1) * theirs).sum()
    return max(errors), float(np.sqrt(squares / sizes))


def measure(caffe, tree, what, iterations, orders=("engine",), two_threads=False):
    """Run `what` in both engines, forced and free; return the deviations from real Caffe.

    `orders` are keys of ORDERS: the engine is run once for each.

    Real Caffe with one thread is what is compared with; the calibrations are real Caffe with start
    weights that are each one float32 step off and, if `two_threads`, with two threads.

    Returns
    -------
    dict
        `forced` -> those of `orders`, `caffe` (two threads, weights one step off) -> lists by
        iteration: `loss`, `worst` (update of the worst blob), `all` (of all blobs).
        `free` -> those of `orders`, `one ulp`, `two threads` -> `loss` and `curve` by iteration,
        `weights` at the end. `curve`: Caffe's losses.
    """
    path = solver_of(tree, what)
    one, ulp = record_all(caffe, tree, path, iterations, ["snapshots", "ulp"])
    forced = record(caffe, tree, path, iterations, "forced ulp", threads=2)
    others = {"one ulp": ulp}
    if two_threads:
        others["two threads"] = record(caffe, tree, path, iterations, threads=2)
    here = os.getcwd()
    os.chdir(tree)
    try:
        found = _compare(path, iterations, one, forced, others, orders)
    finally:
        os.chdir(here)
        for file in (tree / "snapshots").iterdir():
            file.unlink()
    return found


def _compare(path, iterations, one, forced, others, orders):
    solvers = {name: make_solver(path, options=ORDERS[name]) for name in orders}
    some = next(iter(solvers.values()))
    losses = total_loss(one, some.net.loss_weights)
    series = {name: {"loss": [], "worst": [], "all": []} for name in (*orders, "caffe")}
    itself = total_loss(forced, some.net.loss_weights)
    for iteration in range(iterations):
        steps = {name: _forced_step(solver, iteration) for name, solver in solvers.items()}
        before = steps[orders[0]][0]
        after = make_blobs(f"{some.param.snapshot_prefix}_iter_{iteration + 1}.caffemodel", before)
        wanted = minus(after, before)
        found = {name: (loss, minus(blobs, start)) for name, (start, loss, blobs) in steps.items()}
        found["caffe"] = (itself[iteration], {key: forced[key][iteration] for key in before})
        for name, (loss, updates) in found.items():
            worst, together = update_distances(updates, wanted)
            series[name]["loss"].append(abs(float(loss / losses[iteration]) - 1))
            series[name]["worst"].append(float(worst))
            series[name]["all"].append(together)
    runs = {name: _free_run(path, name, iterations) for name in orders}
    for name, run in others.items():
        runs[name] = (total_loss(run, some.net.loss_weights), run)
    free = {
        name: {
            "loss": np.abs(values / losses - 1).tolist(),
            "weights": _apart(blobs, one, before),
            "curve": values.tolist(),
        }
        for name, (values, blobs) in runs.items()
    }
    return {"forced": series, "free": free, "curve": losses.tolist()}


def _forced_step(solver, iteration):
    """Do one step from real Caffe's snapshot; return blobs before, loss, blobs after."""
    solver.restore(f"{solver.param.snapshot_prefix}_iter_{iteration}.solverstate")
    before = blobs_in(solver.net)
    _, outputs = one_step(solver)
    return before, total_loss(outputs, solver.net.loss_weights)[0], blobs_in(solver.net)


def _free_run(path, order, iterations):
    """Return the losses, and the blobs at the end."""
    solver = make_solver(path, options=ORDERS[order])
    outputs = [one_step(solver)[1] for _ in range(iterations)]
    curve = [total_loss(values, solver.net.loss_weights)[0] for values in outputs]
    return np.array(curve), blobs_in(solver.net)


def minus(after, before):
    return {key: after[key] - before[key] for key in before}


def _apart(found, wanted, keys):
    """Return the distance of all blobs together."""
    error = sum(np.square(np.float64(1) * found[key] - wanted[key]).sum() for key in keys)
    return float(np.sqrt(error / sum(np.square(np.float64(1) * wanted[key]).sum() for key in keys)))


def make_blobs(path, like):
    """Return {"layer:index": array} of the .caffemodel at `path`, for the keys of `like`."""
    from gcnet_caffe.engine.weights import read_caffemodel

    return {
        f"{name}:{index}": array
        for name, blobs, _ in read_caffemodel(path)
        for index, array in blobs.items()
        if f"{name}:{index}" in like
    }
