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
from tests.report.runs import answered, everybody, result, write_results


def test_differences_are_paired_by_fold(tmp_path):
    methods = [result("S1R1", [0.5, 0.7, 0.6]), result("cnn", [0.4, 0.5, 0.7, 0.1])]
    run = write_results(tmp_path / "r", methods)
    found = difference(read_run(run), "S1R1", "cnn")
    assert found.mean == pytest.approx((0.1 + 0.2 - 0.1) / 3)
    deviations = [0.1 - found.mean, 0.2 - found.mean, -0.1 - found.mean]
    assert found.std == pytest.approx(sqrt(sum(d * d for d in deviations) / 2))
    assert (found.interval, found.clear) == (None, None)  # nobody knows whom the images show
    assert main(["report", str(run)]) == 0
    tables = json.loads((run / "report.json").read_text())["tables"]
    assert tables["questions"]["rows"][0][2:6] == ["+6.7", "no subjects", "–", "–"]
    by_fold = dict(
        zip(tables["questions-by-fold"]["columns"], *tables["questions-by-fold"]["rows"])
    )
    assert (by_fold["mean"], by_fold["std"]) == ("+6.7", "15.3")
    assert (by_fold["fold2"], by_fold["fold3"]) == ("−10.0", "–")


def compared(folder, one, other):
    """The difference S1R1 - cnn of these answers."""
    methods = [answered(folder, "S1R1", one), answered(folder, "cnn", other)]
    return difference(read_run(write_results(folder, methods)), "S1R1", "cnn")


def test_an_interval_is_of_subjects_and_not_of_images(tmp_path):
    """20 people, of whom the CNN misses 4 wholly: by theory 0.2 ± 1.96 sqrt(0.2 x 0.8 / 20)."""
    wrong = {**everybody(20, [1] * 50), **everybody(4, [0] * 50)}
    found = compared(tmp_path / "r", [everybody(20, [1] * 50)], [wrong])
    assert found.mean == pytest.approx(0.2) and found.subjects == 20 and found.clear is True
    half = 1.96 * sqrt(0.2 * 0.8 / 20)
    assert found.interval.low == pytest.approx(0.2 - half, abs=0.03)
    assert found.interval.high == pytest.approx(0.2 + half, abs=0.03)


def test_what_one_person_decides_is_no_difference(tmp_path):
    wrong = {**everybody(20, [1] * 50), **everybody(1, [0] * 50)}
    found = compared(tmp_path / "r", [everybody(20, [1] * 50)], [wrong])
    assert found.mean == pytest.approx(0.05) and found.interval.low == 0 and found.clear is False
    few = compared(tmp_path / "f", [everybody(9, [1])], [everybody(9, [0])])
    assert (few.subjects, few.clear) == (9, None)


def test_each_fold_counts_as_much_as_another(tmp_path):
    """All of the small fold is gained, none of the large one: everybody's draw gives the mean."""
    small, large = everybody(10, [1]), everybody(10, [1] * 9, start=10)
    found = compared(tmp_path / "r", [small, large], [everybody(10, [0]), large])
    assert found.mean == 0.5 and found.subjects == 20
    assert (found.interval.low + found.interval.high) / 2 == pytest.approx(0.5, abs=0.01)


def test_other_images_have_no_interval(tmp_path):
    found = compared(tmp_path / "r", [everybody(12, [1])], [everybody(12, [0, 0])])
    assert found.mean == 1 and found.interval is None


@pytest.mark.parametrize("lost, winner", [(8, "S1R1"), (1, None)])
def test_the_best_is_marked_only_when_its_lead_is_clear(tmp_path, lost, winner):
    one = [everybody(20, [1])]
    other = [{**everybody(20, [1]), **everybody(lost, [0])}]
    methods = [answered(tmp_path / "r", "S1R1", one), answered(tmp_path / "r", "cnn", other)]
    assert clear_winner(read_run(write_results(tmp_path / "r", methods))) == winner


def test_the_headline_is_computed(tmp_path):
    right = {**everybody(20, [1] * 3), **everybody(8, [0] * 3)}
    methods = [
        answered(tmp_path / "r", "S1R1", [right]),
        answered(tmp_path / "r", "hog-svm", [everybody(20, [1] * 3)]),
        answered(tmp_path / "r", "cnn", [right]),
    ]
    sentences = outcome(read_run(write_results(tmp_path / "r", methods)))
    wanted = "GCNet S1R1 recognises the expression in 60.0 % of the test images"
    assert sentences[0].startswith(wanted)
    assert sentences[0].endswith("gives 14.3 %.") and "60 images" in sentences[0]
    assert "HOG + linear SVM 100.0 %" in sentences[1]
    assert sentences[2] == (
        "GCNet S1R1 is 40.0 points below HOG + linear SVM "
        "(95 % interval over 20 test subjects: −60.0 to −20.0)."
    )
    assert sentences[3] == (
        "No difference between GCNet S1R1 and CNN (baseline) is shown: +0.0 points "
        "(95 % interval over 20 test subjects: +0.0 to +0.0)."
    )


