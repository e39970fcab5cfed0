"""Snapshots that cannot be written, or not read again, are refused before training starts."""

import io
import tracemalloc

import h5py
import numpy as np
import pytest
import torch

from gcnet_caffe import cli
from gcnet_caffe.engine import snapshot
from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.sharing import share_trained_layers
from gcnet_caffe.engine.snapshot import newest_snapshot
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.engine.weights import copy_weights, read_caffemodel, write_caffemodel
from gcnet_caffe.errors import NetError, WeightsError
from gcnet_caffe.formats import caffe_pb, parse_text, read_net, read_weights
from gcnet_caffe.real_caffe import tool as caffe_tool

#: Names of layers, as a prototxt writes them, that no HDF5 snapshot can hold: with some of them
#: real Caffe dies when it writes, with the others it does not find the layer again.
BAD = ["", ".", "/a", "a/", "./a", "fc1/7x7", r"a\000b", "data"]
GOOD = ["..", "a.", " ", "caf\u00e9 \u8868", r"a\nb", "0"]


def net_of(*names, fill="xavier"):
    """A net of data without an LMDB, and of one InnerProduct for each name."""
    text = """
layer { name: "data" type: "DummyData" top: "0" top: "label"
  dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } data_filler { value: 0.7 } } }"""
    for index, name in enumerate(names):
        text += f"""
layer {{ name: "{name}" type: "InnerProduct" bottom: "{index}" top: "{index + 1}"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "{fill}" }} }} }}"""
    return f"""{text}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "{len(names)}" bottom: "label" }}"""


def solver_text(net="net.prototxt", max_iter=2, **fields):
    fields = {"snapshot": 1, "random_seed": 1, "snapshot_format": "HDF5", **fields}
    words = " ".join(f"{name}: {value}" for name, value in fields.items())
    return f'net: "{net}" base_lr: 1 momentum: 0.9 lr_policy: "fixed" max_iter: {max_iter} {words}'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, net, solver, name="solver.prototxt"):
    (folder / "net.prototxt").write_text(net, encoding="utf-8")
    (folder / name).write_text(solver)


def make_solver(text, log=None):
    param = parse_text(text, caffe_pb.SolverParameter)
    return Solver(param, "solver.prototxt", log=Log(log or io.StringIO()))


def error_of(capfd, *words):
    """Run `gcnet train`, which fails; return its one line."""
    capfd.readouterr()
    assert cli.main(["train", *words]) == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "error" in line]
    return line


@pytest.mark.parametrize("name", BAD)
def test_names_that_hdf5_cannot_hold(name, folder, capfd):
    write(folder, net_of("fc", name), solver_text(snapshot_prefix='"m"'))
    line = error_of(capfd, "-solver", "solver.prototxt")
    wanted = {
        "": "layer 3 has no name;",
        "data": "two layers are called 'data';",
        r"a\000b": r"the name of layer 'a\x00b' cannot be a group's;",
    }
    assert (
        f"error: net.prototxt: {wanted.get(name, f'the name of layer {name!r} cannot be')}" in line
    )
    assert "snapshot_format: BINARYPROTO" in line
    assert {path.name for path in folder.iterdir()} == {"net.prototxt", "solver.prototxt"}
    binary = solver_text(snapshot_prefix='"m"', snapshot_format="BINARYPROTO")
    (folder / "solver.prototxt").write_text(binary)
    assert cli.main(["train", "-solver", "solver.prototxt"]) == 0


def test_the_discriminators_names_are_checked_too(folder, capfd):
    write(folder, net_of("a/b"), solver_text(), "discriminator.prototxt")
    (folder / "solver.prototxt").write_text(solver_text(snapshot_format="BINARYPROTO"))
    words = ["-solver", "solver.prototxt", "-discriminator_solver", "discriminator.prototxt"]
    assert "'a/b'" in error_of(capfd, *words)


def test_a_snapshot_nobody_planned_is_refused_too(folder):
    """No snapshot is due, so training starts; a signal asks for one all the same."""
    write(folder, net_of("a/b"), "")
    text = solver_text(snapshot=0, snapshot_after_train="false", snapshot_prefix='"m"')
    solver = make_solver(text)
    (folder / "m_iter_0.resume.json").touch()
    before = sorted(folder.iterdir())
    with pytest.raises(NetError, match="'a/b'"):
        solver.snapshot()
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("ending", ["", ".h5"])
def test_every_other_name_comes_back(ending, folder):
    write(folder, net_of(*GOOD), "")
    net = open_net("net.prototxt", TRAIN, CaffeRng(1))
    write_caffemodel(net, f"m.caffemodel{ending}")
    other = open_net("net.prototxt", TRAIN, CaffeRng(2))
    copy_weights(other, f"m.caffemodel{ending}", str)
    for mine, theirs in zip(net.layers, other.layers):
        assert all(map(same, mine.blobs, [blob.detach() for blob in theirs.blobs]))


