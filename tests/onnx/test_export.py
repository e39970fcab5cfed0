"""Whole nets as ONNX: the engine's and real Caffe's numbers, metadata, what is refused."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from gcnet_caffe.cli import main
from gcnet_caffe.engine.layers import TEST, TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import copy_weights, write_caffemodel
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import read_net
from gcnet_caffe.inference.model import FACTS, NET, SHIPPED, SUMS, WEIGHTS
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.onnx.export import convert, onnx_model
from gcnet_caffe.onnx.graph import OPSET
from tests.engine.parity.run import error
from tests.nets.test_in_caffe import LEARNABLE
from tests.onnx.run import run_onnx
from tests.scratch import ROOT

DEPLOY = sorted(path.stem for path in (ROOT / "prototxt").glob("*_deploy*.prototxt"))


def images(count, seed=0):
    """Return (count, 1, 64, 64) smooth images of 0..1, with noise against ties."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((count, 1, 8, 8), np.float32).repeat(8, 2).repeat(8, 3)
    return (0.8 * coarse + 0.2 * rng.random(coarse.shape, np.float32)).astype(np.float32)


def random_weights(name, folder):
    """Return net and weights of a committed deploy net; BatchNorm's statistics are of images."""
    net, weights = ROOT / f"prototxt/{name}.prototxt", folder / "random.caffemodel"
    engine = open_net(net, TRAIN, CaffeRng(1))
    with torch.no_grad():
        engine.forward({blob: torch.from_numpy(images(8)) for blob in engine.inputs})
    write_caffemodel(engine, weights)
    return net, weights


def by_engine(net, weights, inputs):
    engine = open_net(net, TEST, CaffeRng(0))
    copy_weights(engine, weights, lambda text: None)
    with torch.no_grad():
        made = engine.blobs({name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: blob.float().numpy() for name, blob in made.items()}


def assert_close(found, wanted):
    assert found
    for blob, array in found.items():
        assert error(array, wanted[blob]) <= 1e-5, blob  # of its largest number


@pytest.mark.parametrize("name", DEPLOY)
def test_every_deploy_net_gives_the_engines_numbers(name, tmp_path):
    net, weights = random_weights(name, tmp_path)
    model = onnx_model(net, weights)
    for count in (1, 3, 64) if name == "ck_S1R1_deploy" else (1, 3):
        inputs = {blob.name: images(count, i) for i, blob in enumerate(model.graph.input)}
        assert_close(run_onnx(model, inputs), by_engine(net, weights, inputs))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The network that comes with the package, exported by the verb."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert main(["export-onnx", "-o", str(path)]) == 0
    return onnx.load(path)


def masks_of(net):
    return [top for layer in read_net(net).layer for top in layer.top if "mask" in top]


def moved_maxima(found, wanted, masks):
    """How many maxima of each image are at another pixel: those that are so by rounding only."""
    return sum((found[mask] != wanted[mask]).sum((1, 2, 3)) for mask in masks)


def assert_close_where(same, found, wanted):
    assert_close(*({blob: made[blob][same] for blob in found} for made in (found, wanted)))


@pytest.mark.parametrize("count", [1, 3, 64])
def test_trained_weights_give_the_engines_numbers(shipped, count):
    net, weights, inputs = SHIPPED / NET, SHIPPED / WEIGHTS, {"query": images(count)}
    wanted, masks = by_engine(net, weights, inputs), masks_of(net)
    same = moved_maxima(run_onnx(onnx_model(net, weights, masks), inputs), wanted, masks) == 0
    assert same.mean() >= 0.9  # as in tests/recognition/test_agreement.py
    assert_close_where(same, run_onnx(shipped, inputs), wanted)


@pytest.mark.caffe
def test_trained_and_random_weights_give_real_caffes_numbers(caffe, tmp_path):
    random = random_weights("ck_S1R1_deploy", tmp_path)
    for net, weights in (random, (SHIPPED / NET, SHIPPED / WEIGHTS)):
        masks, outputs = masks_of(net), ["generated_reference", "delta", "feature", "prob"]
        blobs = [*outputs, *masks]
        model, real = onnx_model(net, weights, blobs), open_network("caffe", net, weights, blobs)
        for count in (1, 3, 64):
            inputs = {"query": images(64)[:count]}
            found, wanted = run_onnx(model, inputs), real.forward(inputs)
            moved = moved_maxima(found, wanted, masks)
            assert moved.sum() <= 1e-6 * sum(found[mask].size for mask in masks)
            assert_close_where(moved == 0, found, wanted)


def test_what_the_file_tells(shipped):
    assert shipped.opset_import[0].version == OPSET
    facts = json.loads((SHIPPED / FACTS).read_text())
    told = {item.key: item.value for item in shipped.metadata_props}
    for key in ("classes", "preprocessing", "training"):
        assert json.loads(told[key]) == facts[key]
    assert told["network"] == facts["network"]
    sums = dict(line.split("  ")[::-1] for line in (SHIPPED / SUMS).read_text().splitlines())
    assert told["weights_sha256"] == sums[WEIGHTS] and told["net_sha256"] == sums[NET]
    batched = [*shipped.graph.input, *shipped.graph.output]
    assert {blob.type.tensor_type.shape.dim[0].dim_param for blob in batched} == {"batch"}
    names = [blob.name for blob in batched]
    assert names == ["query", "prob", "generated_reference", "delta", "feature"]


def test_shared_weights_are_stored_once(shipped):
    stored = sum(np.prod(constant.dims) for constant in shipped.graph.initializer)
    learnable = LEARNABLE["S1R1"][1]  # with valid padding
    assert stored < 1.01 * learnable


def test_a_layer_that_has_no_converter_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "a.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }\n'
        'layer { name: "pick" type: "ArgMax" bottom: "x" top: "y" }\n'
    )
    words = ["--net", f"{tmp_path}/a.prototxt", "--weights", str(SHIPPED / WEIGHTS)]
    assert main(["export-onnx", *words, "-o", f"{tmp_path}/a.onnx"]) == 1
    err = capsys.readouterr().err
    assert "a.prototxt: layer 'pick': type 'ArgMax' cannot be written as ONNX" in err
    with pytest.raises(NetError, match="layer 'pick': type 'ArgMax' cannot be written as ONNX"):
        convert(open_net(tmp_path / "a.prototxt", TEST, CaffeRng(0)))
    assert err.count("\n") == 1 and sorted(p.name for p in tmp_path.iterdir()) == ["a.prototxt"]


@pytest.mark.parametrize(
    "words",
    [["--model", "x", "--net", "x"], ["--net", "x"], ["--weights", "x"], ["--model", "nowhere"]],
)
def test_misuse_is_2(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export-onnx", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_without_onnx_there_is_one_line(tmp_path):
    """In a process that cannot import it."""
    code = "import sys; sys.modules['onnx'] = None; from gcnet_caffe.cli import main; "
    code += "sys.exit(main(['export-onnx']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and "pip install 'gcnet-caffe[onnx]'" in done.stderr
    assert done.stderr.count("\n") == 1
