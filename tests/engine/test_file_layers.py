"""Layers that read files, or are fed from Python: what parity/file_sources.py does not cover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from gcnet_caffe.engine.layers import TRAIN, Context
from gcnet_caffe.engine.layers.data import MemoryData
from gcnet_caffe.engine.libc_rand import LibcRand
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import GcnetError, NetError
from gcnet_caffe.formats import caffe_pb, parse_text, read_solver, write_binary
from gcnet_caffe.packing.check import check
from tests.engine.parity import file_sources
from tests.scratch import write_lmdb

SOLVER = 'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 1 random_seed: 3'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files of file_sources."""
    monkeypatch.chdir(tmp_path)
    file_sources.write_files(tmp_path)
    return tmp_path


def opened(text: str, seed: int = 3) -> Net:
    param = parse_text(text, caffe_pb.NetParameter)
    param.state.phase = TRAIN
    return Net(param, Context(phase=TRAIN, rng=CaffeRng(seed)))


# A training goes on. ----------------------------------------------------------------------------

LEARNS = """
layer { name: "score" type: "InnerProduct" bottom: "%s" top: "score"
  inner_product_param { num_output: 40 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "%s" top: "loss" }
"""
DATA = (
    """layer { name: "d" type: "ImageData" top: "data" top: "label"
      transform_param { crop_size: 11 mirror: true scale: 0.01 }
      image_data_param { source: "all.txt" batch_size: 4 shuffle: true rand_skip: 3 } }"""
    + LEARNS % ("data", "label"),
    """layer { name: "d" type: "HDF5Data" top: "x" top: "y"
      hdf5_data_param { source: "three.txt" batch_size: 5 shuffle: true } }
    layer { name: "e" type: "HDF5Data" top: "other x" top: "other y"
      hdf5_data_param { source: "one.txt" batch_size: 5 shuffle: true } }"""
    + LEARNS % ("other x", "y"),
    """layer { name: "d" type: "WindowData" top: "data" top: "label"
      transform_param { crop_size: 12 mirror: true }
      window_data_param { source: "windows.txt" batch_size: 5 scale: 0.01 } }"""
    + LEARNS % ("data", "label"),
    """layer { name: "d" type: "HDF5Data" top: "x" top: "y"
      hdf5_data_param { source: "three.txt" batch_size: 6 } }
    layer { name: "r" type: "Reshape" bottom: "x" top: "r"
      reshape_param { shape { dim: 3 dim: 2 dim: 6 } } }
    layer { name: "cont" type: "DummyData" top: "cont" dummy_data_param { shape { dim: 3 dim: 2 }
      data_filler { type: "constant" value: 1 } } }
    layer { name: "lstm" type: "LSTM" bottom: "r" bottom: "cont" top: "lstm"
      recurrent_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "rows" type: "Reshape" bottom: "lstm" top: "rows"
      reshape_param { shape { dim: 6 dim: 5 } } }"""
    + LEARNS % ("rows", "y"),
)  # fmt: skip


@pytest.mark.parametrize("net", DATA, ids=["ImageData", "HDF5Data", "WindowData", "LSTM"])
def test_a_training_resumed_in_a_new_solver_ends_with_the_same_bytes(net: str, here: Path) -> None:
    lines = (here / "all.txt").read_text().replace("-3\n", "3\n")
    (here / "all.txt").write_text(lines)
    Path("net.prototxt").write_text(net)
    Path("solver.prototxt").write_text(SOLVER + ' snapshot_prefix: "run"')
    solver = Solver(read_solver("solver.prototxt"), "solver.prototxt")
    solver.step(5)
    solver.snapshot()
    solver.step(6)
    solver.snapshot()
    straight = Path("run_iter_11.caffemodel").read_bytes()
    assert straight != Path("run_iter_5.caffemodel").read_bytes()
    again = Solver(read_solver("solver.prototxt"), "solver.prototxt")
    again.restore("run_iter_5.solverstate")
    again.step(6)
    again.snapshot()
    assert Path("run_iter_11.caffemodel").read_bytes() == straight
    side = Path("run_iter_5.resume.json")
    side.unlink()  # as a snapshot of real Caffe: the data start anew, and something differs
    again = Solver(read_solver("solver.prototxt"), "solver.prototxt")
    again.restore("run_iter_5.solverstate")
    again.step(6)
    again.snapshot()
    assert Path("run_iter_11.caffemodel").read_bytes() != straight