def same(blob, other):
    return np.array_equal(blob.detach(), other)


def write_hdf5(path, **layers):
    """Write {layer name: {dataset name: array}} as Caffe's HDF5 weights."""
    with h5py.File(path, "w") as file:
        for name, blobs in layers.items():
            group = file.create_group(f"data/{name}")
            for key, array in blobs.items():
                group.create_dataset(key, data=array)


WEIGHT, BIAS = np.arange(9, dtype=np.float32).reshape(3, 3), np.arange(3, dtype=np.float32)


def test_hdf5_weights_of_earlier_versions_are_read(folder):
    """Those with a '/' in a layer's name are groups in groups."""
    write(folder, net_of("fc1", "fc1/7x7"), "")
    blobs = {"0": WEIGHT, "1": BIAS}
    write_hdf5("old.caffemodel.h5", **{"fc1": blobs, "fc1/7x7": {**blobs, "1": BIAS + 1}, "x": {}})
    net, said = open_net("net.prototxt", TRAIN, CaffeRng(1)), []
    copy_weights(net, "old.caffemodel.h5", said.append)
    assert said == ["Finetuning from old.caffemodel.h5", "Ignoring source layer x"]
    assert [net.layers[place].blobs[1].tolist() for place in (1, 2)] == [[0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    "blobs, message",
    [
        (
            {"0": WEIGHT},
            "Incompatible number of blobs for layer 'fc': found 1, net.prototxt needs 2",
        ),
        (
            {"0": WEIGHT, "1": BIAS, "2": BIAS},
            "Incompatible number of blobs for layer 'fc': found 3",
        ),
        ({"0": WEIGHT, "weight": BIAS}, "layer 'fc': found 'weight', wanted blobs numbered 0, 1"),
        (
            {"0": WEIGHT, "1": WEIGHT},
            r"layer 'fc', blob 1: found shape \(3, 3\), net.prototxt has \(3,\); to train this",
        ),
    ],
)
def test_hdf5_weights_that_do_not_fit(blobs, message, folder):
    write(folder, net_of("fc"), "")
    write_hdf5("m.h5", fc=blobs)
    with pytest.raises(WeightsError, match=f"^m.h5: {message}"):
        copy_weights(open_net("net.prototxt", TRAIN, CaffeRng(1)), "m.h5", str)


def test_the_format_of_weights_is_known_by_content(folder):
    write(folder, net_of("fc"), "")
    net = open_net("net.prototxt", TRAIN, CaffeRng(1))
    for name in ("m.caffemodel", "m.caffemodel.h5"):
        write_caffemodel(net, name)
    (folder / "m.caffemodel.h5").rename("hdf5.caffemodel")
    (folder / "m.caffemodel").rename("binary.h5")
    for name in ("hdf5.caffemodel", "binary.h5"):
        found = {name: blobs for name, blobs, _ in read_caffemodel(name)}["fc"]
        assert np.array_equal(found[0], net.layers[1].blobs[0].detach())
    binary, hdf5 = [
        {layer.name: layer.blobs for layer in read_weights(name).layer if layer.blobs}
        for name in ("binary.h5", "hdf5.caffemodel")
    ]
    assert binary == hdf5 and [len(blob.data) for blob in hdf5["fc"]] == [9, 3]
    write_hdf5("shared.h5", other={"1": BIAS})  # its first blob is another layer's
    (other,) = read_weights("shared.h5").layer
    assert [list(blob.data) for blob in other.blobs] == [[], [0, 1, 2]]


def test_a_name_that_two_layers_with_weights_have_is_warned_of(folder):
    write(folder, net_of("fc", "fc", "other"), "")
    log = io.StringIO()
    make_solver(solver_text(snapshot_format="BINARYPROTO", snapshot_prefix='"m"'), log)
    (line,) = [line for line in log.getvalue().splitlines() if line.startswith("W")]
    assert "net.prototxt: 2 layers are called 'fc', and a snapshot's weights are copied" in line


@pytest.mark.parametrize(
    "changes, room, fits",
    [
        ({}, 0, True),
        ({}, -4, False),
        ({"snapshot_diff": "true"}, 0, False),
        ({"type": '"Adam"'}, 0, False),
        ({"type": '"Adam"', "snapshot_format": "HDF5"}, 0, True),
    ],
)
def test_binary_snapshots_that_caffe_could_not_read(changes, room, fits, folder, monkeypatch):
    """The limit is 2 GB; here that of a net of 12 numbers."""
    write(folder, net_of("fc"), "")
    monkeypatch.setattr(snapshot, "MAX_BYTES", snapshot._NOT_NUMBERS + 4 * 12 + room)
    text = solver_text(**{"snapshot_format": "BINARYPROTO", "snapshot_prefix": '"m"', **changes})
    if fits:
        make_solver(text).snapshot()
        return
    with pytest.raises(NetError, match="a binary file above 2 GB; wanted snapshot_format: HDF5"):
        make_solver(text)


@pytest.mark.parametrize(
    "prefix, due, message",
    [
        ("nowhere/", {}, "the folder nowhere exists"),
        ("nowhere/m", {}, "the folder nowhere exists"),
        ("net.prototxt/m", {}, "the folder net.prototxt exists"),
        ("net.prototxt/a/m", {"snapshot": 0}, "the folder net.prototxt exists"),
        ("nowhere/a/m", {"snapshot": 0}, ""),
        ("net.prototxt/m", {"snapshot": 0, "snapshot_after_train": "false"}, ""),
    ],
)
def test_a_folder_for_the_snapshots(prefix, due, message, folder, capfd):
    write(folder, net_of("fc"), solver_text(snapshot_prefix=repr(prefix), **due))
    if not message:
        assert cli.main(["train", "-solver", "solver.prototxt"]) == 0
        return
    line = error_of(capfd, "-solver", "solver.prototxt")
    assert f"Cannot write to snapshot prefix '{prefix}'" in line and message in line


@pytest.mark.parametrize("prefix, stem", [(None, "solver"), ("snaps", "snaps/solver")])
def test_snapshots_where_the_prefix_is_missing_or_a_folder(prefix, stem, folder):
    """As real Caffe names them (tests/formats/test_upgrade.py); a resume finds them."""
    (folder / "snaps").mkdir()
    given = {} if prefix is None else {"snapshot_prefix": f'"{prefix}"'}
    write(folder, net_of("fc"), solver_text(**given))
    assert cli.main(["train", "-solver", "solver.prototxt"]) == 0
    endings = ("caffemodel.h5", "solverstate.h5", "resume.json")
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*_iter_*")}
    assert written == {f"{stem}_iter_{index}.{ending}" for index in (1, 2) for ending in endings}
    state = f"{stem}_iter_1.solverstate.h5"
    assert cli.main(["train", "-solver", "solver.prototxt", "-snapshot", state]) == 0


def test_a_prefix_of_any_letters_is_found_again(folder):
    write(folder, net_of("fc"), solver_text(snapshot_prefix='"run[1]*"', max_iter=12))
    assert cli.main(["train", "-solver", "solver.prototxt"]) == 0
    assert newest_snapshot("run[1]*") == "run[1]*_iter_12.solverstate.h5"


def test_writing_copies_no_numbers(folder):
    """A copy of all of them, or a Python float for each, would be 6 MB and more."""
    write(folder, net_of("fc").replace("num_output: 3", "num_output: 400000"), "")
    solver = make_solver(solver_text(snapshot_prefix='"m"', snapshot_format="BINARYPROTO"))
    tracemalloc.start()
    try:
        solver.snapshot()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (folder / "m_iter_0.caffemodel").stat().st_size > 6.4e6
    assert most < 3e6


#: For each case, in a process of its own, as Caffe aborts: goes to iteration 1 and on to 2; and,
#: from the HDF5 snapshot of 1 and other start weights, to 2. Prints whether both have the same.
_RESUME = """
import os, sys
import numpy as np, caffe
def weights(solver):
    return [blob.data for blobs in solver.net.params.values() for blob in blobs]
def resumed_is_straight(case):
    straight, resumed = [caffe.get_solver("%s_%d.prototxt" % (case, seed)) for seed in (1, 2)]
    assert not np.array_equal(weights(straight)[0], weights(resumed)[0])
    straight.step(1)
    straight.snapshot()
    resumed.restore(case + "_iter_1.solverstate.h5")
    for solver in (straight, resumed):
        solver.step(1)
    return all(map(np.array_equal, weights(straight), weights(resumed)))
for case in sys.argv[1:]:
    child = os.fork()
    if not child:
        os._exit(0 if resumed_is_straight(case) else 1)
    print(os.waitpid(child, 0)[1] == 0)
"""


@pytest.mark.caffe
def test_the_names_refused_are_those_that_real_caffe_loses(folder, caffe):
    """It dies at the snapshot, or at the resume, or goes on from other weights."""
    cases = [*([name] for name in BAD), GOOD]
    for index, names in enumerate(cases):
        (folder / f"{index}.prototxt").write_text(net_of("fc", *names), encoding="utf-8")
        for seed in (1, 2):
            text = solver_text(f"{index}.prototxt", snapshot=0, random_seed=seed)
            (folder / f"{index}_{seed}.prototxt").write_text(f'{text} snapshot_prefix: "{index}"')
    found = caffe.run_python(_RESUME, folder, range(len(cases))).stdout.split()
    assert found == ["False"] * len(BAD) + ["True"]
    good = len(BAD)
    names = [layer.name for layer in read_net(f"{good}.prototxt").layer if layer.bottom]
    weights = read_caffemodel(f"{good}_iter_1.caffemodel.h5")
    theirs = {name: len(blobs) for name, blobs, _ in weights}
    assert [theirs[name] for name in names] == [2] * len(["fc", *GOOD]) + [0]


@pytest.mark.caffe
def test_real_caffes_last_weights_are_where_we_say(folder, caffe):
    write(folder, net_of("fc"), solver_text())
    weights = caffe_tool.train("solver.prototxt", "train.log")
    assert str(weights) == "solver_iter_2.caffemodel.h5" and weights.is_file()


#: Loads each of the files named into the net, and saves what it has then; and what the last has
#: when it shares the layers of the one before.
_LOAD = """
import sys, caffe
nets = [caffe.Net("net.prototxt", path, caffe.TRAIN) for path in sys.argv[1:]]
for path, net in zip(sys.argv[1:], nets):
    net.save(path + ".loaded")
nets[-1].share_with(nets[-2])
nets[-1].save("shared.loaded")
"""


@pytest.mark.caffe
def test_real_caffe_and_the_engine_read_the_same(folder, caffe):
    """Names of any letters, names of two layers; the format is known by content."""
    write(folder, net_of(*GOOD, fill="constant"), "")
    write_numbered("good.caffemodel.h5")
    write(folder, net_of("twin", *GOOD, "twin", fill="constant"), "")
    write_numbered("binary.caffemodel")
    (folder / "binary.caffemodel").rename("binary.h5")
    write_hdf5("hdf5.caffemodel", twin={"0": WEIGHT, "1": BIAS}, other={})
    paths = ["good.caffemodel.h5", "binary.h5", "hdf5.caffemodel"]
    caffe.run_python(_LOAD, folder, paths)
    nets = [open_net("net.prototxt", TRAIN, CaffeRng(2)) for _ in paths]
    twins = []
    for path, net in zip(paths, nets):
        copy_weights(net, path, str)
        twins.append(check_same(net, path))
    share_trained_layers(nets[-1], nets[-2])
    twins.append(check_same(nets[-1], "shared"))
    # binary: the first has what the last had; shared: the last has its own
    assert twins == [(0, 0), (88, 0), (0, 8), (0, 8)]


def check_same(net, path):
    """Hold all blobs of `net` against what real Caffe had; return the first and last maximum."""
    mine = [layer for layer in net.layers if layer.blobs]
    theirs = [(name, blobs) for name, blobs, _ in read_caffemodel(f"{path}.loaded") if blobs]
    assert [name for name, _ in theirs] == [layer.name for layer in mine]
    for layer, (_, blobs) in zip(mine, theirs):
        assert all(same(blob, blobs[index]) for index, blob in enumerate(layer.blobs))
    return tuple(float(layer.blobs[0].detach().max()) for layer in (mine[0], mine[-1]))


def write_numbered(path):
    """Write the weights of net.prototxt, 10 to 18 in its first layer, 20 to 28 in the second."""
    net = open_net("net.prototxt", TRAIN, CaffeRng(1))
    for index, layer in enumerate(layer for layer in net.layers if layer.blobs):
        layer.blobs[0].data[:] = torch.from_numpy(WEIGHT + 10 * (index + 1))
    write_caffemodel(net, path)