def test_without_subjects_nothing_is_called_a_difference(tmp_path):
    methods = [result("S1R1", [0.5, 0.6, 0.7]), result("cnn", [0.1, 0.2, 0.3])]
    last = outcome(read_run(write_results(tmp_path / "r", methods)))[-1]
    assert last.startswith("No difference between GCNet S1R1 and CNN (baseline) is shown: +40.0")
    assert last.endswith("(no list of subjects: nothing to exclude chance with).")


def test_seeds_are_averaged_before_folds_are_compared(tmp_path):
    methods = [result("S1R1", [a, a, a], seed=seed) for seed, a in ((1, 0.5), (2, 0.7))]
    run = write_results(tmp_path / "r", [*methods, result("cnn", [0.5, 0.5, 0.5])])
    assert difference(read_run(run), "S1R1", "cnn").mean == pytest.approx(0.1)
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


def test_people_are_compared_on_the_folds_that_all_numbers_have(tmp_path):
    made = [
        result("cnn", [0.5, 0.7, 0.9], setting="people=10", seed=1),
        result("cnn", [0.3, 0.5], setting="people=10", seed=2),
        result("cnn", [0.8, 0.8], setting="people=100"),
        result("hog-svm", [0.6, 0.8], setting="people=10"),
        result("hog-svm", [0.9, 0.7], setting="people=100"),
    ]
    run = write_results(tmp_path / "r", made)
    assert main(["report", str(run)]) == 0
    tables = json.loads((run / "report.json").read_text())["tables"]
    assert tables["people-r"]["columns"] == ["method", "10 people", "100 people"]
    error = 100 * np.std([0.5, 0.7, 0.3, 0.5], ddof=1) / 2
    assert tables["people-r"]["rows"] == [
        ["CNN (baseline)", f"50.0 ± {error:.1f}", "80.0 ± 0.0"],
        ["HOG + linear SVM", "70.0 ± 10.0", "80.0 ± 10.0"],
    ]
    # the run's own table is of one number, baselines included
    assert [row[0] for row in tables["methods"]["rows"]] == [
        "CNN (baseline), seed 1",
        "CNN (baseline), seed 2",
        "HOG + linear SVM",
        "always the largest class",
    ]
    assert "settings-r" not in tables


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


def test_iterations_are_those_that_every_fold_and_seed_tested(tmp_path):
    made = [result("cnn", [0.5, 0.7], seed=seed) for seed in (1, 2)]
    for place, method in enumerate(made):
        for fold, end in zip(method["folds"].values(), (0.5, 0.7)):
            fold["curve"] = [[0, 0.1], [100, 0.2 + place / 10], [300, 0.4], [500, end]]
    del made[0]["folds"]["fold1"]["curve"][2]
    run = write_results(tmp_path / "r", made)
    assert main(["report", str(run)]) == 0
    table = json.loads((run / "report.json").read_text())["tables"]["iterations"]
    assert table["columns"] == ["method", "100", "500"]
    errors = [
        100 * np.std(found, ddof=1) / 2 for found in ([0.2, 0.2, 0.3, 0.3], [0.5, 0.5, 0.7, 0.7])
    ]
    assert table["rows"] == [
        ["CNN (baseline)", f"25.0 ± {errors[0]:.1f}", f"60.0 ± {errors[1]:.1f}"]
    ]


def test_intensity_is_counted_within_each_sequence(tmp_path):
    """20 people, a sequence of 5 frames and a neutral first one: the CNN sees the last two only."""
    folder = tmp_path / "r"
    people = everybody(20, [1])
    methods = [answered(folder, name, [people]) for name in ("cnn", "S1R1")]
    for method in methods:
        name = method["method"]
        place = folder / method["folds"]["fold0"]["folder"] / "sequences"
        place.mkdir()
        rows = [
            f"{subject}{rank},1,{int(name == 'S1R1' or rank > 3)},{subject},{subject}_1,{rank}"
            for subject in people
            for rank in range(6)
        ]
        header = "key,label,predicted,subject,sequence,rank"
        (place / "predictions.csv").write_text("\n".join([header, *rows]) + "\n")
    run = write_results(folder, methods)
    assert main(["report", str(run)]) == 0
    tables = json.loads((run / "report.json").read_text())["tables"]
    fifths = ["0.0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1.0"]
    assert tables["intensity"]["columns"] == ["method", *fifths]
    assert tables["intensity"]["rows"] == [
        ["CNN (baseline)", "0.0", "0.0", "0.0", "100.0", "100.0"],
        ["GCNet S1R1", *["100.0"] * 5],
    ]
    gained, same = "+100.0 (+100.0 to +100.0)", "+0.0 (+0.0 to +0.0)"
    differences = [["S1R1 − cnn", gained, gained, gained, same, same]]
    assert tables["intensity-differences"]["rows"] == differences
