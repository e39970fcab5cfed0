"""`gcnet_caffe.train` and `gcnet_caffe.test`: the functions behind the verbs."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np
import pytest

import gcnet_caffe
from gcnet_caffe.engine.weights import read_caffemodel
from gcnet_caffe.errors import NetError, SchemaError, UsageError
from gcnet_caffe.formats.snapshots import SnapshotFiles
from tests.engine.small import write_small

PROB = 'layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_small(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blobs(path: str) -> dict[str, dict[int, np.ndarray]]:
    return {name: found for name, found, _ in read_caffemodel(path)}


def files_of(iteration: int) -> SnapshotFiles:
    stem = f"small_iter_{iteration}"
    return SnapshotFiles(f"{stem}.caffemodel", f"{stem}.solverstate", f"{stem}.resume.json")


def test_train_returns_the_last_snapshot_that_was_written(folder: Path) -> None:
    made = gcnet_caffe.train(folder / "solver.prototxt", log=folder / "logs/train.log")
    assert made == files_of(6) and all(Path(path).is_file() for path in made)
    assert "Optimization Done." in (folder / "logs/train.log").read_text()
    (folder / "more.prototxt").write_text(
        (folder / "solver.prototxt").read_text().replace("max_iter: 6", "max_iter: 8")
    )
    further = gcnet_caffe.train("more.prototxt", snapshot=made.state, log="more.log")
    assert further == files_of(8)
    text = (folder / "solver.prototxt").read_text() + "snapshot_after_train: false"
    (folder / "none.prototxt").write_text(text)
    assert gcnet_caffe.train("none.prototxt", log="none.log") is None


def test_train_starts_from_several_weights(folder: Path) -> None:
    made = gcnet_caffe.train("solver.prototxt", log="train.log")
    assert made is not None
    renamed = {"conv": "conv", "score": "other"}
    for name, as_name in renamed.items():
        param = gcnet_caffe.read_weights(made.model)
        for layer in param.layer:
            layer.name = as_name if layer.name == name else f"not_{layer.name}"
        gcnet_caffe.write_binary(f"{as_name}.caffemodel", param)
    net = (folder / "net.prototxt").read_text().replace('name: "score"', 'name: "other"')
    (folder / "net.prototxt").write_text(net)
    text = (folder / "solver.prototxt").read_text()
    still = text.replace("base_lr: 0.05", "base_lr: 0").replace('"small"', '"still"')
    (folder / "solver.prototxt").write_text(still)
    both = ["conv.caffemodel", Path("other.caffemodel")]
    for weights in (both, "conv.caffemodel,other.caffemodel"):
        found = gcnet_caffe.train("solver.prototxt", weights, log="still.log")
        assert found is not None and found.model == "still_iter_6.caffemodel"
        for name, as_name in renamed.items():
            for index, blob in blobs(made.model)[name].items():
                np.testing.assert_array_equal(blobs(found.model)[as_name][index], blob)


def test_train_in_a_thread_leaves_signals_alone(folder: Path) -> None:
    found = []
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(
        target=lambda: found.append(gcnet_caffe.train("solver.prototxt", log="train.log"))
    )
    thread.start()
    thread.join()
    assert found == [files_of(6)] and signal.getsignal(signal.SIGINT) is before


def test_test_returns_means_in_the_shape_of_their_blobs(folder: Path) -> None:
    made = gcnet_caffe.train("solver.prototxt", log="train.log")
    assert made is not None
    with (folder / "net.prototxt").open("a") as file:
        file.write(PROB)
    lines: list[str] = []
    scores = gcnet_caffe.test("net.prototxt", made.model, iterations=4, log=lines.append)
    assert {name: mean.shape for name, mean in scores.items()} == {"loss": (), "prob": (4, 3)}
    net = gcnet_caffe.load_net("net.prototxt", made.model)  # its four batches are the whole LMDB
    wanted = [{name: blob.detach().numpy() for name, blob in net().items()} for _ in range(4)]
    for name, mean in scores.items():
        np.testing.assert_allclose(mean, np.mean([one[name] for one in wanted], 0), rtol=1e-5)
    assert f"loss = {scores['loss']:.6g} (* 1 = {scores['loss']:.6g} loss)" in lines


def test_what_cannot_be_is_an_error(folder: Path) -> None:
    made = gcnet_caffe.train("solver.prototxt", log="train.log")
    assert made is not None
    with pytest.raises(UsageError, match="weights to finetune but not both"):
        gcnet_caffe.train("solver.prototxt", made.model, made.state)
    with pytest.raises(SchemaError, match="a file's name is empty"):
        gcnet_caffe.train("")
    with pytest.raises(UsageError, match="wanted one$"):
        gcnet_caffe.train("solver.prototxt", snapshot=[made.state, made.state])
    with pytest.raises(UsageError, match="wanted two, GENERATOR"):
        gcnet_caffe.train("solver.prototxt", snapshot=made.state, discriminator_solver="x.prototxt")
    with pytest.raises(UsageError, match="iterations: found 0, wanted 1 or more"):
        gcnet_caffe.test("net.prototxt", made.model, 0)
    with pytest.raises(NetError, match="no blob 'fc7'"):
        gcnet_caffe.load_net("net.prototxt", outputs=["fc7"]).shape("fc7")
