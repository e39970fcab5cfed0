"""Tables II to VI: every row of the paper, ours only from a whole run on the real database."""

import json

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("sklearn")

from gcnet_caffe.cli import main  # noqa: E402
from gcnet_caffe.report.paper import paper_tables
from tests.report.runs import result, write_results

#: Typed from the paper, apart from paper_tables.json: rows, then some cells of each table.
ROWS = {"II": 14, "III": 9, "IV": 14, "V": 13, "VI": 14}
CELLS = [
    ("II", 0, "LBP-TOP [7]", "88.99"),
    ("II", 5, "DTAGN-Joint [12]", "97.25"),
    ("II", 9, "CNN (baseline)", "96.94"),
    ("II", 13, "GCNet S1R1", "97.93"),
    ("III", 1, "AUDB [9]", "93.70"),
    ("III", 3, "FN2EN [32]", "96.8"),
    ("III", 6, "GCNet S1R0", "96.75"),
    ("IV", 2, "ITBN [17]", "59.7"),
    ("IV", 6, "traj. on S+(2; n) [11]", "79.19"),
    ("IV", 10, "GCNet S0R0", "76.20"),
    ("V", 7, "FN2EN [32]", "87.71"),
    ("V", 12, "GCNet S1R1", "86.11"),
    ("VI", 0, "Inception-CNN [38]", "34.00"),
    ("VI", 4, "traj. on S+ [11]", "39.94*"),
    ("VI", 8, "GCNet S1R1", "35.57"),
    ("VI", 13, "GCNet S1R1", "49.74"),
]
TEN = [0.90 + k / 100 for k in range(10)]  # mean 0.945, standard deviation 0.0303


def tables(*runs):
    assert main(["report", *map(str, runs)]) == 0
    found = json.loads((runs[0] / "report.json").read_text())["tables"]
    return {key[6:]: table for key, table in found.items() if key.startswith("paper-")}


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """A run that has everything of ck7 but real faces."""
    folder = tmp_path_factory.mktemp("runs") / "synthetic"
    return write_results(folder, [result("S1R1", TEN), result("cnn", TEN)], sources=["CK+"])


def test_every_row_of_the_paper_is_there(synthetic):
    found = tables(synthetic)
    assert {number: len(table["rows"]) for number, table in found.items()} == ROWS
    for number, place, method, accuracy in CELLS:
        row = found[number]["rows"][place]
        assert row[0] == method and row[3 if number == "VI" else 1] == accuracy
    for table in paper_tables():
        shown = [(row[0], row[-2]) for row in found[table["number"]]["rows"]]
        assert shown == [(row["method"], row["accuracy"]) for row in table["rows"]]


def test_a_synthetic_run_fills_no_table_of_the_paper(synthetic):
    for table in tables(synthetic).values():
        assert table["columns"][-1] == "ours"
        assert {row[-1] for row in table["rows"]} == {"–", ""}
        assert "its faces are synthetic" in table["note"]


def test_a_whole_run_on_the_database_fills_its_table(tmp_path, synthetic):
    methods = [result("S1R1", TEN), result("cnn", TEN, {"fold3": "x"}), result("hog-svm", TEN)]
    run = write_results(tmp_path / "mine", methods, synthetic=False, sources=["CK+"])
    found = tables(synthetic, run)  # the page of a synthetic run, beside a real one
    assert found["II"]["columns"] == ["method", "paper", "mine, images", "mine, sequences"]
    rows = {row[0]: row[1:] for row in found["II"]["rows"]}
    assert rows["GCNet S1R1"] == ["97.93", "94.50 ± 3.03", "94.50 ± 3.03"]
    assert rows["CNN (baseline)"] == ["96.94", "9 of 10 folds", "–"]
    assert rows["GCNet S0R0"] == ["97.08", "–", "–"]
    assert rows["HOG + linear SVM (ours, not in the paper)"][:2] == ["–", "94.50 ± 3.03"]
    for other in ("III", "IV", "V", "VI"):
        assert found[other]["columns"][-1] == "ours"


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"sources": ["Yale"]}, "it was trained on Yale"),
        ({}, "has no manifests/train.csv"),
        ({"sources": ["CK+"], "protocol": "own"}, "its protocol is own"),
        ({"sources": ["CK+"], "folds": 3}, "3 of the protocol's 10 folds"),
    ],
)
def test_other_runs_leave_it_empty_and_say_why(tmp_path, changes, reason):
    methods = [result("S1R1", TEN[: changes.pop("folds", 10)])]
    run = write_results(tmp_path / "other", methods, synthetic=False, **changes)
    table = tables(run)["II"]
    assert table["columns"][-1] == "ours" and reason in table["note"]


def test_across_databases_the_training_sets_decide(tmp_path):
    methods = [result("S1R1", [0.41])]
    run = write_results(
        tmp_path / "wild",
        methods,
        synthetic=False,
        protocol="cross-fer2013",
        sources=["CK+", "Oulu-CASIA"],
    )
    rows = tables(run)["VI"]["rows"]
    assert [row[4] for row in rows[:4]] == ["", "–", "41.00", "–"]
    assert {row[4] for row in rows[4:]} == {"–", ""}
