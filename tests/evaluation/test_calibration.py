"""A temperature that is known is found again; what is stored is what is measured."""

import numpy as np
import pytest

from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.evaluation.calibration import (
    calibrate,
    calibration_error,
    fit_temperature,
    read_predictions,
    reliability,
    with_temperature,
)
from gcnet_caffe.evaluation.classification import write_predictions


def softmax(scores):
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def drawn(temperature, count=40000, classes=7, seed=0):
    """Labels drawn with softmax(scores), and softmax(temperature * scores)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(count, classes)) * 1.5
    labels = (softmax(scores).cumsum(1) < rng.random((count, 1))).sum(1)
    return softmax(scores * temperature), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_the_scores_is_found(temperature):
    probabilities, labels = drawn(temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.03)
    assert fit_temperature(np.float32(probabilities), labels) == pytest.approx(
        temperature, rel=0.03
    )


def test_its_neighbours_have_a_lower_likelihood():
    probabilities, labels = drawn(2.0, count=300)
    best = fit_temperature(probabilities, labels)

    def loss(temperature):
        after = with_temperature(probabilities, temperature)
        return -np.log(after[np.arange(len(labels)), labels]).mean()

    assert loss(best) < min(loss(best * 0.99), loss(best * 1.01))


def test_a_temperature_divides_the_scores():
    scores = np.random.default_rng(0).normal(size=(5, 4)) * 5
    for kind, near in ((np.float64, 1e-12), (np.float32, 1e-6)):
        given = softmax(scores).astype(kind)
        found = with_temperature(given, 3)
        assert found.dtype == kind
        np.testing.assert_allclose(found, softmax(scores / 3), atol=near)
        assert with_temperature(given, 1) is given


def test_what_is_measured():
    """Of eight answers of two confidences."""
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.35, 0.65]] * 4)
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 0])
    assert reliability(probabilities, labels) == [[4, 0.65, 0.5], [4, pytest.approx(0.9), 0.75]]
    assert calibration_error(probabilities, labels) == pytest.approx(0.15)
    certain = np.array([[1.0, 0.0]])
    assert reliability(certain, np.array([0])) == [[1, 1, 1]]


def test_a_calibration_has_before_and_after():
    probabilities, labels = drawn(2.0)
    found = calibrate(probabilities, labels, 0.6)
    assert found["temperature"] == pytest.approx(2, rel=0.03) and found["threshold"] == 0.6
    assert found["images"] == len(labels)
    before, after = found["error"]
    assert before > 0.1 and after < 0.01 and found["nll"][0] > found["nll"][1]
    calm = with_temperature(probabilities, found["temperature"])
    sure = calm.max(1) >= 0.6
    right = calm.argmax(1) == labels
    assert found["sure"] == sure.mean() and found["accuracy"] == right.mean()
    assert found["accuracy_of_sure"] == right[sure].mean() > found["accuracy"]
    assert sum(n for n, _, _ in found["reliability"][1]) == len(labels)


def test_what_cannot_be_fitted_is_one_line():
    right = np.array([[0.9, 0.1], [0.2, 0.8]])
    with pytest.raises(GcnetError, match="no temperature fits 2 predictions: none is wrong"):
        fit_temperature(right, np.array([0, 1]))
    with pytest.raises(GcnetError, match="none is better than chance"):
        fit_temperature(right, np.array([1, 0]))
    with pytest.raises(UsageError, match="threshold 1.5: wanted 0 to 1"):
        calibrate(*drawn(1, 100), threshold=1.5)


def written(path, temperature, count, seed):
    probabilities, labels = drawn(temperature, count, seed=seed)
    keys = [f"{i:06d}" for i in range(count)]
    write_predictions(path, keys, labels, probabilities, "prob", classes=list("abcdefg"))
    return probabilities, labels


def test_predictions_of_several_folds(tmp_path):
    paths = [tmp_path / "0.csv", tmp_path / "1.csv"]
    made = [written(path, 2, 50, seed) for seed, path in enumerate(paths)]
    probabilities, labels = read_predictions(paths, 7)
    # the file has six decimals
    np.testing.assert_allclose(probabilities, np.concatenate([p for p, _ in made]), atol=5.1e-7)
    np.testing.assert_array_equal(labels, np.concatenate([each for _, each in made]))


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "a.csv: cannot be read: No such file"),
        ("key,label,prob\n", "found the columns prob; wanted label and prob0 to prob1"),
        ("key\n", "found the columns of no prediction; wanted"),
        ("label,prob0,prob1\n", "no prediction to calibrate with"),
        ("label,prob0,prob1\n0,0.5,x\n", "a.csv: a cell is no number: could not convert"),
        ("label,prob0,prob1\n0,0.5\n", "a.csv: a cell is no number"),
    ],
)
def test_files_of_another_kind_are_one_line(text, message, tmp_path):
    if text is not None:
        (tmp_path / "a.csv").write_text(text)
    with pytest.raises(GcnetError, match=message) as error:
        read_predictions([tmp_path / "a.csv"], 2)
    assert "\n" not in str(error.value)