def test_several_ranks_divide_the_rows_of_hdf5_files(here: Path) -> None:
    text = file_sources.NETS[-2][1].split("layer {")[1]
    param = parse_text(f"layer {{{text} state {{ phase: TRAIN }}", caffe_pb.NetParameter)
    nets = [
        Net(param, Context(phase=TRAIN, rng=CaffeRng(1), rank=rank, world_size=2))
        for rank in range(2)
    ]
    alone = opened(f"layer {{{text}")
    rows = np.concatenate([alone.blobs()["x"].numpy() for _ in range(4)])
    for rank, net in enumerate(nets):
        found = np.concatenate([net.blobs()["x"].numpy() for _ in range(2)])
        assert np.array_equal(found, rows[rank::2])


def test_the_c_librarys_random_numbers_go_on_from_a_state() -> None:
    one, other = LibcRand(), LibcRand()
    first = [one.draw() for _ in range(40)]
    assert first[:3] == [1804289383, 846930886, 1681692777]  # of srand(1)
    other.set_state(one.state)
    assert [one.draw() for _ in range(40)] == [other.draw() for _ in range(40)]


# Fed from Python, and written. ------------------------------------------------------------------

MEMORY = """layer { name: "m" type: "MemoryData" top: "data" top: "label" %s
  memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }
layer { name: "noise" type: "DummyData" top: "noise" dummy_data_param { shape { dim: 3 }
  data_filler { type: "gaussian" } } }
layer { name: "out" type: "HDF5Output" bottom: "data" bottom: "label"
  hdf5_output_param { file_name: "out.h5" } }"""
FEED = """
import caffe, numpy as np
found, given = {}, np.load("given.npz")
for index, transform in enumerate(["", "transform_param { mirror: true }"]):
    caffe.set_random_seed(3)
    with open("net.prototxt", "w") as out:
        text = open("memory.prototxt").read().replace("%s", transform)
        out.write(text.replace("out.h5", f"{index}.h5"))
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    net.set_input_arrays(given["data"], given["labels"].reshape(-1, 1, 1, 1))
    for turn in range(4 if index else 1):
        net.forward(end="noise")
        found.update((f"{n} {index} {turn}", b.data.copy()) for n, b in net.blobs.items())
    if not index:
        net._forward(2, 2)
    del net  # and with it the layer that has the file open
np.savez("found.npz", **found)
"""


@pytest.mark.caffe
def test_memory_and_hdf5_output_are_real_caffes(here: Path, caffe: Any) -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((6, 3, 4, 5)).astype(np.float32)
    labels = rng.integers(0, 9, 6).astype(np.float32)
    np.savez("given.npz", data=data, labels=labels)
    Path("memory.prototxt").write_text(MEMORY)
    caffe.run_python(FEED, here)
    with np.load("found.npz") as theirs:
        for index, transform in enumerate(["", "transform_param { mirror: true }"]):
            net = opened(MEMORY.replace("%s", transform))
            layer = net.layers[0]
            assert isinstance(layer, MemoryData)
            layer.reset(data, labels)
            for turn in range(4 if index else 1):
                found = {net.blob_names[n]: v.numpy() for n, v in net.next_batch().items()}
                for name, blob in found.items():
                    assert np.array_equal(blob, theirs[f"{name} {index} {turn}"]), (name, turn)
                    assert blob.shape == theirs[f"{name} {index} {turn}"].shape
    net = opened(MEMORY.replace("%s", ""))
    net.layers[0].reset(data, labels)  # type: ignore[operator]
    net()
    with h5py.File("out.h5") as ours, h5py.File("0.h5") as wanted:
        assert set(ours) == set(wanted) == {"data", "label"}
        for name in ours:
            assert np.array_equal(ours[name][()], wanted[name][()])
            assert (ours[name].shape, ours[name].dtype) == (wanted[name].shape, wanted[name].dtype)
    with pytest.raises(NetError, match="out.h5: holds a batch already"):
        net()


