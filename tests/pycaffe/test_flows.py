"""Scripts for pycaffe on ours and on real pycaffe: the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gcnet_caffe.formats import caffe_pb
from tests import processes
from tests.scratch import ROOT, write_lmdb

FLOWS = (
    "lenet", "surgery", "multilabel", "classify", "passes", "logreg", "siamese", "finetune",
    "dream", "varying", "memory", "recurrent",
)  # fmt: skip
#: Those in which no number is computed outside of the layers.
EXACT = (
    "lenet", "multilabel", "passes", "logreg", "siamese", "finetune", "varying", "memory",
    "recurrent",
)  # fmt: skip
#: The largest relative difference of a blob's numbers in another order of summation.
OTHER_ORDER = 1e-5

Arrays = dict[str, NDArray]


def prepare(folder: Path) -> Path:
    """Put into `folder` what the flows read."""
    write_lmdb(folder / "digits", [i % 4 for i in range(22)], 1, size=20)
    draws = np.random.default_rng(1)
    images = {"colour": draws.random((20, 24, 3)), "grey": draws.random((18, 21, 1))}
    images["grey"] = images["grey"].repeat(3, axis=2)
    np.savez(folder / "pictures.npz", **{n: i.astype(np.float32) for n, i in images.items()})
    for seed, name in enumerate(("pairs", "other_pairs")):  # real Caffe opens each once
        write_pairs(folder / name, seed)
    lines = []
    for index in range(10):
        pixels = draws.integers(0, 256, (6, 7, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((26, 23)).save(folder / f"{index}.png")
        lines.append(f"{index}.png {index % 3}\n")
    (folder / "images.txt").write_text("".join(lines))
    return folder


def write_pairs(path: Path, seed: int) -> None:
    """Write a LEVELDB of pairs of images, two channels each, with labels 0 and 1."""
    plyvel = pytest.importorskip("plyvel", reason="the leveldb extra is not installed")
    draws = np.random.default_rng(seed)
    database = plyvel.DB(str(path), create_if_missing=True)
    for index in range(13):
        datum = caffe_pb.Datum(channels=2, height=20, width=20, label=index % 2)
        datum.data = draws.integers(0, 256, (2, 20, 20)).astype(np.uint8).tobytes()
        database.put(f"{index:08d}".encode(), datum.SerializeToString())
    database.close()


def ours(folder: Path, summation: str, *words: str) -> Arrays:
    """Return what the flows record under `gcnet python`."""
    command = [sys.executable, "-m", "gcnet_caffe.cli", "python", "--summation", summation]
    done = subprocess.run(
        [*command, "-m", "tests.pycaffe.flows", "found.npz", *(words or FLOWS)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOG_minloglevel": "2"},
        capture_output=True,
        text=True,
        timeout=processes.PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / "found.npz"))


@pytest.fixture(scope="module")
def theirs(caffe, tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """What real pycaffe records."""
    folder = prepare(tmp_path_factory.mktemp("theirs"))
    caffe.run(
        ["python3", "-W", "ignore", "-m", "tests.pycaffe.flows", "found.npz", *FLOWS],
        folder,
        GLOG_minloglevel="2",
    )
    return dict(np.load(folder / "found.npz"))


def unequal(found: Arrays, wanted: Arrays, limit: float) -> dict[str, object]:
    """Return {name: how far} of what is not as `wanted`: by more than `limit` of the largest."""
    wrong: dict[str, object] = {}
    for name in found.keys() ^ wanted.keys():
        wrong[name] = "only in one"
    for name in found.keys() & wanted.keys():
        a, b = found[name], wanted[name]
        if a.shape != b.shape:
            wrong[name] = f"{a.shape} is not {b.shape}"
        elif a.dtype.kind == "U":
            if not (a == b).all():
                wrong[name] = f"{a} is not {b}"
        elif a.size:
            far = np.abs(a.astype(float) - b).max() / max(np.abs(b).max(), 1e-3)
            if not far <= limit:
                wrong[name] = far
    return wrong


@pytest.mark.caffe
def test_in_caffes_order_the_numbers_are_caffes(theirs: Arrays, tmp_path: Path) -> None:
    found = ours(prepare(tmp_path), "caffe")
    wrong = unequal(found, theirs, 0)
    assert [name for name in wrong if name.split(":")[0] in EXACT] == []
    assert unequal(found, theirs, OTHER_ORDER) == {}


@pytest.mark.caffe
def test_in_torchs_order_they_are_near(theirs: Arrays, tmp_path: Path) -> None:
    assert unequal(ours(prepare(tmp_path), "torch"), theirs, OTHER_ORDER) == {}
