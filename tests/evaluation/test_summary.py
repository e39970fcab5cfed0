"""A run's folder becomes one table: two folds by hand, with missing results."""

import csv
import json

import numpy as np
import pytest

from gcnet_caffe import nets
from gcnet_caffe.cli import main
from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import write_caffemodel
from gcnet_caffe.evaluation.classification import classification
from gcnet_caffe.evaluation.parameters import learnable_parameters
from gcnet_caffe.evaluation.summary import over_folds, recall_of, summarize
from gcnet_caffe.evaluation.told import TOLD
from gcnet_caffe.packing.record_table import RecordRow
from tests.nets.test_in_caffe import LEARNABLE, net_of
from tests.scratch import make_tree

EXPERIMENT = """\
name: small
protocol: two
synthetic: true
classes: [happy, sad, neutral]
variants: [S1R1, cnn]
seeds: [1]
baselines: [hog-svm]
folds: [fold0, fold1, fold2]
settings: [default]
"""
LOG = """\
I1125 02:00:00.0 1 solver.cpp:347] Iteration 0, Testing net (#0)
I1125 02:00:00.0 1 solver.cpp:414]     Test net output #0: accuracy = 0.25
I1125 02:00:01.0 1 solver.cpp:347] Iteration 10, Testing net (#0)
I1125 02:00:01.0 1 solver.cpp:414]     Test net output #0: accuracy = 0.5
I1125 02:00:01.0 1 solver.cpp:347] Iteration 10, Testing net (#0)
I1125 02:00:01.0 1 solver.cpp:414]     Test net output #0: accuracy = 0.75
"""


def put_evaluation(folder, labels, predicted, sequences=None, **more):
    classes = ("happy", "sad", "neutral")
    records = sequences and [
        RecordRow(str(i), "", "S", name, "", "", str(labels[i])) for i, name in enumerate(sequences)
    ]
    scores = np.eye(len(classes))[predicted]
    found = classification(scores, np.array(labels), classes, records)
    folder.mkdir(parents=True)
    text = json.dumps({"images": len(labels), **found, **more})
    (folder / "evaluation.json").write_text(text)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    s1r1 = tmp_path / "nets/default/S1R1"
    generated = {"mse": 0.01, "gain": 4.0}
    put_evaluation(
        s1r1 / "fold0/seed1", [0, 0, 1, 1], [0, 0, 1, 0], "aabb", generated_reference=generated
    )
    put_evaluation(s1r1 / "fold1/seed1", [0, 1], [0, 0], ["", "c"])
    (s1r1 / "fold0/seed1/train.log").write_text(LOG)
    (s1r1 / "fold2/seed1").mkdir(parents=True)
    (s1r1 / "fold2/seed1/failed.txt").write_text("fold2/test_lmdb: truncated\n")
    put_evaluation(tmp_path / "baselines/hog-svm/fold0", [0, 0, 1, 1], [0, 0, 0, 1])
    failed = tmp_path / "pretrain/default/pretrain-identity/seed1"
    failed.mkdir(parents=True)
    (failed / "failed.txt").write_text("disk full")
    done = tmp_path / "pretrain/default/pretrain-autoencoder/seed1"
    done.mkdir(parents=True)
    (done / "evaluation.json").write_text('{"images": 3, "reconstruction": {"mse": 0.02}}')
    started = tmp_path / "start/default/S1R1/seed1"
    put_evaluation(started, [0, 1], [0, 1])
    return tmp_path


def test_baselines_follow_a_sweep_over_people(run):
    text = EXPERIMENT.replace("[default]", "[people=30, people=10]")
    (run / "experiment.yaml").write_text(text)
    few = {"labels": [0, 1], "predicted": [0, 0]}
    put_evaluation(run / "baselines/hog-svm/fold1-people10", **few)
    thirty, ten = [m for m in summarize(run)["methods"] if m["kind"] == "baseline"]
    assert (thirty["setting"], thirty["folds"]) == ("people=30", {})  # fold0 is of all people
    assert ten["setting"] == "people=10" and ten["folds"]["fold1"]["accuracy"] == 0.5