@pytest.mark.parametrize(
    "data, labels, words",
    [
        ((4, 3, 4, 6), 4, r"found data of shape \(4, 3, 4, 6\), wanted \(N, 3, 4, 5\)"),
        ((4, 3, 4, 5), 3, "found 3 labels, wanted 4"),
        ((3, 3, 4, 5), 3, "found 3 images, wanted a multiple of batch_size 2"),
        ((0, 3, 4, 5), 0, "found 0 images"),
    ],
)
def test_arrays_that_do_not_suit_memory_data_are_refused(
    data: tuple[int, ...], labels: int, words: str
) -> None:
    layer = opened(MEMORY.replace("%s", "")).layers[0]
    assert isinstance(layer, MemoryData)
    with pytest.raises(NetError, match=words):
        layer.reset(np.zeros(data, np.float32), np.zeros(labels, np.float32))
    with pytest.raises(NetError, match="'m' .MemoryData.: has no data"):
        layer()


def test_the_infogain_matrix_of_a_file_is_that_of_a_bottom(here: Path) -> None:
    inputs = 'layer { name: "%s" type: "Input" top: "%s" input_param { shape { dim: %d %s } } }\n'
    text = inputs % ("x", "x", 3, "dim: 4") + inputs % ("y", "y", 3, "")
    text += inputs % ("h", "h", 4, "dim: 4")
    loss = 'layer { name: "%s" type: "InfogainLoss" bottom: "x" bottom: "y" %s top: "%s" }\n'
    text += loss % ("a", 'bottom: "h"', "a")
    text += loss % ("b", 'infogain_loss_param { source: "gains" }', "b")
    gains = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    proto = caffe_pb.BlobProto(num=1, channels=1, height=4, width=4)
    proto.data.extend(gains.reshape(-1).tolist())
    write_binary("gains", proto)
    blobs = opened(text).blobs({"x": torch.randn(3, 4), "y": torch.tensor([0.0, 3, 1]), "h": gains})
    assert blobs["a"] == blobs["b"] != 0
    proto.height = 3
    write_binary("gains", proto)
    with pytest.raises(NetError, match="'b' .InfogainLoss.: source: "):
        opened(text)


# What is refused, and what `gcnet check` says. --------------------------------------------------


def _image(fields: str, transform: str = "") -> str:
    return (
        f'layer {{ name: "d" type: "ImageData" top: "data" top: "label" image_data_param {{ '
        f"{fields} }} transform_param {{ {transform} }} }}"
    )


def _hdf5(source: str, more: str = "", top: str = "y") -> str:
    return (
        f'layer {{ name: "d" type: "HDF5Data" top: "data" top: "{top}" {more} hdf5_data_param {{ '
        f'source: "{source}" batch_size: 2 }} }}'
    ).replace('"data"', '"x"')


def _windows(source: str, more: str = "", transform: str = "crop_size: 4") -> str:
    return (
        f'layer {{ name: "d" type: "WindowData" top: "data" top: "label" transform_param {{ '
        f'{transform} }} window_data_param {{ source: "{source}" batch_size: 2 {more} }} }}'
    )


