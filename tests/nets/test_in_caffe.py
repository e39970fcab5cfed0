"""The generated nets in real Caffe: they load, run, share and count as they should."""

import dataclasses
import json
from math import prod
from pathlib import Path

import pytest

from gcnet_caffe import nets
from gcnet_caffe.formats import read_net
from gcnet_caffe.nets.names import train_net_name
from tests.scratch import make_tree

pytestmark = pytest.mark.caffe

#: Learnable parameters with 7 classes: (same, valid padding), of a discriminator's net those that
#: it learns. Those of S1R1 are the paper's "3M" (section IV-C) and "1.7 M" (section IV-E), where
#: the VAE has "9.6M".
LEARNABLE = {
    "cnn": (2437287, 1405095),
    "metric": (2437287, 1405095),
    "S0R0": (2586921, 1554729),
    "S1R0": (2586921, 1554729),
    "S0R1": (2736365, 1704173),
    "S1R1": (2736365, 1704173),
    "pretrain-autoencoder": (149634, 149634),
    "pretrain-identity": (6505967, 5473775),
    "reconstruct": (149634, 149634),
    "disentangle": (149634, 149634),
    "S0R1 --no-classifier": (373990, 373990),
    "S1R1 --generator vae": (10555115, 9522923),
    "S1R1 --generator dcgan": (6161387, 5129195),
    "reconstruct --generator vae": (7968384, 7968384),
    "reconstruct --generator dcgan": (3574656, 3574656),
    "disentangle --generator vae": (7968384, 7968384),
    "disentangle --generator dcgan": (3574656, 3574656),
}
DISCRIMINATOR = 2763520


def net_of(key, **more):
    """Return the variant and the options that a key of LEARNABLE names."""
    variant, *flags = key.split()
    named = {"generator": flags[1]} if "--generator" in flags else {}
    named |= {"classifier": False} if "--no-classifier" in flags else {}
    return variant, dataclasses.replace(nets.net_defaults(variant), **named, **more)


@pytest.fixture(scope="module")
def tree(caffe, tmp_path_factory):
    """The committed files with small batches, and the valid-padding nets, over random faces."""
    folder = make_tree(tmp_path_factory.mktemp("nets"), batch_size=2, folds=range(10))
    for key in LEARNABLE:
        variant, options = net_of(key, padding="valid", batch_size=2)
        for name, text in nets.net_files(variant, options, name="valid").items():
            (folder / "prototxt" / f"valid_{name}").write_text(text)
    return folder


@pytest.fixture(scope="module")
def inspected(caffe, tree):
    caffe.run_python(Path(__file__).with_name("inspect_nets.py"), cwd=tree)
    return json.loads((tree / "nets.json").read_text())


def test_every_generated_net_loads_in_both_phases(inspected):
    committed = {path for path in nets.committed() if path.startswith("prototxt")}
    assert {key.split(":")[0] for key in inspected if "valid_" not in key} == committed
    for key, net in inspected.items():
        masks = [name for name in net["outputs"] if "mask" in name]
        assert not masks, f"{key}: an unused mask would flood the log"


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("key", LEARNABLE)
def test_learnable_parameters(inspected, tree, key, padding):
    variant, options = net_of(key)
    name = train_net_name(variant, 0, "valid" if padding else "ck", options)
    path = f"prototxt/{'valid_' if padding else ''}{name}"
    assert learnable(inspected, tree, path) == LEARNABLE[key][padding]


@pytest.mark.parametrize("variant", ["S1R1", "reconstruct", "disentangle"])
def test_learnable_parameters_of_a_discriminator(inspected, tree, variant):
    path = f"prototxt/ck_fold0_{variant}_dcgan_discriminator_train_test.prototxt"
    assert learnable(inspected, tree, path) == DISCRIMINATOR


def learnable(inspected, tree, path):
    specs = {layer.name: layer.param for layer in read_net(tree / path).layer}
    counted = {}
    for layer, blobs in inspected[f"{path}:TRAIN"]["params"].items():
        for index, blob in enumerate(blobs):
            spec = specs[layer][index] if index < len(specs[layer]) else None
            if spec is None or spec.lr_mult:
                counted[blob["memory"]] = prod(blob["shape"])
    return sum(counted.values())


def test_the_two_branches_of_encoder_2_share_every_blob(inspected):
    params = inspected["prototxt/ck_fold0_S1R1_train_test.prototxt:TRAIN"]["params"]
    branch = [layer for layer in params if layer.endswith("_reference")]
    assert len(branch) == 9  # three times Convolution, BatchNorm, Scale
    for layer in branch:
        assert params[layer] == params[layer[: -len("_reference")]]
    memory = [blob["memory"] for layer in params if layer not in branch for blob in params[layer]]
    assert len(memory) == len(set(memory)), "nothing else is shared"


def test_outputs_of_the_deploy_nets(inspected):
    def net(name):
        return inspected[f"prototxt/ck_{name}_deploy.prototxt:TEST"]

    assert net("S1R1")["inputs"] == ["query"] and net("S1R1")["outputs"] == ["prob"]
    assert net("metric")["inputs"] == ["query", "reference"]
    layers = {layer.split("_")[0] for layer in net("S1R1")["params"]}
    assert layers == {"enc1", "dec1", "enc2", "fc1", "fc2"}, "no decoders 2"


@pytest.mark.parametrize("key", LEARNABLE)
def test_caffe_time(caffe, tree, key):
    variant, options = net_of(key)
    for fold in range(10 if key == "S1R1" else 1):
        net = nets.solver_defaults(variant, fold, net=options).net
        args = ["time", "-model", net, "-iterations", "1"]
        assert "Average Forward-Backward" in caffe.run_caffe(args, cwd=tree).stderr


def test_the_images_own_packages_write_the_same_files(caffe, tree):
    """Debian 11's Python 3.9 and protobuf 3.12 make the committed texts, byte for byte."""
    script = (
        "import json; from gcnet_caffe import nets; "
        "json.dump(nets.committed(), open('committed.json', 'w'))"
    )
    caffe.run_python(script, cwd=tree)
    assert json.loads((tree / "committed.json").read_text()) == nets.committed()