def test_every_figure_by_hand(run):
    results = summarize(run)
    assert results["folds"] == ["fold0", "fold1", "fold2"] and results["synthetic"] is True
    s1r1, cnn, hog = results["methods"]
    assert s1r1["accuracy"] == {
        "mean": pytest.approx((0.75 + 0.5) / 2),
        "std": pytest.approx(0.25 / 2**0.5),
        "pooled": pytest.approx(4 / 6),
    }
    # fold 0: both sequences, as the tie in b is one score each and goes to the lower label: wrong
    assert s1r1["folds"]["fold0"]["sequence_accuracy"] == 0.5
    assert s1r1["sequence_accuracy"]["pooled"] == pytest.approx(2 / 4)
    assert s1r1["confusion"] == [[3, 0, 0], [2, 1, 0], [0, 0, 0]]
    assert s1r1["recall"] == [1.0, pytest.approx(1 / 3), None]
    assert s1r1["folds"]["fold0"]["curve"] == [[0, 0.25], [10, 0.75]]
    assert s1r1["folds"]["fold0"]["folder"] == "nets/default/S1R1/fold0/seed1"
    assert s1r1["folds"]["fold0"]["generated_reference"]["gain"] == 4.0
    assert "generated_reference" not in s1r1["folds"]["fold1"]
    assert s1r1["missing"] == {"fold2": "fold2/test_lmdb: truncated"}
    assert results["chance"] == pytest.approx(3 / 6)

    assert cnn["folds"] == {} and set(cnn["missing"].values()) == {"not run"}
    assert cnn["accuracy"] == cnn["sequence_accuracy"] == over_folds([])
    assert cnn["recall"] == [None] * 3 and cnn["confusion"] is None

    assert (hog["kind"], hog["setting"], hog["seed"]) == ("baseline", "default", None)
    assert hog["accuracy"] == {"mean": 0.75, "std": None, "pooled": 0.75}
    assert hog["folds"]["fold0"]["sequences"] is None
    assert hog["sequence_accuracy"]["mean"] is None

    autoencoder, identity = results["pretrain"]
    assert autoencoder["evaluation"]["reconstruction"] == {"mse": 0.02}
    assert identity["evaluation"] is None and identity["reason"] == "disk full"
    assert results["start"] == []  # the experiment of today has none


def test_what_the_folds_started_from_is_apart(run):
    """In the folder of a run whose experiment has the key `start`."""
    methods = summarize(run)["methods"]
    path = run / "experiment.yaml"
    path.write_text(path.read_text() + "start: {data: {manifest: many.csv}}\n")
    results = summarize(run)
    s1r1, cnn = results["start"]
    assert (s1r1["net"], s1r1["evaluation"]["accuracy"]) == ("S1R1", 1.0)
    assert (cnn["reason"], cnn["folder"]) == ("not run", "start/default/cnn/seed1")
    assert results["methods"] == methods