_ALL = 'source: "all.txt"'
#: Net -> words of the engine's and of check's refusal.
REFUSED = {
    _image('source: "none.txt"'): "none.txt: No such file or directory",
    _image('source: "empty.txt"'): "empty.txt: is empty",
    _image(f"{_ALL} batch_size: 0"): "batch_size: found 0, wanted 1 or more",
    _image(f"{_ALL} new_height: 3"): "found new_height or new_width alone, wanted both",
    _image(f"{_ALL} batch_size: 2", "crop_size: 40"): "all.txt:1: images/an image 0.png: 20 x 16, "
    "crop_size needs 40 x 40",
    _image('source: "missing.txt"'): "missing.txt:1: nowhere.png: No such file or directory",
    _image('source: "broken.txt"'): "broken.txt:1: broken.png: an image that cannot be decoded",
    _image(f"{_ALL}", "mean_value: 1 mean_value: 2"): "3 channels, mean_value: found 2",
    _hdf5("none.txt"): "'d' (HDF5Data): source: none.txt: No such file or directory",
    _hdf5("empty.txt"): "source: empty.txt: is empty",
    _hdf5("one.txt", "transform_param { scale: 2 }"): "transform_param: HDF5 data is not",
    _hdf5("one.txt", top="z"): "c.h5: has no dataset 'z'",
    _hdf5("one.txt", top="words"): "c.h5: dataset 'words': found object of shape (6,), wanted rows",
    _hdf5("one.txt", top="two"): "c.h5: found [6, 2] rows of ['x', 'two'], wanted as many of each",
    _hdf5("missing h5.txt"): "nowhere.h5: No such file or directory",
    _windows("none.txt"): "none.txt: No such file or directory",
    _windows("empty.txt"): "empty.txt: has no background windows",
    _windows("all.txt"): "all.txt: image 0: truncated, or not # index, path",
    _windows("windows.txt", transform=""): "crop_size: found 0, wanted 1 or more",
    _windows("windows.txt", "context_pad: 2"): "context_pad: found 2, wanted less than half",
    _windows("windows.txt", "fg_fraction: 2"): "fg_fraction: found 2, wanted 0 to 1",
    _windows("windows.txt", "fg_threshold: 1"): "windows.txt: has no foreground windows",
    _windows("windows.txt", "fg_threshold: 0"): "a foreground window of class 0, wanted 1 on",
    _windows("windows.txt", transform='crop_size: 20 mean_file: "three.binaryproto"'): "mean_file: "
    "of shape (3, 15, 14), wanted (3, 20, 20) or a larger square",
    _windows("grey windows.txt"): "grey windows.txt: found 1 channels, wanted 3",
    _windows("cut.txt"): "cut.txt: image 1: truncated",
    _windows("far.txt"): "far.txt: found image 7, wanted 0 to 0",
}


@pytest.fixture
def broken(here: Path) -> Path:
    """The files that REFUSED names."""
    Path("empty.txt").write_text("")
    Path("missing.txt").write_text("nowhere.png 1\n")
    Path("missing h5.txt").write_text("nowhere.h5")
    Path("broken.txt").write_text("broken.png 1\n")
    Path("broken.png").write_bytes(b"\x89PNG no")
    whole = Path("windows.txt").read_text()
    first = whole.partition("# 1\n")[0]
    Path("cut.txt").write_text(first.rpartition(" ")[0])
    Path("far.txt").write_text(first.replace("# 0", "# 7"))
    Path("grey windows.txt").write_text(whole.replace("jpg\n3\n", "jpg\n1\n"))
    with h5py.File("c.h5", "a") as file:
        file["words"], file["two"] = ["a"] * 6, [1, 2]
    return here


@pytest.mark.parametrize("net", REFUSED, ids=REFUSED.values())
def test_files_that_are_refused(net: str, broken: Path) -> None:
    with pytest.raises(GcnetError) as error:
        opened(net)
    assert REFUSED[net] in str(error.value) and "\n" not in str(error.value)
    Path("net.prototxt").write_text(net)
    with pytest.raises(GcnetError) as checked:
        check("net.prototxt")
    assert REFUSED[net] in str(checked.value)


