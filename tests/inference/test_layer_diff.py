"""A net beside real Caffe, layer by layer: equal, or the layer that is not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from gcnet_caffe import cli, pycaffe
from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference import diff_report
from gcnet_caffe.inference.image_input import Preparation, image_input
from gcnet_caffe.inference.layer_diff import (
    LayerDifference,
    Setting,
    diff,
    difference,
    first_beyond,
    read_trace,
    save_trace,
)
from gcnet_caffe.inference.model import NET, SHIPPED, WEIGHTS
from tests.scratch import ROOT

SMALL = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3
  dim: 12 dim: 12 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" }
  bias_filler { value: 0.1 } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv1" top: "conv1"
  batch_norm_param { use_global_stats: false } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "drop" type: "Dropout" bottom: "conv1" top: "conv1" }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool" pooling_param { POOL } }
layer { name: "conv2" type: "Convolution" bottom: "pool" top: "conv2" convolution_param {
  num_output: 5 kernel_size: 2 weight_filler { type: "xavier" } } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "relu2" }
layer { name: "mean" type: "Pooling" bottom: "relu2" top: "mean" pooling_param {
  pool: AVE global_pooling: true } }
layer { name: "ip" type: "InnerProduct" bottom: "mean" top: "ip" inner_product_param {
  num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" include { stage: "deploy" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
  exclude { stage: "deploy" } }
"""
POOL = "kernel_size: 3 stride: 2"
LAYERS = "data label conv1 norm relu1 drop pool conv2 relu2 mean ip loss".split()
PAGE = (ROOT / "docs/diff.md").read_text()


def write_net(pool: str = POOL, path: str = "net.prototxt") -> str:
    Path(path).write_text(SMALL.replace("POOL", pool))
    return path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_net()


def compared(setting: Setting, against: str) -> list[LayerDifference]:
    return diff(setting, setting.open(), {}, against)[1]


def own(rows: list[LayerDifference]) -> str:
    """What the last line says: the layers that differ by themselves."""
    return diff_report.verdict(rows, 1e-4).split("by themselves: ")[1]


@pytest.mark.caffe
@pytest.mark.parametrize("phase", [pycaffe.TRAIN, pycaffe.TEST])
@pytest.mark.parametrize("summation, tolerance", [("torch", 1e-5), ("caffe", 0)])
def test_the_same_net(caffe: ModuleType, summation: str, tolerance: float, phase: int) -> None:
    rows = compared(Setting("net.prototxt", phase=phase, seed=3, summation=summation), "caffe")
    assert [row.layer for row in rows] == LAYERS
    assert first_beyond(rows, tolerance) is None
    for row in rows:
        assert row.tops and row.tops_alone and (row.gradients or row.layer in LAYERS[:2])
        assert bool(row.weights) == (row.layer in ("conv1", "norm", "conv2", "ip")), row


@pytest.mark.caffe
def test_force_backward_without_a_loss(caffe: ModuleType) -> None:
    Path("net.prototxt").write_text("force_backward: true" + SMALL.replace("POOL", POOL))
    setting = Setting("net.prototxt", stages=("deploy",), summation="caffe")
    ours, rows = diff(setting, setting.open(), {}, "caffe")
    assert first_beyond(rows, 0) is None and rows[-1].layer == "prob"
    assert ours["diff:data"].any() and ours["diff:prob"].any()


