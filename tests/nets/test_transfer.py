"""Pre-train, transfer by layer name, fine-tune: the README's commands in real Caffe."""

import signal
import subprocess

import numpy as np
import pytest

from gcnet_caffe.formats import read_weights
from tests.scratch import make_tree

pytestmark = pytest.mark.caffe


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("transfer"), batch_size=2)


def shorten(tree, solver, iterations):
    """Set max_iter, a seed, and a snapshot at the end only; return the weights' path."""
    path = tree / f"solvers/{solver}.prototxt"
    lines = path.read_text().splitlines()
    kept = [x for x in lines if x.split(":")[0] not in ("max_iter", "snapshot", "test_iter")]
    short = path.with_name(f"{solver}_short.prototxt")
    short.write_text(
        "\n".join([*kept, f"max_iter: {iterations}", "test_iter: 1", "random_seed: 1"])
    )
    prefix = next(x.split('"')[1] for x in lines if x.startswith("snapshot_prefix"))
    return short, tree / f"{prefix}_iter_{iterations}.caffemodel"


def train(caffe, tree, solver, iterations, *more):
    short, weights = shorten(tree, solver, iterations)
    result = caffe.run_caffe(["train", "-solver", f"solvers/{short.name}", *more], cwd=tree)
    return read_layers(weights), result.stderr


def read_layers(path):
    return {
        layer.name: [np.array(blob.data, np.float32) for blob in layer.blobs]
        for layer in read_weights(path).layer
        if layer.blobs
    }


def equal(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


def test_only_the_encoders_are_adopted(caffe, tree):
    autoencoder, _ = train(caffe, tree, "pretrain_autoencoder", 2)
    identity, _ = train(caffe, tree, "pretrain_identity", 2)
    fresh, _ = train(caffe, tree, "ck_fold0", 0)
    weights = "snapshots/pretrain_autoencoder_iter_2.caffemodel"
    weights += ",snapshots/pretrain_identity_iter_2.caffemodel"
    adopted, log = train(caffe, tree, "ck_fold0", 0, "-weights", weights)
    assert "Iteration 0" in log
    for name, blobs in adopted.items():
        own = name[: -len("_reference")] if name.endswith("_reference") else name
        if own.startswith("enc1_"):
            assert equal(blobs, autoencoder[own]), name
        elif own.startswith("enc2_"):
            assert equal(blobs, identity[own]), name
        else:
            assert equal(blobs, fresh[name]), f"{name} was not to be adopted"
    assert not equal(fresh["enc1_conv1"], adopted["enc1_conv1"])
    assert not equal(fresh["enc2_bn1"], adopted["enc2_bn1"])
    others = {n for n in (*autoencoder, *identity) if not n.startswith(("enc1_", "enc2_"))}
    assert not others & set(adopted), "names of other layers occur nowhere else"


def test_the_committed_solver_trains_and_stops_with_a_snapshot(caffe, tree):
    """`caffe train -solver solvers/ck_fold0.prototxt`, verbatim, in the image, on the CPU."""
    command = [caffe.LAUNCHER, "caffe", "train", "-solver", "solvers/ck_fold0.prototxt"]
    log = []
    with subprocess.Popen(command, cwd=tree, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            log.append(line)
            if "Iteration 0" in line and "loss = " in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0, "".join(log[-20:])
    assert "Optimization Done" in log[-1]
    assert list((tree / "snapshots").glob("ck_fold0_S1R1_iter_*.solverstate"))
    assert "train_lmdb: 24 records" in "".join(log), "gcnet check goes before"


def test_a_label_out_of_range_never_reaches_caffe(caffe, tree):
    net = tree / "prototxt/ck_fold0_cnn_train_test.prototxt"
    net.write_text(net.read_text().replace("num_output: 7", "num_output: 5"))
    solver = ["train", "-solver", "solvers/ck_fold0_cnn.prototxt"]
    result = caffe.run_caffe(solver, cwd=tree, check=False)
    assert result.returncode == 1
    assert "label 5" in result.stderr and "Creating layer" not in result.stderr
