"""The plug-in's layers in real Caffe, through pycaffe, in float (computed by in_caffe.py)."""

import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.native import reference
from tests.native.reference import GEOMETRIES

pytestmark = pytest.mark.caffe
EPS = np.finfo(np.float32).eps


@pytest.fixture(scope="module")
def folder(caffe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    caffe.run_python(Path(__file__).with_name("in_caffe.py"), cwd=folder, GLOG_minloglevel="3")
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """The arrays of one check."""
    arrays = dict(np.load(folder / "layers.npz"))

    def results(check):
        return {name.split("/")[1]: a for name, a in arrays.items() if name.startswith(f"{check}/")}

    return results


@pytest.fixture(scope="module")
def refusals(folder):
    return json.loads((folder / "refusals.json").read_text())


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_unpool_equals_a_plain_loop_and_poolings_backward(results, geometry):
    found = results(f"unpool {geometry}")
    expected = reference.max_unpool(found["data"], found["mask"], *GEOMETRIES[geometry][3])
    np.testing.assert_allclose(found["top"], expected, rtol=0, atol=4 * EPS)
    np.testing.assert_allclose(found["top"], found["pooling_backward"], rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_unpool_gradient(results, geometry):
    found = results(f"unpool {geometry}")
    np.testing.assert_allclose(found["gradient"], found["numeric"], rtol=1e-5, atol=1e-5)


def test_unpool_in_a_net_that_trains_the_pooled_blob(results):
    found = results("trained encoder")
    assert 0 < np.count_nonzero(found["expected"]) < found["expected"].size
    np.testing.assert_allclose(found["gradient"], found["expected"], rtol=1e-6)
    assert not found["mask_gradient"].any()


def test_unpool_of_an_even_pooling_needs_no_size(results):
    found = results("without size")
    assert found["top"].shape == (2, 3, 6, 8)
    assert found["top"].sum() == pytest.approx(found["pooled"].sum(), rel=1e-5)


@pytest.mark.parametrize("check", ["distance 1", "distance 48", "distance 6144", "zero and equal"])
def test_distance_equals_its_composition_from_stock_layers(results, check):
    found = results(check)
    for blob in ("top", "da", "db"):
        stock = found[f"stock_{blob}"]
        np.testing.assert_allclose(found[f"layer_{blob}"], stock, rtol=1e-5, atol=1e-5)
    assert found["layer_top"].any() and found["layer_da"].any()


def test_distance_flattens_images(results):
    found = results("distance of images")
    assert found["layer_top"].shape == (4, 48)
    rows = [found[name].reshape(4, 48) for name in "ab"]
    expected = reference.normalized_distance(*rows)
    np.testing.assert_allclose(found["layer_top"], expected, rtol=0, atol=4 * EPS)
    expected = reference.normalized_distance_gradient(*rows, found["upstream"])
    np.testing.assert_allclose(found["layer_da"].reshape(4, 48), expected[0], rtol=0, atol=1e-6)


def test_distance_gradient(results):
    found = results("distance gradients")
    for blob in "ab":
        assert np.abs(found[blob]).max() > 0.1
        np.testing.assert_allclose(found[blob], found[f"numeric_{blob}"], rtol=1e-3, atol=1e-3)


def test_gradients_at_zero_and_equal_vectors(results):
    found = results("zero and equal")
    for gradient in (found["ones_a"], found["ones_b"]):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() <= 1e3 * (1 + 4 * EPS)
        assert not gradient[2:].any()  # both zero; equal
    assert np.abs(found["ones_a"][0]).min() > 900  # bounded, not cut off


@pytest.mark.parametrize(
    "case, words",
    {
        "odd": r"layer unpool: mask entry \d+ of pooled cell .* 8 x 8: the pooled size was odd.*"
        "give the pooled blob as third bottom",
        "odd width": "4 x 6: the pooled size was odd",
        "other size": "pooling 7 x 7 does not give 4 x 4",
        "index beyond the plane": r"mask entry 48 of pooled cell \(0, 0\) is outside its window",
        "index of another window": r"mask entry 2 of pooled cell \(0, 0\) .* another pooling",
        "not an index": "mask entry 0.5",
        "mask of another shape": r"data is 1 1 3 3 \(9\) but its mask is 1 1 3 4 \(12\)",
        "no kernel": "needs the kernel_size of its pooling",
        "average": "undoes MAX pooling only",
        "global": "cannot undo global_pooling",
        "pad": "needs a pad below its kernel_size",
        "distance of two shapes": r"two equal shapes, got 2 3 \(6\) and 2 4 \(8\)",
    }.items(),
)
def test_refused_with_one_clear_line(refusals, case, words):
    assert refusals[case]["signal"] == signal.SIGABRT
    (line,) = [line for line in refusals[case]["words"].splitlines() if line.startswith("F")]
    assert re.search(words, line), line
