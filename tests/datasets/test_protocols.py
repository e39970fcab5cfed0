"""The paper's protocols: folds, figure 11, across data sets, fold tables."""

import json

import cv2
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.folds import assign_folds, fold_table_text, read_fold_table
from gcnet_caffe.datasets.protocols import ACROSS, PROTOCOLS, WITHIN
from gcnet_caffe.errors import ManifestError, UsageError
from gcnet_caffe.formats.lmdb_file import read_datums
from gcnet_caffe.packing.plan import plan_cross, plan_identities, plan_pairs
from tests.packing.drawn_faces import drawn_face, row, write_rows

SIX = ["anger", "disgust", "fear", "happy", "sad", "surprise"]


def pairs(folder, subjects=10, expressions=("happy", "sad"), name="pairs.csv"):
    rows = []
    for i in range(subjects):
        neutral = f"P{i}_neutral.png"
        for expression in ("neutral", *expressions):
            rows.append(row(f"P{i}_{expression}.png", f"P{i}", expression, neutral))
            cv2.imwrite(str(folder / rows[-1]["path"]), drawn_face(shade=100 + 5 * i))
    return write_rows(folder / name, rows)


def test_label_order():
    assert list(PROTOCOLS["mmi6"].classes) == list(PROTOCOLS["oulu6"].classes) == SIX
    for name in ACROSS:
        assert list(PROTOCOLS[name].classes) == [*SIX, "neutral"]  # one order, neutral last
        assert PROTOCOLS[name].drop == ("contempt",)
    assert "private test" in PROTOCOLS["cross-fer2013"].about
    assert "validation" in PROTOCOLS["cross-sfew"].about
    assert len(WITHIN) == 6


def test_folds_by_ascending_id_and_even_intervals():
    """By hand, from the paper's words (section IV-B1).

    "According to individual ID in the database, individuals are grouped by sampling in ID ascending
    order with ten even intervals first."
    """
    ids = ["S999", "S005", "S010", "S011", "S014", "S022", "S026", "S028", "S029", "S032", "S034"]
    ids += ["S035", "S037"]
    wanted = [
        ["S005", "S035"],  # ranks 0 and 10
        ["S010", "S037"],
        ["S011", "S999"],
        *[[name] for name in ("S014", "S022", "S026", "S028", "S029", "S032", "S034")],
    ]
    sheet = assign_folds(ids, 10)
    assert [[s for s in sheet if sheet[s] == fold] for fold in range(10)] == wanted


def test_fold_sizes_of_118_subjects():
    sheet = assign_folds([f"S{7 * i + 5:03d}" for i in range(118)], 10)
    sizes = [list(sheet.values()).count(fold) for fold in range(10)]
    assert sizes == [12] * 8 + [11] * 2


def subjects_in(plan):
    return {
        t.path: {plan.rows[i].subject for i in range(len(plan.rows)) if i in t.rows}
        for t in plan.targets
    }


def test_figure_11_in_both_readings(tmp_path):
    manifest = pairs(tmp_path)
    classes = ("happy", "sad")
    joint = plan_pairs(manifest, classes, only=(0, 1), together=True)
    found = subjects_in(joint)
    assert found["fold0+1/test_lmdb"] == {"P0", "P1"}
    assert found["fold0+1/train_lmdb"] == {f"P{i}" for i in range(2, 10)}
    alone = plan_pairs(manifest, classes, only=(0, 1))
    assert [t.path for t in alone.targets if "test" in t.path] == [
        "fold0/test_lmdb",
        "fold1/test_lmdb",
    ]
    for only in (None, (3,), range(10)):
        with pytest.raises(UsageError, match="--together"):
            plan_pairs(manifest, classes, only=only, together=True)


def test_a_protocol_on_the_command_line(tmp_path, capsys):
    manifest = pairs(tmp_path)
    out = tmp_path / "out"
    base = ["make-lmdb", "pairs", str(manifest), "--copies", "1", "--workers", "1"]
    assert main([*base, "--protocol", "figure11", "-o", str(out)]) == 0
    assert (out / "fold0+1/test_lmdb/data.mdb").is_file()
    facts = json.loads((out / "fold0+1/packed.json").read_text())
    assert facts["options"]["folds"] == 10 and len(facts["options"]["classes"]) == 7
    assert main([*base, "--classes", "happy,sad", "-o", str(out), "--folds", "0"]) == 2
    assert "--folds 0: wanted at least 2" in capsys.readouterr().err


