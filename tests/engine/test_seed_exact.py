"""With random_seed both engines start from the same weights and draw the same numbers."""

import cv2
import numpy as np
import pytest

from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from tests.engine import runs
from tests.scratch import make_tree, write_lmdb

pytestmark = pytest.mark.caffe


@pytest.fixture(scope="module")
def tree(caffe, tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("seeds"), batch_size=5, images=13)


@pytest.mark.parametrize("what", ["S1R1", "pretrain_identity"])
def test_weights_batches_and_dropout_masks(what, tree, caffe, monkeypatch):
    monkeypatch.chdir(tree)
    changes = {"test_iter": [2], "test_interval": 3, "test_initialization": True}
    path = runs.solver_of(tree, what, **changes)
    recorded = runs.record(caffe, tree, path, 7, "snapshots")
    solver = runs.make_solver(path)
    start = runs.blobs_in(solver.net)
    theirs = runs.make_blobs(f"{solver.param.snapshot_prefix}_iter_0.caffemodel", start)
    assert start.keys() == theirs.keys()
    for key, blob in start.items():
        assert np.array_equal(blob, theirs[key]), key
    dropouts = [layer for layer in solver.net.layers if layer.layer_type == "Dropout"]
    for iteration in range(7):
        solver.step(1)
        data, label = (solver._batch[number].numpy() for number in solver.net.steps[0].tops)
        names = solver.net.layers[0].param.top
        assert np.array_equal(data, recorded[f"batch:{names[0]}"][iteration])
        assert np.array_equal(label, recorded[f"batch:{names[1]}"][iteration])
        for layer in dropouts:
            shown = recorded[f"mask:{layer.name}"][iteration]
            mask = layer.mask.numpy() != 0
            assert shown.sum() > 100
            assert mask[shown].all()  # another mask would hide half of what Caffe shows
    assert dropouts


FILLERS = (
    'type: "uniform" min: -0.3 max: 0.7',
    'type: "uniform" min: 0.1 max: 0.1',
    'type: "uniform" min: -3e38 max: 3e38',
    'type: "gaussian" mean: 0.1 std: 0.02',
    'type: "gaussian" std: 1 sparse: 4',
    'type: "gaussian" std: 1 sparse: 0',
    'type: "gaussian" std: 1e38 sparse: 400',
    'type: "xavier"',
    'type: "xavier" variance_norm: AVERAGE',
    'type: "msra" variance_norm: FAN_OUT',
    'type: "positive_unitball"',
    'type: "constant" value: 0.3',
)


def test_every_filler(caffe, tmp_path):
    layers = [
        'layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 2 dim: 300 } } }'
    ]
    for index, filler in enumerate(FILLERS):
        layers.append(
            f'layer {{ name: "l{index}" type: "InnerProduct" bottom: "x" top: "y{index}" '
            f"inner_product_param {{ num_output: 400 weight_filler {{ {filler} }} "
            f"bias_filler {{ {filler.split(' sparse')[0]} }} }} }}"
        )
    layers.append(
        'layer { name: "image" type: "Input" top: "i" input_param { shape { dim: 1 dim: 2 dim: 5 '
        "dim: 5 } } } "
        'layer { name: "noise" type: "DummyData" top: "n" dummy_data_param { shape { dim: 7 } '
        'data_filler { type: "gaussian" std: 2 } } }'
    )
    for size in range(1, 12):
        layers.append(
            f'layer {{ name: "up{size}" type: "Deconvolution" bottom: "i" top: "u{size}" '
            f"convolution_param {{ num_output: 2 group: 2 kernel_size: {size} stride: 2 "
            'bias_term: false weight_filler { type: "bilinear" } } }'
        )
    (tmp_path / "net.prototxt").write_text("\n".join(layers))
    caffe.run_python(
        "import caffe, numpy as np\n"
        "caffe.set_random_seed(7)\n"
        "net = caffe.Net('net.prototxt', caffe.TRAIN)\n"
        "params = net.params\n"
        "found = {f'{n}:{i}': b.data for n in params for i, b in enumerate(params[n])}\n"
        "found['noise'] = np.stack([net.forward()['n'].copy() for _ in range(3)])\n"
        "np.savez('found.npz', **found)\n",
        tmp_path,
    )
    net = open_net(tmp_path / "net.prototxt", TRAIN, CaffeRng(7))
    with np.load(tmp_path / "found.npz") as theirs:
        for key, blob in runs.blobs_in(net).items():
            assert np.array_equal(blob, theirs[key]), key
        for noise in theirs["noise"]:
            assert np.array_equal(net()[1]["n"].numpy(), noise)


def assert_same_batches(caffe, folder, turns):
    """Hold the blobs of the current folder's net.prototxt against real Caffe's, byte for byte."""
    caffe.run_python(
        "import caffe, numpy as np\n"
        "caffe.set_random_seed(3)\n"
        "net = caffe.Net('net.prototxt', caffe.TRAIN)\n"
        "found = {}\n"
        f"for i in range({turns}):\n"
        "    net.forward()\n"
        "    found.update((f'{n} {i}', b.data.copy()) for n, b in net.blobs.items())\n"
        "np.savez('found.npz', **found)\n",
        folder,
    )
    net = open_net("net.prototxt", TRAIN, CaffeRng(3))
    with np.load("found.npz") as theirs:
        for turn in range(turns):
            for name, blob in net.blobs().items():
                assert np.array_equal(blob.numpy(), theirs[f"{name} {turn}"]), (name, turn)


TRANSFORMS = (
    "crop_size: 20 mirror: true",
    "mirror: true scale: 0.0078125 mean_value: 100 mean_value: 120",
    "crop_size: 17 mean_value: 128",
    'crop_size: 24 mirror: true scale: 0.5 mean_file: "mean.binaryproto"',
    "",
)


def test_data_layers_of_every_transform(caffe, tmp_path, monkeypatch):
    write_lmdb(tmp_path / "lmdb", range(11), 2, size=30)
    caffe.run(["compute_image_mean", "lmdb", "mean.binaryproto"], tmp_path)
    text = "\n".join(
        f'layer {{ name: "d{index}" type: "Data" top: "x{index}" top: "l{index}" phase: {phase} '
        f'transform_param {{ {transform} }} data_param {{ source: "lmdb" backend: LMDB '
        f"batch_size: {3 + index} }} }}"
        for phase in ("TRAIN", "TEST")
        for index, transform in enumerate(TRANSFORMS, 10 if phase == "TEST" else 0)
    )
    (tmp_path / "net.prototxt").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert_same_batches(caffe, tmp_path, 9)


def test_encoded_images(caffe, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    lines = []
    for index in range(4):
        image = rng.integers(0, 256, (20 + index, 24, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        lines.append(f"{index}.png {index}\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    for flag, name in (([], "colour"), (["--gray"], "grey")):
        arguments = ["convert_imageset", "--encoded", "--encode_type=png", *flag]
        caffe.run([*arguments, "./", "list.txt", name], tmp_path)
    text = "\n".join(
        f'layer {{ name: "{name}" type: "Data" top: "{name}" transform_param {{ crop_size: 16 '
        f'mirror: true }} data_param {{ source: "{name}" backend: LMDB batch_size: 3 }} }}'
        for name in ("colour", "grey")
    )
    (tmp_path / "net.prototxt").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert_same_batches(caffe, tmp_path, 4)
