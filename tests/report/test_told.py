"""The page where neutral is a class: metric is not compared, own references are apart."""

import csv
import json
import re

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("sklearn")

from gcnet_caffe.cli import main  # noqa: E402
from gcnet_caffe.evaluation.told import TOLD
from tests.report.runs import CLASSES, answered, result, write_results

OWN = "generated_reference_query_is_reference"
CONFUSION = {"confusion": [[30, 20], [10, 40]], "recall": [0.6, 0.8]}


def page_of(folder, methods, classes=("happy", "neutral"), **more):
    run = write_results(folder, methods, classes=list(classes), **more)
    assert main(["report", str(run)]) == 0
    return (run / "report.html").read_text(), json.loads((run / "report.json").read_text())


def methods(folder, **more):
    """metric is far above the others, S1R1 clearly above the CNN; 100 people in each fold."""
    made = []
    for name, right in {"cnn": (30, 41, 50), "metric": (100,) * 3, "S1R1": (50, 60, 70)}.items():
        folds = [
            {f"S{fold}{person}": [person < count] for person in range(100)}
            for fold, count in enumerate(right)
        ]
        made.append(answered(folder, name, folds, **more))
    for method in made:
        for scores in method["folds"].values():
            scores["curve"] = [[0, 0.1], [10, scores["accuracy"]]]
    return made


def test_metric_is_shown_and_not_compared(tmp_path):
    page, told = page_of(
        tmp_path / "r", methods(tmp_path / "r", **CONFUSION), variants=["cnn", "metric", "S1R1"]
    )
    tables = told["tables"]
    name = "metric-learning CNN (not compared)"
    assert [name, "100.0 ± 0.0"] in [row[:2] for row in tables["methods"]["rows"]]
    assert [name, "100.0", "100.0", "100.0"] in tables["folds"]["rows"]
    for key in ("methods", "folds"):
        assert TOLD in tables[key]["note"]
    assert re.findall('best">(.*?)<', page) == ["60.0 ± 10.0"]  # of S1R1
    assert {row[1].split(":")[0] for row in tables["questions"]["rows"]} == {
        "the whole method against none"
    }
    assert [row[0] for row in tables["recall"]["rows"]] == [
        "CNN (baseline)",
        "GCNet S1R1",
        "test images",
    ]
    pictures = re.findall('alt="(.*?)"', page)
    assert len(pictures) == 3
    assert not any("metric" in words.replace(name, "") for words in pictures)
    assert told["outcome"][-1] == TOLD and "metric" not in " ".join(told["outcome"][:-1])
    with open(tmp_path / "r/report.csv", newline="") as file:
        notes = {(row["method"], row["note"]) for row in csv.DictReader(file)}
    assert notes == {("cnn", ""), ("metric", TOLD), ("S1R1", "")}
    assert sum(line.count(TOLD) for line in page.splitlines()) == 3


def test_without_neutral_it_is_compared_as_before(tmp_path):
    _, told = page_of(tmp_path / "r", methods(tmp_path / "r"), CLASSES)
    assert "metric-learning CNN 100.0 %" in " ".join(told["outcome"])
    assert len(told["tables"]["questions"]["rows"]) == 2
    assert TOLD not in json.dumps(told) and "not compared" not in json.dumps(told)


def test_metric_alone(tmp_path):
    _, told = page_of(tmp_path / "r", [result("metric", [1, 1, 1])])
    assert told["outcome"] == ["No method of this run has a result to compare.", TOLD]


def test_it_is_in_no_table_of_the_paper(tmp_path):
    ten = [0.9] * 10
    found = [result(name, ten) for name in ("S1R1", "metric", "hog-svm")]
    _, told = page_of(tmp_path / "r", found, synthetic=False, protocol="ck8", sources=["CK+"])
    names = [row[0] for row in told["tables"]["paper-III"]["rows"]]
    assert names[-1].startswith("HOG") and not any("metric" in name for name in names)


def generating(expressive, own=None):
    """S1R1 with two folds of these scores."""
    made = result("S1R1", [0.5, 0.6])
    for k, scores in enumerate(made["folds"].values()):
        scores["folder"] = "no longer there"
        scores["generated_reference"] = {key: value[k] for key, value in expressive.items()}
        if own:
            scores[OWN] = {key: value[k] for key, value in own.items()}
    return made


EXPRESSIVE = {
    "mse": (0.01, 0.03),
    "mse_mean_image": (0.04, 0.04),
    "mse_query": (0.08, 0.1),
    "gain": (4, 1.5),
}
SAME = {
    "mse": (0.001, 0.002),
    "mse_mean_image": (0.04, 0.04),
    "mse_query": (0, 0),
    "gain": (40, 20),
    "count": (8, 8),
}


def test_queries_that_are_their_reference_have_a_table_of_their_own(tmp_path):
    net = generating({**EXPRESSIVE, "count": (8, 8)}, SAME)
    _, told = page_of(tmp_path / "r", [net])
    tables = told["tables"]
    assert tables["generated"]["rows"] == [["GCNet S1R1", "0.02", "0.04", "0.09", "2.75", "2"]]
    assert tables["generated"]["note"].endswith("are in the next table.")
    own = tables["generated-from-references"]
    assert own["rows"] == [["GCNet S1R1", "0.0015", "0.04", "30", "2"]]
    assert "is its own reference" in own["caption"]


def test_they_have_rows_of_their_own_among_the_generators(tmp_path):
    scores = {"ssim": (0.5, 0.5), "psnr": (14.0, 14.0), "psnr_query": (18.0, 18.0)}
    same = {**SAME, "psnr": (20.0, 20.0), "psnr_query": (100.0, 100.0)}
    net = generating({**EXPRESSIVE, **scores, "count": (8, 8)}, same)
    _, told = page_of(tmp_path / "r", [{**net, "setting": "generator=ae"}])
    keys = ("generators-generated_reference", f"generators-{OWN}")
    for key, made, query in zip(keys, ("14", "20"), ("18", "100")):
        rows = {row[0]: row for row in told["tables"][key]["rows"]}
        assert rows["S1R1, Conv.AE"][5] == made and rows["the query itself"][5] == query


def test_an_earlier_run_opens_and_says_what_it_mixed(tmp_path):
    net = generating(EXPRESSIVE)
    _, told = page_of(tmp_path / "old", [net, {**net, "setting": "padding=valid"}])
    assert [row[4] for row in told["tables"]["settings-old"]["rows"]] == ["–", "–"]
    assert "generated" not in told["tables"] and "methods" in told["tables"]
    assert (
        "did not keep queries that are their own reference apart"
        in (told["missing"]["generated"][0])
    )
    _, told = page_of(tmp_path / "without", [generating(EXPRESSIVE)], CLASSES)
    assert told["tables"]["generated"]["rows"][0][1] == "0.02"  # nothing was mixed there
    assert told["tables"]["generated"]["note"].endswith("a constant.")
