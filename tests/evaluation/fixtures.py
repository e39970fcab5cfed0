"""Faces that several tests of this folder look at."""

import json

import pytest
import torch

from gcnet_caffe.cli import main
from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import write_caffemodel
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from tests.scratch import ROOT


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """One fold of synthetic faces: 12 subjects train, 4 test, seven expressions."""
    folder = tmp_path_factory.mktemp("faces")
    for command in (
        f"make-faces --kind 2d -o {folder}/faces --subjects 16 --frames 4 --unlabelled 0 --seed 3",
        f"make-manifest ck --root {folder}/faces --source synthetic -o {folder}/faces.csv",
        f"make-lmdb pairs {folder}/faces.csv -o {folder}/pairs --folds 4 --fold 0 --copies 2",
    ):
        assert main(command.split()) == 0
    return folder / "pairs/fold0"


def write_pairs(folder, pairs, labels, classes):
    """Pairs of (66, 66) images as both LMDBs of a folder, with its packed.json."""
    folder.mkdir(parents=True)
    for name in ("train_lmdb", "test_lmdb"):
        with LmdbWriter(folder / name) as writer:
            for index, (pair, label) in enumerate(zip(pairs, labels)):
                datum = caffe_pb.Datum(channels=2, height=66, width=66, label=label)
                datum.data = b"".join(image.tobytes() for image in pair)
                writer.put(f"{index:08d}_000", datum.SerializeToString())
    facts = {"manifest": {}, "options": {"classes": classes}, "lmdbs": {}, "crop": {}}
    (folder / "packed.json").write_text(json.dumps({**facts, "versions": {}}))
    return folder


def net_of(folder, variant):
    """The deploy net of a variant, and its fillers' weights with statistics of random images."""
    net = ROOT / f"prototxt/ck_{variant}_deploy.prototxt"
    engine = open_net(net, TRAIN, CaffeRng(1))
    images = torch.rand((2, 8, 1, 64, 64), generator=torch.Generator().manual_seed(1))
    inputs = ("query", "reference") if variant == "metric" else ("query",)
    with torch.no_grad():
        engine.forward(dict(zip(inputs, images)))
    write_caffemodel(engine, folder / f"{variant}.caffemodel")
    return net, folder / f"{variant}.caffemodel"