def test_the_command_writes_and_prints_what_it_found(run, capsys):
    assert main(["summarize", str(run)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "small: two, synthetic faces, largest class 0.5000"
    assert printed[2].split() == "S1R1 default 1 0.6250 ± 0.1768 0.6667 0.5000 ± 0.0000 2/3".split()
    assert "missing: S1R1 default seed 1 fold2: fold2/test_lmdb: truncated" in printed
    assert "missing: hog-svm default fold1: not run" in printed
    assert "missing: pretrain/default/pretrain-identity/seed1: disk full" in printed
    assert json.loads((run / "results.json").read_text()) == json.loads(json.dumps(summarize(run)))
    with open(run / "results.csv", newline="") as file:
        s1r1, cnn, hog = csv.DictReader(file)
    assert (s1r1["accuracy_mean"], s1r1["accuracy_fold1"], s1r1["accuracy_fold2"]) == (
        "0.625000",
        "0.500000",
        "",
    )
    assert (s1r1["folds_done"], s1r1["folds_expected"]) == ("2", "3")
    assert cnn["accuracy_mean"] == "" and hog["accuracy_std"] == ""


def test_a_method_that_is_told_the_answer_has_a_note(run, capsys):
    (run / "experiment.yaml").write_text(EXPERIMENT.replace("cnn]", "cnn, metric]"))
    put_evaluation(run / "nets/default/metric/fold0/seed1", [0, 2, 2], [0, 2, 2])
    assert main(["summarize", str(run)]) == 0
    assert capsys.readouterr().out.splitlines().count(TOLD) == 1
    with open(run / "results.csv", newline="") as file:
        notes = {row["method"]: row["note"] for row in csv.DictReader(file)}
    assert notes == {"S1R1": "", "cnn": "", "metric": TOLD, "hog-svm": ""}


def test_scores_of_queries_that_are_their_reference_are_kept(run):
    scores = {"generated_reference_query_is_reference": {"mse": 0.5, "count": 2}}
    put_evaluation(run / "nets/default/cnn/fold0/seed1", [0, 2, 2], [0, 2, 2], **scores)
    fold = summarize(run)["methods"][1]["folds"]["fold0"]
    assert fold["generated_reference_query_is_reference"] == {"mse": 0.5, "count": 2}
    assert "generated_reference" not in fold


def test_a_fold_that_failed_after_an_earlier_success_is_a_hole(run):
    (run / "nets/default/S1R1/fold0/seed1/failed.txt").write_text("")
    assert summarize(run)["methods"][0]["missing"]["fold0"] == "failed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not YAML"),
        ("- a\n", "found a list, wanted names"),
        (EXPERIMENT.replace("folds:", "fold:"), "key 'folds': found nothing, wanted a list"),
        (EXPERIMENT.replace("true", "1"), "key 'synthetic': found 1, wanted a bool"),
        (EXPERIMENT.replace(", neutral]", "]"), "confusion is (3, 3), experiment.yaml has 2"),
    ],
)
def test_a_wrong_experiment_is_one_line(run, capsys, text, message):
    (run / "experiment.yaml").write_text(text)
    assert main(["summarize", str(run)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert not (run / "results.json").exists()


def test_wrong_files(run, capsys, tmp_path):
    evaluation = run / "nets/default/S1R1/fold0/seed1/evaluation.json"
    for text, message in (
        ("{", "evaluation.json: not JSON"),
        ("{}", "evaluation.json: key 'images' is missing"),
        ('{"images": 1}', "evaluation.json: key 'accuracy' is missing"),
    ):
        evaluation.write_text(text)
        assert main(["summarize", str(run)]) == 1
        assert message in capsys.readouterr().err
    assert main(["summarize", str(run / "nets")]) == 2
    assert "no experiment.yaml here" in capsys.readouterr().err


def test_spread_and_recall():
    assert over_folds([(0.5, 10), (1.0, 30), (0.0, 0)]) == {
        "mean": 0.5,
        "std": 0.5,
        "pooled": pytest.approx(35 / 40),
    }
    assert recall_of([[3, 1], [0, 0]]) == [0.75, None]


@pytest.mark.parametrize("key", [key for key in LEARNABLE if not key.startswith("pretrain")])
def test_learnable_parameters_are_those_of_the_readme(tmp_path, monkeypatch, key):
    monkeypatch.chdir(make_tree(tmp_path))
    variant, options = net_of(key)
    net = nets.solver_defaults(variant, net=options).net
    write_caffemodel(open_net(net, TRAIN, CaffeRng(1)), tmp_path / "x.caffemodel")
    assert learnable_parameters(tmp_path / "x.caffemodel") == LEARNABLE[key][0]
