"""`gcnet run`: all of the workflow on two folds; killed, broken and changed."""

import csv
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.recognition.find_model import open_model
from tests import processes
from tests.experiment.small_run import run, start, write_experiment
from tests.recognition.models import opened
from tests.scratch import ROOT

#: Files that appear one after the other; a run is killed when it has made one.
STAGES = (
    "plan.json",
    "data/**/train_lmdb",
    "pretrain/**/train.log",
    "nets/default/*/fold*/seed1/train.log",
    "nets/default/*/fold*/seed1/weights.caffemodel",
)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("straight")
    out, err = run(write_experiment(folder), "-o", "run", "--cores", 2, cwd=folder)
    return folder / "run", out, err


def results(run):
    return json.loads((run / "results.json").read_text())


def test_the_whole_workflow(straight):
    folder, out, err = straight
    found = results(folder)
    assert [(m["method"], len(m["folds"])) for m in found["methods"]] == [
        ("cnn", 2),
        ("S1R1", 2),
        ("hog-svm", 2),
    ]
    assert all(not method["missing"] for method in found["methods"])
    assert len(found["pretrain"]) == 2
    assert "[6/6]" in err and "S1R1" in out
    for path in (
        "nets/default/S1R1/fold1/seed1/sequences/features.npz",
        "nets/default/S1R1/fold1/seed1/deploy_reconstruction.prototxt",
        "results.csv",
        "report.html",
        "experiment.yaml",
    ):
        assert (folder / path).is_file()
    told = json.loads((folder / "report.json").read_text())
    assert [row[0] for row in told["tables"]["intensity"]["rows"]] == [
        "CNN (baseline)",
        "GCNet S1R1",
    ]
    assert not list(folder.glob("sequences/*/train_lmdb"))
    made = json.loads((folder / "provenance.json").read_text())
    assert any(command.startswith("gcnet train-folder") for command in made["commands"])
    assert "None" not in made["commands"]
    assert made["versions"]["torch"] and made["seconds"] > 1
    events = list((folder / "tensorboard/nets/default/cnn/fold0/seed1").glob("events*"))
    assert events and events[0].stat().st_size > 100


def test_what_it_trained_can_be_packaged_and_used(straight, tmp_path):
    """The folder of a training, and the model folder made of it, predict as `evaluate` did."""
    folder, *_ = straight
    assert (
        main(["package", str(folder / "nets/default/S1R1/fold0"), "-o", str(tmp_path / "m")]) == 0
    )
    net = folder / "nets/default/S1R1/fold0/seed1"
    query = read_images(folder / "data/pairs/fold0/test_lmdb").images[:, :1]
    with open(net / "predictions.csv", newline="") as stream:
        predictions = list(csv.DictReader(stream))
    for model in (open_model(net), open_model(tmp_path / "m")):
        training = model.facts["training"]
        assert (training["synthetic"], training["iterations"]) == (True, 12)
        assert training["held_out"]["images"] == len(query) == len(predictions)
        found = opened("torch", model).forward({"query": query})["prob"]
        wanted = [[float(row[f"prob{k}"]) for k in range(len(found[0]))] for row in predictions]
        # the batch sizes differ: another order of float32 sums
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    with pytest.raises(UsageError, match="4 trained networks; choose one"):
        open_model(folder)