@pytest.fixture(scope="module")
def theirs(caffe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a net's weights, and what the page's line of Python makes in real Caffe."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "net.prototxt").write_text(SMALL.replace("POOL", POOL))
    (line,) = re.findall(r"^numpy.savez.*$", PAGE, re.M)
    more = (
        line.replace("theirs", "more").replace("name:", '"diff:" + name:').replace("data", "diff")
    )
    caffe.run_python(
        "import caffe, numpy\n"
        "caffe.set_random_seed(5)\n"
        "net = caffe.Net('net.prototxt', caffe.TRAIN)\n"
        "net.save('net.caffemodel')\n"
        "net.blobs['data'].data[...] = numpy.random.RandomState(1).uniform(-1, 1, (2, 3, 12, 12))\n"
        "net.blobs['label'].data[...] = 2, 6\n"
        f"net.forward()\n{line}\nnet.backward()\n{more}\n",
        folder,
    )
    both = {**np.load(folder / "theirs.npz"), **np.load(folder / "more.npz")}
    np.savez(folder / "both.npz", **both)
    return folder


def test_a_file_from_elsewhere(theirs: Path) -> None:
    """With another seed dropout draws other numbers; what is in place before it is not known."""
    setting = Setting("net.prototxt", theirs / "net.caffemodel", pycaffe.TRAIN, seed=6)
    rows = {row.layer: row for row in compared(setting, str(theirs / "both.npz"))}
    assert rows["conv1"].tops is None and rows["norm"].tops is None  # overwritten
    assert own(list(rows.values())) == "norm, drop"  # its tops; and its gradients, seen with norm's
    for name in ("pool", "conv2", "relu2", "mean", "ip", "loss"):
        assert rows[name].tops_alone.relative <= 1e-5, name
    gradients = {name: row.gradients_alone for name, row in rows.items()}
    assert gradients["ip"].relative <= 1e-5 and gradients["pool"] is None


@pytest.mark.parametrize(
    "pool, where",
    [
        (f"{POOL} pool: AVE", r"pool by 0\.\d+: [\d.]+ at \d, \d, \d, \d, theirs [\d.]+"),
        (f"{POOL} round_mode: FLOOR", r"pool by inf: shape \(2, 4, 5, 5\), theirs \(2, 4, 6, 6\)"),
    ],
)
def test_another_layer_is_the_first_that_differs(pool: str, where: str) -> None:
    setting = Setting("net.prototxt", seed=4)
    save_trace("saved.npz", diff(setting, setting.open(), {}, "")[0])
    rows = compared(setting._replace(net=write_net(pool, "other.prototxt")), "saved.npz")
    said = diff_report.verdict(rows, 1e-4)
    assert re.match(rf"pool \(Pooling\) is the first layer that differs: {where}\n", said), said
    assert own(rows) == "pool"
    assert [row.layer for row in rows if row.beyond(1e-4, "tops")][:2] == ["pool", "conv2"]


@pytest.mark.caffe
def test_other_weights_in_one_layer(theirs: Path) -> None:
    setting = Setting("net.prototxt", theirs / "net.caffemodel", pycaffe.TRAIN)
    told = setting.open_remote()
    given = {name: np.load(theirs / "both.npz")[name] for name in ("data", "label")}
    save_trace("caffes.npz", told.trace(given))
    net = setting.open()
    net.params["conv2"][0].data[1] += 0.5
    net.save("changed.caffemodel")
    rows = compared(setting._replace(weights="changed.caffemodel"), "caffes.npz")
    first, found = first_beyond(rows, 1e-5)
    assert (first.layer, found.name) == ("conv2", "param:conv2/0") and own(rows) == "conv2"
    assert all(row.tops.relative <= 1e-5 for row in rows[: LAYERS.index("conv2")])
    assert [row.layer for row in rows if row.beyond(1e-5, "gradients")] != []


def test_the_example_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """The network that comes with the package; numbers may be others on another processor."""
    example = re.search(r"\n\n((?:    .*\n)+)\n- A number", PAGE)
    commands = re.findall(r"^    \$ gcnet (.*)", example[1], re.M)
    lines = [line.strip() for line in example[1].splitlines() if line[4] != "$"]
    text = (SHIPPED / NET).read_text()
    Path("deploy.prototxt").write_text(text)
    before, name, after = text.partition('name: "enc2_pool3"')
    Path("changed.prototxt").write_text(before + name + after.replace("MAX", "AVE", 1))
    shutil.copy(SHIPPED / WEIGHTS, ".")
    assert [cli.main(command.split()) for command in commands] == [0, 1]
    printed = capsys.readouterr().out.splitlines()
    numbers = re.compile(r"\d+\.\d+(e-\d+)?|(?<= )\d+,")
    found, wanted = ([numbers.sub("#", line) for line in some] for some in (printed, lines))
    assert [line for line in wanted if line != "..."] == [line for line in found if line in wanted]


def test_the_command_says_it_with_its_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diff", "net.prototxt", "--save", "ours.npz"]) == 0
    assert capsys.readouterr().out == "ours.npz\n"
    same = ["diff", "net.prototxt", "--against", "ours.npz"]
    assert cli.main([*same, "--tolerance", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "layer type weights tops alone gradients alone".split()
    assert lines[1].split() == "data Input - 0 0 - -".split()
    assert lines[3].split() == "conv1 Convolution 0 0 0 0 0".split()
    assert lines[-1] == f"{len(LAYERS)} layers: all differences are within 0"
    assert cli.main([*same, "--seed", "2", "-o", "picture.png"]) == 1  # other fillers
    printed = capsys.readouterr().out
    assert "conv1 (Convolution) is the first layer that differs: param:conv1/0 by" in printed
    assert re.search(r"^ip .* \*$", printed, re.M) and not re.search(r"^pool .*\*$", printed, re.M)
    picture = cv2.imread("picture.png")
    assert picture.std() > 10


@pytest.mark.parametrize(
    "words, status, message",
    [
        (["--against", "no.npz"], 2, "no.npz: No such file or directory"),
        (["--against", "net.prototxt"], 1, "net.prototxt: wanted an .npz of arrays of numbers"),
        (
            ["--against", "other.npz"],
            2,
            "net.prototxt: input 'data': wanted the other side's numbers",
        ),
        (["--against", "inputs.npz"], 2, "no blob of it on the other side"),
        (["--save", "x.npz", "-o", "x.png"], 2, "found nothing to draw; wanted --against"),
        (["--against", "inputs.npz", "-o", "x.gif"], 2, "wanted a name that ends in .png"),
        (["--images", "net.prototxt", "--save", "x"], 1, "net.prototxt: not an image"),
        (["--images", "x.png", "--mean", "1,2", "--save", "x"], 2, "input 'data': Mean channels"),
        (["--images", "x.png", "--mean", "m", "--save", "x"], 2, "mean: found 'm', wanted numbers"),
        (["--channel-swap", "b"], 2, "--channel-swap"),
        (["--tolerance", "-1"], 2, "--tolerance -1: wanted 0 or more"),
        (["--against", "empty.npz"], 1, "empty.npz: wanted an .npz"),
    ],
)
def test_errors_are_one_line(
    words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("other.npz", conv9=np.zeros(3))
    Path("empty.npz").touch()
    np.savez("inputs.npz", other=np.zeros(3))
    more = ["--inputs", "given.npz"] if "inputs.npz" in words else []
    np.savez("given.npz", data=np.zeros((2, 3, 12, 12)), label=np.zeros(2))
    assert cli.main(["diff", "net.prototxt", *words, *more]) == status
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(Path().glob("x*"))


def test_images_are_prepared_as_pycaffes_classifier_does() -> None:
    """A picture of one colour: nothing but scale, order and mean can differ."""
    cv2.imwrite("a.png", np.full((12, 12, 3), (10, 20, 30), np.uint8))
    net = Setting("net.prototxt").open()
    how = Preparation(mean="1,2,3", input_scale=0.5)
    found = image_input(net, ["a.png", "a.png"], how)["data"]
    near = 1e-4  # grey levels: pycaffe divides them by 255 and multiplies by it, in float32
    assert found.shape == (2, 3, 12, 12)
    assert np.allclose(found[1], np.array([4.5, 9, 13.5]).reshape(3, 1, 1), atol=near)
    mean = np.arange(3 * 144, dtype=np.float32).reshape(3, 12, 12)
    np.save("mean.npy", mean)
    Path("mean.binaryproto").write_bytes(
        pycaffe.io.array_to_blobproto(mean[None]).SerializeToString()
    )
    for name in ("mean.npy", "mean.binaryproto"):
        made = image_input(net, ["a.png"], Preparation(mean=name))["data"]
        assert np.allclose(made[0, 2], 30 - mean[2], atol=near)
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }'
    Path("flat.prototxt").write_text(text)
    with pytest.raises(UsageError, match="has the inputs \\['x'\\]; wanted one of N x C x H x W"):
        image_input(Setting("flat.prototxt").open(), ["a.png"], how)


@pytest.mark.parametrize(
    "ours, theirs, relative",
    [
        ([1, 2], [1, 4], 0.5),
        ([1, 0], [0, 0], 1),
        ([np.nan, np.inf], [np.nan, np.inf], 0),
        ([np.nan, 1], [1, 1], np.inf),
        ([-np.inf, 1], [np.inf, 1], np.inf),
        ([1e30, 1], [np.inf, 1], np.inf),
        ([[1, 2]], [1, 2], np.inf),
        (3, 4, 0.25),
        ([], [], 0),
    ],
)
def test_a_difference_is_relative_to_the_largest_number(
    ours: list[float], theirs: list[float], relative: float
) -> None:
    arrays = (np.array(numbers, np.float32) for numbers in (ours, theirs))
    assert difference("x", *arrays).relative == relative


def test_a_saved_trace_comes_back_whole() -> None:
    setting = Setting("net.prototxt", phase=pycaffe.TRAIN)
    ours, _ = diff(setting, setting.open(), {}, "")
    save_trace("ours.npz", ours)
    found = read_trace("ours.npz")
    assert found.keys() == ours.keys()
    assert {"conv1", "conv1@conv1", "conv1@norm", "conv1@relu1"} <= found.keys()
    assert {"diff:conv1", "diff:conv1@relu1", "diff:conv1@drop", "param:ip/1"} <= found.keys()
    assert (found["conv1@norm"] < 0).any() and not (found["conv1@relu1"] < 0).any()
