"""The demo, small: every step of the path, in both engines."""

import csv
import json

import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.experiment.demo import Size, run_demo
from gcnet_caffe.formats.log import read_log

SMALL = Size(
    subjects=10,
    identities=5,
    images_per_identity=4,
    copies=1,
    batch_size=4,
    pretrain_iterations=6,
    finetune_iterations=8,
)


@pytest.mark.parametrize("engine", ["torch", pytest.param("caffe", marks=pytest.mark.caffe)])
def test_from_faces_to_a_tested_network(engine, request, tmp_path, monkeypatch, capfd):
    if engine == "caffe":
        request.getfixturevalue("caffe")
    monkeypatch.chdir(tmp_path)
    scores = run_demo("demo", main, SMALL, engine)
    demo = tmp_path / "demo"
    printed = capfd.readouterr().out
    tool = "caffe" if engine == "caffe" else "gcnet"
    assert f"$ {tool} train -solver demo/solvers/demo_fold0.prototxt -weights demo/snap" in printed
    for picture in ("packed.png", "loss.png", "faces.png"):
        assert (demo / picture).read_bytes()[:4] == b"\x89PNG"

    # Caffe's own TEST phase over the whole set, and our predictions from the deploy net, agree
    in_log = dict(read_log(demo / "demo_fold0.log")["Test", "accuracy"])[8]
    assert scores["accuracy"] == pytest.approx(in_log, abs=1e-4)
    with open(demo / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == scores["images"] == 21  # one subject, seven expressions, three frames
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert scores["accuracy"] == pytest.approx(right / len(rows))
    assert json.loads((demo / "evaluation.json").read_text()) == scores
    assert scores["generated_reference"]["mse_mean_image"] > 0


def test_an_earlier_demo_is_replaced_and_a_failed_step_named(tmp_path):
    demo = tmp_path / "demo"
    for _ in range(2):
        with pytest.raises(GcnetError, match="demo stopped at: gcnet make-faces"):
            run_demo(demo, lambda command: 1, SMALL)
        assert [path.name for path in demo.iterdir()] == [".gcnet-demo"]
        (demo / "old.txt").touch()


def test_a_folder_of_someone_elses_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="is no earlier demo"):
        run_demo(tmp_path, main, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
