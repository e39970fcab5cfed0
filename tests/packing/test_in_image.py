"""Packing works on Debian 11's Python 3.9, OpenCV 4.5 and protobuf 3.12, and gives the same."""

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.formats.lmdb_file import describe


@pytest.mark.caffe
def test_the_image_packs_the_same_records(caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main("make-faces --kind 2d -o faces --subjects 2 --frames 4 --size 120".split()) == 0
    assert main("make-manifest ck --root faces -o faces.csv".split()) == 0
    pack = "make-lmdb pairs faces.csv --folds 2 --fold 0 --copies 3 --workers 1 -o".split()
    assert main([*pack, "here"]) == 0
    caffe.run(["gcnet", *pack, "there"], cwd=tmp_path)
    for name in ("train_lmdb", "test_lmdb"):
        here, there = (describe(tmp_path / where / "fold0" / name) for where in ("here", "there"))
        assert here == there and here.count
    sheet = "make-lmdb sheet faces.csv --rows 2 --copies 2 -o".split()
    assert main([*sheet, "here.png"]) == 0
    caffe.run(["gcnet", *sheet, "there.png"], cwd=tmp_path)
    np.testing.assert_array_equal(cv2.imread("here.png"), cv2.imread("there.png"))