@pytest.mark.parametrize(
    "net, words",
    [
        (
            _image('source: "all.txt" batch_size: 7'),
            "all.txt:3: images/an image 2.png: 24 x 30 in a batch with 20 x 16; crop_size, or",
        ),
        (_image('source: "late.txt" batch_size: 7'), "late.txt:2: nowhere.png: No such file"),
        (
            _windows("outside.txt", "fg_fraction: 0.5"),
            "outside.txt: image 0, images/0.jpg: 16 x 20 pixels, and no",
        ),
        (_hdf5("differ.txt"), "other.h5: found rows of [(2, 4), ()], wanted [(2, 3), ()]"),
    ],
)
def test_what_is_found_in_a_batch(net: str, words: str, here: Path) -> None:
    Path("late.txt").write_text("images/0.jpg 1\nnowhere.png 1\n")
    text = Path("windows.txt").read_text().partition("# 1\n")[0]
    Path("outside.txt").write_text(text.replace("1 0.9 2 3 12 18", "1 0.9 2 3 16 18"))
    Path("differ.txt").write_text("a.h5 other.h5")
    with h5py.File("other.h5", "w") as file:
        file["x"], file["y"] = np.zeros((3, 2, 4)), np.zeros(3)
    found = opened(net)
    with pytest.raises(GcnetError) as error:
        for _ in range(40):
            found()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_check_says_what_the_files_hold_and_whose_label_is_no_class(here: Path) -> None:
    solver = SOLVER.replace('net: "net.prototxt"', "") + " net_param { %s }"
    facts = {
        _image(
            f"{_ALL} new_height: 8 new_width: 9"
        ): "TRAIN all.txt: 7 images, 3x8x9, labels -3..39",
        _hdf5("three.txt"): "TRAIN three.txt: 3 files, 13 rows",
        _windows("windows.txt"): "TRAIN windows.txt: 7 images, 14 windows of foreground, 21 of "
        "background",
    }
    for net, wanted in facts.items():
        Path("solver.prototxt").write_text(solver % net)
        assert check("solver.prototxt").facts == [wanted]
        assert check("solver.prototxt").warnings == []
    net = _image("source: 'all.txt'", "crop_size: 4") + LEARNS % ("data", "label")
    Path("solver.prototxt").write_text(solver % net)
    words = r"all.txt:1: images/an image 0.png: label -3, layer 'loss' .SoftmaxWithLoss. needs 0"
    with pytest.raises(GcnetError, match=words):
        check("solver.prototxt")
    with pytest.raises(GcnetError, match=words):
        opened(net)


# LEVELDB. ---------------------------------------------------------------------------------------

LEVELDB = """layer { name: "d" type: "Data" top: "data" top: "label"
  transform_param { crop_size: 9 mirror: true }
  data_param { source: "%s" batch_size: 3 %s } }"""


@pytest.mark.caffe
def test_a_leveldb_of_real_caffe_gives_the_same_batches(here: Path, caffe: Any) -> None:
    pytest.importorskip("plyvel", reason="the leveldb extra is not installed")
    from tests.engine.test_seed_exact import assert_same_batches

    for words in (("-backend", "leveldb"), ("-backend", "leveldb", "-encoded", "-gray")):
        name = f"leveldb {len(words)}"
        caffe.run(["convert_imageset", *words, "images/", "jpegs.txt", name], here)
        Path("net.prototxt").write_text(LEVELDB % (name, ""))
        assert_same_batches(caffe, here, 6)
    net = LEVELDB % (name, "") + LEARNS.replace("40", "4") % ("data", "label")
    Path("solver.prototxt").write_text(
        SOLVER.replace('net: "net.prototxt"', f"net_param {{ {net} }}")
    )
    with pytest.raises(GcnetError, match=f"{name}: record '00000004_4.jpg': label 4, layer 'loss'"):
        check("solver.prototxt")
    with pytest.raises(
        NetError, match="backend: LMDB, but .* is a LEVELDB; write backend: LEVELDB"
    ):
        opened(LEVELDB % (name, "backend: LMDB"))
    (Path(name) / "CURRENT").write_text("MANIFEST-0\n")
    with pytest.raises(GcnetError, match=f"{name}: cannot read the LEVELDB: "):
        opened(LEVELDB % (name, ""))


def test_a_leveldb_that_is_none_is_refused(here: Path) -> None:
    write_lmdb(here / "lmdb", [0], 1)
    for name, words in (("images", "no LEVELDB here"), ("lmdb", "write backend: LMDB")):
        with pytest.raises(GcnetError, match=words):
            opened(LEVELDB % (name, ""))
