"""Training runs of the committed solvers in both engines, for the tests that compare them.

The solvers are the committed ones over a scratch tree (tests/scratch.py), with a random_seed, so
that both engines start from the same weights and see the same crops, mirrors and dropout masks.
"""

import io
from pathlib import Path

import numpy as np

from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.schema import read_solver, to_text
from gcnet_caffe.schema import read_weights

RECORD = Path(__file__).with_name("record_in_caffe.py")


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
    path = f"solvers/recorded_{name}.prototxt"
    (tree / path).write_text(to_text(param))
    return path


def record(caffe, tree, solver, iterations, each=False, threads=1, out="recorded.npz"):
    """Train in real Caffe; return what record_in_caffe.py saves."""
    how = ["each"] if each else []
    caffe.run_python(RECORD, tree, [solver, str(iterations), out, *how], threads=threads)
    with np.load(tree / out) as found:
        return dict(found)


def make_solver(solver, stream=None, **options):
    """Return the engine's Solver of the file `solver`, in the current folder."""
    return Solver(read_solver(solver), solver, log=Log(stream or io.StringIO()), **options)


def blobs_of(path):
    """Return {(layer, index): float64 array} of the .caffemodel at `path`."""
    found = {}
    for layer in read_weights(path).layer:
        for index, blob in enumerate(layer.blobs):
            shape = tuple(blob.shape.dim) or (-1,)
            found[layer.name, index] = np.array(blob.data, np.float64).reshape(shape)
    return found


def blobs_in(net):
    """Return {(layer, index): float64 array} of the blobs of the engine's `net`."""
    return {
        (layer.name, index): layer.blob(index).detach().double().numpy().copy()
        for layer in net.layers
        for index in range(len(layer.blobs))
    }


def distance(found, wanted):
    """Return ||found - wanted|| / ||wanted||; 0 where both are 0."""
    size = np.linalg.norm(wanted)
    error = np.linalg.norm(np.asarray(found, np.float64) - wanted)
    return error / size if size else error


def total_loss(record, weights):
    """Return the total loss by iteration of a `record`."""
    return sum(weight * record[name].reshape(-1) for name, weight in weights.items())
