"""The demo, small: every step of the path, in both engines."""

import csv
import json

import pytest

from gcnet_caffe import errors
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.experiment import snakemake
from gcnet_caffe.experiment.demo import run_demo
from gcnet_caffe.experiment.snakemake import Machine, need_snakemake
from gcnet_caffe.formats.log import read_log

SMALL = [
    "data={synthetic: {kind: 2d, subjects: 10}}",
    "pretrain.data={synthetic: {kind: 2d, identities: 5, images_per_identity: 4, seed: 1}}",
    "pretrain.solver={max_iter: 6, display: 2}",
    "pack.copies=1",
    "net.batch_size=4",
    "solver={max_iter: 8, display: 2, test_interval: 4}",
]

#: What is shown before the first training, sorted: some of it runs at the same time.
STAGES = [
    "aligning and packing the faces",
    "aligning and packing the faces of the pre-training",
    "rendering synthetic faces (pretrain)",
    "rendering synthetic faces (train)",
]


@pytest.mark.parametrize("engine", ["torch", pytest.param("caffe", marks=pytest.mark.caffe)])
def test_from_faces_to_a_tested_network(engine, request, tmp_path, monkeypatch, capfd):
    if engine == "caffe":
        request.getfixturevalue("caffe")
    monkeypatch.chdir(tmp_path)
    fold = run_demo("demo", Machine(2, threads=2), [*SMALL, f"engine={engine}"])
    lines = capfd.readouterr().err.splitlines()
    assert sorted(lines[:4]) == STAGES and len(lines) == 10
    # neither pre-training waits for the other; one starts while the other is evaluated, or after
    names = [line.removeprefix("training ") for line in lines[4:] if line[0] != "["]
    ended = [line for line in lines[4:] if line[0] == "["]
    assert sorted(names) == [
        fold["folder"],
        "pretrain/default/pretrain-autoencoder/seed1",
        "pretrain/default/pretrain-identity/seed1",
    ]
    for number, line in enumerate(ended, start=1):
        assert any(line.startswith(f"[{number}/3] {name}: ") for name in names)
    assert names[2] in ended[2]
    demo = tmp_path / "demo"
    assert (demo / "report.html").is_file()
    net = demo / fold["folder"]
    assert (net / "faces.png").read_bytes()[:4] == b"\x89PNG"
    made = json.loads((demo / "provenance.json").read_text())["commands"]
    (trained,) = [line for line in made if line.startswith("gcnet train-folder nets/")]
    assert f"--engine {engine}" in trained
    for weights in ("pretrain-autoencoder", "pretrain-identity"):
        assert f"{weights}/seed1/weights.caffemodel" in trained

    # Caffe's own TEST phase over the whole set, and our predictions from the deploy net, agree
    in_log = dict(read_log(net / "train.log")["Test", "accuracy"])[8]
    assert fold["accuracy"] == pytest.approx(in_log, abs=1e-4)
    with open(net / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == fold["images"] == 21  # one subject, seven expressions, three frames
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert fold["accuracy"] == pytest.approx(right / len(rows))
    assert fold["generated_reference"]["mse_mean_image"] > 0


def test_a_failed_step_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = "pretrain.data={synthetic: {kind: 2d, identities: 1, images_per_identity: 1, seed: 1}}"
    with pytest.raises(GcnetError, match="the demo stopped at pretrain/.*: "):
        run_demo("demo", Machine(2), [*SMALL, wrong])


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="is not the folder of a run"):
        run_demo(tmp_path, Machine(1))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_old_python_and_a_missing_library_are_one_line(monkeypatch):
    monkeypatch.setattr(snakemake, "_LIBRARIES", ("json", "no_such_library"))
    wanted = r"gcnet demo needs no_such_library: pip install 'gcnet-caffe\[experiment\]'"
    with pytest.raises(UsageError, match=wanted):
        need_snakemake("gcnet demo")
    monkeypatch.setitem(errors.EXTRA_PYTHON, "experiment", (99, 1))
    with pytest.raises(UsageError, match=r"gcnet demo: found Python 3.\d+, wanted 99.1 or newer"):
        need_snakemake("gcnet demo")