def test_why_looks_into_what_it_trained(straight, tmp_path):
    folder, *_ = straight
    nets = folder / "nets/default"
    places = [str(nets / f"{variant}/fold0/seed1") for variant in ("cnn", "S1R1")]
    words = ["-m", "benchmarks.why", *places, "-o", str(tmp_path / "why.json"), "--batches", "2"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cnn, s1r1 = json.loads((tmp_path / "why.json").read_text()).values()
    assert set(cnn["probes"]) == {"pixels of the query", "query's representation", "fc features"}
    assert len(s1r1["probes"]) == 7 and s1r1["probes"]["pixels of the query"]["values"] == 64 * 64
    assert cnn["references"] == {} and cnn["gradients"]["fc layers"].keys() == {"classification"}
    # every loss reaches the encoder of the generator; cosines are of all pairs
    assert len(s1r1["gradients"]["generator, encoder"]) == 4 + 6
    assert s1r1["gradients"]["fc layers"].keys() == {"classification"}
    scores = json.loads((nets / "S1R1/fold0/seed1/evaluation.json").read_text())
    generated = s1r1["references"]["generated"]
    assert generated == {"accuracy": scores["accuracy"], "images": scores["images"]}
    assert "nets/default/S1R1/fold0/seed1" in done.stdout and "linear probe on" in done.stdout


def test_nothing_is_done_twice_and_a_change_redoes_what_depends_on_it(straight):
    folder, *_ = straight
    experiment = folder.parent / "small.yaml"
    out, _ = run(experiment, "-o", "run", "--dry-run", cwd=folder.parent)
    assert out.strip() == "Nothing to do."
    out, _ = run(experiment, "-o", "run", "--dry-run", "--set", "net.lambda_s=3", cwd=folder.parent)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", out, re.M))
    # S1R1 of both folds, and its frames of sequences; cnn, the pre-trainings and the data stay
    assert jobs == {
        "net": "2",
        "train": "2",
        "evaluate": "2",
        "sequences": "2",
        "all": "1",
        "total": "9",
    }
    assert re.search(r"2 trainings, \d at once: about \d+ min", out)


def test_killed_at_each_stage_it_ends_with_the_same_table(straight, tmp_path):
    wanted, *_ = straight
    experiment = write_experiment(tmp_path)
    for stage in STAGES:
        process = start(experiment, "-o", "run", "--cores", 2, cwd=tmp_path)
        while not processes.found(tmp_path / "run", stage):
            assert process.poll() is None, process.communicate()[1][-2000:]
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "run/results.json").exists()
    run(experiment, "-o", "run", "--cores", 2, cwd=tmp_path)
    assert results(tmp_path / "run") == results(wanted)
    assert (tmp_path / "run/results.csv").read_text() == (wanted / "results.csv").read_text()


def test_a_broken_fold_does_not_stop_the_others(tmp_path):
    experiment = write_experiment(tmp_path, variants=["cnn"], pretrain=None, sequences=None)
    run(experiment, "-o", "run", "--cores", 2, "--set", "solver.max_iter=3", cwd=tmp_path)
    lmdb = tmp_path / "run/data/pairs/fold0/train_lmdb/data.mdb"
    lmdb.write_bytes(lmdb.read_bytes()[: lmdb.stat().st_size // 2])
    out, err = run(experiment, "-o", "run", "--cores", 2, cwd=tmp_path, status=1)
    assert "error: 1 of the jobs failed, the first: nets/default/cnn/fold0/seed1: " in err
    assert "data/pairs/fold0/train_lmdb" in err and "Traceback" not in err
    cnn, hog = results(tmp_path / "run")["methods"]
    assert list(cnn["folds"]) == ["fold1"] and "train_lmdb" in cnn["missing"]["fold0"]
    assert "fold0" in out and cnn["accuracy"]["mean"] is not None
    assert len(hog["folds"]) == 2  # done before, from whole data
    assert "train_lmdb: truncated" in (tmp_path / "run/report.html").read_text()


def test_another_folder_and_a_second_run_are_refused(straight, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").touch()
    experiment = write_experiment(tmp_path)
    _, err = run(experiment, "-o", "mine", cwd=tmp_path, status=2)
    assert "mine: exists, and is not the folder of a run" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    first = start(experiment, "-o", "run", cwd=tmp_path)
    while not (tmp_path / "run/plan.json").exists():
        assert first.poll() is None
        time.sleep(0.01)
    _, err = run(experiment, "-o", "run", cwd=tmp_path, status=1)
    assert "another `gcnet run` is running here" in err
    first.send_signal(signal.SIGTERM)
    first.communicate()
    assert first.returncode == 143
