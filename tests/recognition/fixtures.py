"""A model folder and pictures, made once."""

import cv2
import pytest

from gcnet_caffe import Recognizer
from gcnet_caffe.cli import main
from gcnet_caffe.datasets.expressions import CLASS_SETS
from gcnet_caffe.packing.pack import pack_pairs
from tests.packing.drawn_faces import pair_manifest
from tests.recognition.models import rendered, untrained
from tests.scratch import ROOT


@pytest.fixture
def engine(request):
    """An engine that is here; without it the test is skipped."""
    if request.param == "caffe":
        request.getfixturevalue("caffe")
    return request.param


@pytest.fixture(scope="session")
def loose(tmp_path_factory):
    """Weights of S1R1, and LMDBs that it could have been trained on: the flags of `package`."""
    folder = tmp_path_factory.mktemp("loose")
    pack_pairs(
        pair_manifest(folder), folder / "data", CLASS_SETS["ck7"], folds=2, only=[0], workers=1
    )
    untrained(folder)
    net, weights = ROOT / "prototxt/ck_S1R1_deploy.prototxt", folder / "S1R1.caffemodel"
    return ["--net", str(net), "--weights", str(weights), "--data", str(folder / "data/fold0")]


@pytest.fixture(scope="session")
def model_folder(loose, tmp_path_factory):
    """What `gcnet package` makes of them."""
    folder = tmp_path_factory.mktemp("package") / "model"
    assert main(["package", *loose, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def recognizer(model_folder):
    return Recognizer.load(model_folder)


@pytest.fixture(scope="session")
def photograph(tmp_path_factory):
    """The PNG of a rendered face."""
    path = tmp_path_factory.mktemp("photographs") / "face.png"
    cv2.imwrite(str(path), rendered(3))
    return path
