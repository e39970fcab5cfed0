"""Nets that remember more than weights, killed as a process: they go on bit for bit."""

from __future__ import annotations

import functools
import signal
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from gcnet_caffe import cli
from tests import processes

SOLVER = """
net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 random_seed: 3 display: 0
max_iter: 9 snapshot: 2
"""
#: Images and labels of each pixel, shuffled; statistics that move, and the mask of a pooling.
SEGNET = """
layer { name: "data" type: "DenseImageData" top: "data" top: "label" dense_image_data_param {
  source: "images.txt" batch_size: 2 shuffle: true mirror: true } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "bn1" type: "BN" bottom: "conv1" top: "conv1" bn_param { momentum: 0.9
  scale_filler { value: 1 } shift_filler { value: 0.001 } slope_filler { value: 1 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" top: "mask1" pooling_param {
  pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool1" top: "pool1" }
layer { name: "up1" type: "Upsample" bottom: "pool1" bottom: "mask1" top: "up1"
  upsample_param { scale: 2 } }
layer { name: "score" type: "Convolution" bottom: "up1" top: "score" convolution_param {
  num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  softmax_param { engine: CAFFE } loss_param { weight_by_label_freqs: true
  class_weighting: [1, 2, 0.5] } }
"""
#: Sequences that are longer than a batch: the hidden state goes on from batch to batch.
LSTM = """
layer { name: "data" type: "HDF5Data" top: "x" top: "cont" top: "target" hdf5_data_param {
  source: "rows.txt" batch_size: 4 } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "lstm" recurrent_param {
  num_output: 5 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "lstm" top: "ip" inner_product_param { axis: 2
  num_output: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "target" top: "loss" }
"""
#: Layers in Python: data with a place, and learned gains; a torch module.
PYTHON = """
layer { name: "data" type: "Python" top: "data" top: "label" python_param {
  module: "tests.engine.own_layers" layer: "Rows"
  param_str: '{"rows": 23, "seed": 1, "batch": 5}' } }
layer { name: "gains" type: "Python" bottom: "data" top: "gains" python_param {
  module: "tests.engine.own_layers" layer: "Gains" } }
layer { name: "warm" type: "Python" bottom: "gains" top: "warm" python_param {
  module: "tests.engine.own_layers" layer: "Temperature" param_str: "0.5" } }
layer { name: "score" type: "InnerProduct" bottom: "warm" top: "score" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
NETS = {"segnet": SEGNET, "lstm": LSTM, "python": PYTHON}


def write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for index in range(7):
        cv2.imwrite(f"{folder}/{index}.png", rng.integers(0, 256, (8, 6, 3)).astype(np.uint8))
        cv2.imwrite(f"{folder}/label{index}.png", rng.integers(0, 3, (8, 6)).astype(np.uint8))
        lines.append(f"{index}.png label{index}.png\n")
    (folder / "images.txt").write_text("".join(lines))
    with h5py.File(folder / "rows.h5", "w") as file:  # 36 steps of two streams, which start once
        file["x"] = rng.standard_normal((36, 2, 3))
        file["cont"] = (np.arange(36)[:, None] > 0) * np.ones((1, 2))
        file["target"] = np.cumsum(file["x"][...].sum(2, keepdims=True), axis=0)
    (folder / "rows.txt").write_text("rows.h5\n")


@pytest.mark.parametrize("name", NETS)
def test_what_is_killed_goes_on_exactly(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    Path("net.prototxt").write_text(NETS[name])
    for run in ("entire", "killed"):
        Path(f"{run}.prototxt").write_text(SOLVER + f'snapshot_prefix: "{run}"')
    assert cli.main(["train", "-solver", "entire.prototxt"]) == 0
    train = ["train", "-solver", "killed.prototxt"]
    for state, iterations in (([], 4), (["-snapshot", "killed_iter_2.solverstate"], 6)):
        death = functools.partial(
            processes.die_before,
            "gcnet_caffe.engine.solver:Solver",
            "forward_backward",
            iterations,
        )
        process = processes.start([*train, *state], tmp_path, death)
        assert processes.finish(process) == -signal.SIGKILL
    assert not Path("killed_iter_8.caffemodel").exists()
    resume = [*train, "-snapshot", "killed_iter_6.solverstate"]
    assert cli.main(resume) == 0
    for kind in ("caffemodel", "solverstate"):  # the state has the name of the weights
        wanted, found = (Path(f"{run}_iter_9.{kind}").read_bytes() for run in ("entire", "killed"))
        assert found.replace(b"killed", b"entire") == wanted
    Path("killed_iter_6.resume.json").unlink()  # what the net remembered beside its weights
    assert cli.main(resume) == 0
    found = Path("killed_iter_9.caffemodel").read_bytes()
    assert found != Path("entire_iter_9.caffemodel").read_bytes()