def test_a_fold_sheet_is_written(tmp_path, capsys):
    manifest, out = pairs(tmp_path, subjects=12), tmp_path / "folds/ck7.csv"
    assert main(["make-folds", str(manifest), "--protocol", "ck7", "-o", str(out)]) == 0
    assert out.read_text() == "subject,fold\n" + "".join(f"P{i},{i % 10}\n" for i in range(12))
    lines = capsys.readouterr().out.splitlines()
    told = f"{out}: 12 subjects, 24 images to test on, 12 neutral queries for training only"
    assert lines[:2] == [told, "fold 0: 2 subjects, 4 images: P0 P10"]
    assert lines[-1] == "fold 9: 1 subjects, 2 images: P9"
    dealt = plan_pairs(manifest, ("happy", "sad"))
    read = plan_pairs(manifest, ("happy", "sad"), fold_table=out)
    assert subjects_in(dealt) == subjects_in(read) and dealt.fold_table == out.read_text()
    assert main(["make-folds", str(manifest), "--folds", "13", "-o", str(tmp_path / "f.csv")]) == 2
    assert not (tmp_path / "f.csv").exists()


def test_a_fold_sheet_is_used(tmp_path):
    manifest = pairs(tmp_path, subjects=3)
    sheet = tmp_path / "folds/mine.csv"
    sheet.parent.mkdir()
    sheet.write_text(fold_table_text({"P0": 1, "P1": 0, "P2": 1, "P77": 5}))
    plan = plan_pairs(manifest, ("happy", "sad"), fold_table=sheet)
    found = subjects_in(plan)
    assert len(found) == 4
    assert found["fold0/test_lmdb"] == {"P1"} and found["fold1/test_lmdb"] == {"P0", "P2"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("subject,fold\nP0,0\nP1,1\nP0,1\n", "row 3: subject P0 is in the folds 0 and 1"),
        ("subject,fold\nP0,0\n", "subject P1 of the manifest is in no fold"),
        ("subject,fold\nP0,0\nP1,2\n", "fold 1 has no subject"),
        ("subject,fold\nP0,zero\n", "row 1: .*; wanted subject,fold"),
        ("who,fold\nP0,0\n", "header: column .subject. is missing; wanted subject,fold"),
    ],
)
def test_a_bad_fold_sheet(tmp_path, text, message):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_fold_table(tmp_path / "f.csv", ["P0", "P1"])
    with pytest.raises(ManifestError, match="wanted a fold table"):
        read_fold_table(tmp_path / "none.csv", ["P0"])


def wild(folder):
    rows = []
    for i, expression in enumerate(["happy", "neutral", "contempt", "fear"]):
        rows.append(row(f"wild{i}.png", "", expression, reference_landmarks="", source="FER2013"))
        cv2.imwrite(str(folder / f"wild{i}.png"), drawn_face(shade=200 - 9 * i))
    return write_rows(folder / "wild.csv", rows)


def test_across_data_sets(tmp_path):
    train = pairs(tmp_path, subjects=2, expressions=("happy", "contempt"))
    out = tmp_path / "out"
    command = ["make-lmdb", "cross", str(train), "--test", str(wild(tmp_path)), "--copies", "3"]
    assert main([*command, "--protocol", "cross-fer2013", "-o", str(out), "--workers", "1"]) == 0
    train_labels = sorted(datum.label for _, datum in read_datums(out / "train_lmdb"))
    assert train_labels == [3] * 6 + [6] * 6  # happy and neutral; contempt is dropped
    datums = [datum for _, datum in read_datums(out / "test_lmdb")]
    assert [datum.label for datum in datums] == [3, 6, 2]
    for datum in datums:  # the query in both channels
        assert datum.channels == 2 and datum.data[: 66 * 66] == datum.data[66 * 66 :]
    facts = json.loads((out / "packed.json").read_text())
    assert facts["options"]["dropped"] == {"contempt": 3} and facts["options"]["test_only"] == 3
    assert facts["test_manifest"]["name"] == "wild.csv"


def test_what_cannot_serve_is_refused(tmp_path, capsys):
    train, test = pairs(tmp_path, subjects=2), wild(tmp_path)
    classes, drop = PROTOCOLS["cross-raf"].classes, ("contempt",)
    with pytest.raises(ManifestError, match="wild.csv: row 1: .*FER2013.* has no subject ids"):
        plan_pairs(test, (*classes[:-1], "contempt"))
    with pytest.raises(ManifestError, match="folds or identities"):
        plan_identities(test)
    with pytest.raises(ManifestError, match="wild.csv: row 1: column 'reference': empty"):
        plan_cross(test, train, classes, drop)
    with pytest.raises(ManifestError, match="wild.csv: row 3: .*unknown expression 'contempt'"):
        plan_cross(train, test, classes)
    with pytest.raises(ManifestError, match="image .* is in both the train and the test images"):
        plan_cross(train, train, classes, drop)
    (tmp_path / "wild3.png").unlink()
    command = ["make-lmdb", "cross", str(train), "--test", str(test), "-o", str(tmp_path / "out")]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "wild.csv: 1 of 9 rows cannot be packed, the first is row 4: " in error
    assert main(command[:-2]) == 2
    assert not list((tmp_path / "out").rglob("*_lmdb"))  # but the report of what failed
