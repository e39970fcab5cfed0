"""Differences, headline, sweeps and maps, from numbers worked out by hand."""

import json
from math import sqrt

import numpy as np
import pytest

pytest.importorskip("jinja2")
pytest.importorskip("sklearn")

from gcnet_caffe.cli import main  # noqa: E402
from gcnet_caffe.report.compare import clear_winner, difference
from gcnet_caffe.report.embeddings import silhouette, tsne
from gcnet_caffe.report.headline import outcome
from gcnet_caffe.report.run import read_run
from tests.report.runs import result, write_results


def test_differences_are_paired_by_fold(tmp_path):
    methods = [result("S1R1", [0.5, 0.7, 0.6]), result("cnn", [0.4, 0.5, 0.7, 0.1])]
    found = difference(read_run(write_results(tmp_path / "r", methods)).methods, "S1R1", "cnn")
    assert found.mean == pytest.approx((0.1 + 0.2 - 0.1) / 3) and found.folds == 3
    deviations = [0.1 - found.mean, 0.2 - found.mean, -0.1 - found.mean]
    assert found.error == pytest.approx(sqrt(sum(d * d for d in deviations) / 2) / sqrt(3))
    assert found.clear is False


@pytest.mark.parametrize(
    "cnn, winner",
    [([0.3, 0.41, 0.5], "S1R1"), ([0.3, 0.9, 0.2], None), ([0.3, 0.4], None)],
)
def test_the_best_is_marked_only_when_its_lead_is_clear(tmp_path, cnn, winner):
    methods = [result("S1R1", [0.5, 0.6, 0.7]), result("cnn", cnn)]
    assert clear_winner(read_run(write_results(tmp_path / "r", methods)).methods) == winner


def test_the_headline_is_computed(tmp_path):
    methods = [result("S1R1", [0.5, 0.6, 0.7]), result("hog-svm", [0.8, 0.91, 0.99])]
    sentences = outcome(read_run(write_results(tmp_path / "r", methods)))
    wanted = "GCNet S1R1 recognises the expression in 60.0 % of the test images"
    assert sentences[0].startswith(wanted)
    assert sentences[0].endswith("gives 14.3 %.") and "300 images" in sentences[0]
    assert "HOG + linear SVM 90.0 %" in sentences[1]
    assert "30.0 points below HOG + linear SVM (more than two standard errors" in sentences[2]


def test_equal_accuracies_are_level(tmp_path):
    methods = [result("S1R1", [0.5, 0.6]), result("cnn", [0.6, 0.5])]
    last = outcome(read_run(write_results(tmp_path / "r", methods)))[-1]
    assert last.startswith("GCNet S1R1 is level with CNN (baseline) (2 shared folds: too few")


def test_seeds_are_averaged_before_folds_are_compared(tmp_path):
    methods = [result("S1R1", [a, a, a], seed=seed) for seed, a in ((1, 0.5), (2, 0.7))]
    run = write_results(tmp_path / "r", [*methods, result("cnn", [0.5, 0.5, 0.5])])
    assert difference(read_run(run).methods, "S1R1", "cnn").mean == pytest.approx(0.1)
    assert main(["report", str(run)]) == 0
    seeds = json.loads((run / "report.json").read_text())["tables"]["seeds"]["rows"]
    assert ["GCNet S1R1", "1, 2", "60.0 ± 14.1"] in seeds


def test_sweeps_compare_the_folds_that_all_settings_have(tmp_path):
    sweep = [
        result("S1R1", [0.6, 0.8, 0.1]),
        result("S1R1", [0.5, 0.6], setting="lambda_s=0.1"),
        result("S1R1", [0.3, 0.4], setting="padding=valid", parameters=1704173),
    ]
    run = write_results(tmp_path / "r", sweep)
    assert main(["report", str(run)]) == 0
    tables = json.loads((run / "report.json").read_text())["tables"]
    assert [row[:2] for row in tables["lambda-r"]["rows"]] == [
        ["0.1", "55.0 ± 7.1"],
        ["1", "70.0 ± 14.1"],  # the network's default weight, without its third fold
    ]
    settings = {row[1]: row for row in tables["settings-r"]["rows"]}
    assert settings["default"][2] == "70.0 ± 14.1"
    assert settings["padding=valid"][2] == "35.0 ± 7.1"


def test_maps_are_the_same_each_time():
    features = np.random.default_rng(0).normal(size=(40, 20))
    one, two, other = tsne(features), tsne(features), tsne(features, seed=5)
    assert np.array_equal(one, two) and one.shape == (40, 2)
    assert np.isfinite(one).all() and other.shape == one.shape


def test_a_map_keeps_what_is_apart_apart():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    features = rng.normal(size=(40, 20)) + 20 * labels[:, None]
    assert silhouette(tsne(features), labels) > 0.5 and silhouette(features, labels) > 0.5
    assert abs(silhouette(features, rng.permutation(labels))) < 0.3
