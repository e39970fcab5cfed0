"""A scratch working tree: the committed prototxts and solvers, over LMDBs of small random faces.

Nothing of ours touches `data/` of the checkout, which is the user's.
"""

import functools
import shutil
from pathlib import Path

import numpy as np

from gcnet_caffe.formats import caffe_pb, parse_text, to_text
from gcnet_caffe.formats.lmdb_file import LmdbWriter

ROOT = Path(__file__).resolve().parent.parent


def write_lmdb(path, labels, channels, size=66, seed=0):
    """Write an LMDB of random images, one a label: coarse squares, and noise against ties."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with LmdbWriter(path) as writer:
        for index, label in enumerate(labels):
            coarse = rng.integers(30, 226, (channels, 6, 6))
            pixels = coarse.repeat(size // 6 + 1, 1).repeat(size // 6 + 1, 2)[:, :size, :size]
            pixels = pixels + rng.integers(-30, 31, pixels.shape)
            datum = caffe_pb.Datum(channels=channels, height=size, width=size, label=int(label))
            datum.data = pixels.astype(np.uint8).tobytes()
            writer.put(f"{index:08d}", datum.SerializeToString())


def make_tree(folder, batch_size=4, folds=(0,), images=24):
    """Fill `folder` with prototxt/, solvers/, snapshots/ and LMDBs where the nets look for them.

    `batch_size` replaces the TRAIN batch of 64, which takes seconds an iteration; None keeps it.
    """
    for name in ("prototxt", "solvers"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "snapshots").mkdir()
    for fold in folds:
        data = folder / f"data/ck7/fold{fold}"
        write_lmdb(data / "train_lmdb", [i % 8 for i in range(images)], 2, seed=fold)
        write_lmdb(data / "test_lmdb", [i % 7 for i in range(12)], 2, seed=100 + fold)
    write_lmdb(folder / "data/webface/train_lmdb", [i % 10575 for i in range(images)], 1, seed=200)
    write_lmdb(folder / "data/webface/test_lmdb", [i % 10 for i in range(50)], 1, seed=201)
    if batch_size:
        for path in (folder / "prototxt").glob("*_train_test.prototxt"):
            shrink_batches(path, batch_size)
    return folder


def shrink_batches(path, batch_size):
    """Set the batch sizes of the net at `path` to at most `batch_size`."""
    path.write_text(_shrunk(path.read_text(), batch_size))


@functools.cache
def _shrunk(text, batch_size):
    net = parse_text(text, caffe_pb.NetParameter)
    for layer in net.layer:
        if layer.type == "Data":
            layer.data_param.batch_size = min(layer.data_param.batch_size, batch_size)
        for shape in layer.dummy_data_param.shape:  # a VAE's noise
            shape.dim[0] = min(shape.dim[0], batch_size)
    return to_text(net)
