"""Model folders: whole, verified, and with nothing in them that leads elsewhere."""

import json
import re
import shutil
import subprocess
import zlib

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import ModelError, UsageError, WeightsError
from gcnet_caffe.formats import read_weights, write_binary
from gcnet_caffe.inference.model import (
    FACTS,
    NET,
    SUMS,
    WEIGHTS,
    latent_channels,
    read_model_folder,
    sums_text,
)
from gcnet_caffe.recognition.find_model import open_model, read_files
from gcnet_caffe.recognition.package import package, rounded_floats
from tests.recognition.models import opened


@pytest.fixture
def folder(model_folder, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(model_folder, tmp_path / "model")


def refusal(folder):
    with pytest.raises(ModelError) as error:
        open_model(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def reseal(folder):
    """What one does who changes a folder and knows of the sums."""
    (folder / SUMS).write_text(sums_text(folder))


def change(folder, **facts):
    found = json.loads((folder / FACTS).read_text())
    found.update(facts)
    (folder / FACTS).write_text(json.dumps(found))
    reseal(folder)


def test_a_folder_holds_four_files_that_sha256sum_confirms(model_folder):
    assert sorted(path.name for path in model_folder.iterdir()) == [SUMS, NET, FACTS, WEIGHTS]
    done = subprocess.run(
        ["sha256sum", "-c", SUMS], cwd=model_folder, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.count(": OK") == 3
    text = (model_folder / FACTS).read_text()
    assert not any(str(parent) in text for parent in list(model_folder.parents)[:-1])


def test_it_gives_what_the_training_s_files_give(model_folder, loose):
    query = np.random.default_rng(1).random((3, 1, 64, 64), np.float32)
    given = opened("torch", read_files(*loose[1::2])).forward({"query": query})
    packed = opened("torch", read_model_folder(model_folder)).forward({"query": query})
    for blob, values in given.items():
        np.testing.assert_array_equal(packed[blob], values)


def test_what_only_training_needs_is_left_out(folder, loose, tmp_path):
    """A layer that the deploy net lacks, and gradients."""
    weights = read_weights(loose[3])
    more = weights.layer.add(name="dec2i_deconv1", type="Deconvolution")
    more.blobs.add(data=[1.0]).shape.dim.append(1)
    weights.layer[1].blobs[0].diff.extend([1.0] * len(weights.layer[1].blobs[0].data))
    write_binary(tmp_path / "more.caffemodel", weights)
    package(read_files(loose[1], tmp_path / "more.caffemodel", loose[5]), tmp_path / "again")
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_rounded_floats_are_the_nearest():
    """Against Python's own hexadecimal floats: one digit of sixteen after the leading bit."""
    values = np.random.default_rng(0).normal(size=100).astype(np.float32)
    for value, found in zip(values.tolist(), rounded_floats(values, 4).tolist()):
        low = float.fromhex(re.sub(r"(0x1\.[0-9a-f])[0-9a-f]*", r"\1", value.hex()))
        high = low + np.copysign(2.0 ** (np.floor(np.log2(abs(value))) - 4), value)
        assert found == min((low, high), key=lambda near: abs(near - value))
    assert rounded_floats(np.zeros(2, np.float32), 4).tolist() == [0, 0]


def test_rounded_weights_compress_and_predict_nearly_the_same(loose, tmp_path):
    query = np.random.default_rng(1).random((3, 1, 64, 64), np.float32)
    given = read_files(*loose[1::2])
    rounded = package(given, tmp_path / "rounded", mantissa_bits=8)
    data = rounded.weights.read_bytes()
    assert len(zlib.compress(data)) < 0.55 * len(data)
    assert rounded.facts["mantissa_bits"] == 8
    wanted, found = (opened("torch", m).forward({"query": query})["prob"] for m in (given, rounded))
    # each weight is off by up to 2^-9 of itself; 0.02 is small beside chance, 1 of 7
    np.testing.assert_allclose(found, wanted, atol=0.02)
    with pytest.raises(UsageError, match="--mantissa-bits 23: wanted 1 to 22"):
        package(given, tmp_path / "out", mantissa_bits=23)


def test_the_filters_of_pixels_that_a_mask_comes_of_are_not_rounded(loose, tmp_path):
    given = read_files(*loose[1::2])
    package(given, tmp_path / "rounded", mantissa_bits=4)
    before, after = (
        {x.name: np.array(x.blobs[0].data, np.float32) for x in weights.layer if "conv" in x.name}
        for weights in map(read_weights, (given.weights, tmp_path / "rounded" / WEIGHTS))
    )
    same = {name for name in after if (after[name] == before[name]).all()}
    assert same == {"enc1_conv1"} and len(after) > 9
    for name in after.keys() - same:
        np.testing.assert_array_equal(after[name], rounded_floats(before[name], 4))


def test_an_existing_folder_is_left_alone(folder, loose, capsys):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["package", *loose, "-o", str(folder)]) == 2
    assert f"{folder}: exists already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_weights_without_a_layer_make_no_folder(loose, tmp_path):
    weights = read_weights(loose[3])
    del weights.layer[[layer.name for layer in weights.layer].index("fc2")]
    write_binary(tmp_path / "less.caffemodel", weights)
    model = read_files(loose[1], tmp_path / "less.caffemodel", loose[5])
    with pytest.raises(WeightsError, match="less.caffemodel: no weights of layer 'fc2'"):
        package(model, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["less.caffemodel"]


@pytest.mark.parametrize("words", [[], ["run", "--net", "x"], ["--net", "x"]])
def test_package_wants_a_run_or_three_files(words, tmp_path, capsys):
    assert main(["package", *words, "-o", str(tmp_path / "out")]) == 2
    assert "wanted TRAINING, or --net, --weights and --data" in capsys.readouterr().err


@pytest.mark.parametrize("name", [NET, WEIGHTS, FACTS])
def test_a_changed_byte_is_found(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert refusal(folder).startswith(f"{folder / name}: changed since it was written: SHA-256")


@pytest.mark.parametrize("name", [NET, WEIGHTS, FACTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert refusal(folder) == f"{folder / name}: missing"


@pytest.mark.parametrize("name", [NET, WEIGHTS, FACTS, SUMS])
def test_a_link_is_refused(folder, name, tmp_path):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert refusal(folder) == f"{folder / name}: is a link; wanted an ordinary file"


@pytest.mark.parametrize(
    "name", ["../model/deploy.prototxt", "/etc/passwd", "sub/../model.json", "model.json", ""]
)
def test_a_sum_of_another_place_is_refused(folder, name):
    with open(folder / SUMS, "a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    assert refusal(folder).startswith(f"{folder / SUMS}: found '00000")


def test_sums_that_lack_a_file_are_refused(folder):
    lines = (folder / SUMS).read_text().splitlines()
    (folder / SUMS).write_text("\n".join(lines[:2]) + "\n")
    assert refusal(folder) == f"{folder / SUMS}: no line for {FACTS}"


@pytest.mark.parametrize(
    "facts, message",
    [
        ({"format": 2}, "format: found 2, wanted 1"),
        ({"classes": ["happy", "sad"]}, "classes: found 7, wanted the 2 of "),
        ({"classes": [1, 2]}, "key 'classes': wanted a list of names"),
        ({"classes": "happy"}, "key 'classes': wanted a list"),
        ({"preprocessing": {"colour": "rgb"}}, "preprocessing 'colour': found 'rgb'; this version"),
    ],
)
def test_facts_of_another_kind_are_refused(folder, facts, message):
    change(folder, **facts)
    assert message in refusal(folder)
    assert str(folder / FACTS) in refusal(folder)


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100000])
def test_facts_that_are_no_facts_are_refused(folder, text):
    (folder / FACTS).write_text(text)
    reseal(folder)
    assert refusal(folder).startswith(f"{folder / FACTS}: ")


@pytest.mark.parametrize(
    "layer",
    [
        'type: "Python" python_param { module: "os" layer: "x" }',
        'type: "Data" top: "y" data_param { source: "/data/private_lmdb" }',
        'type: "HDF5Output" bottom: "prob" hdf5_output_param { file_name: "/tmp/x" }',
    ],
)
def test_layers_that_reach_beyond_the_net_are_refused(folder, layer):
    with open(folder / NET, "a") as file:
        file.write(f'layer {{ name: "more" {layer} }}\n')
    reseal(folder)
    assert f"{folder / NET}: layer 'more': type" in refusal(folder)


def test_layers_of_training_are_no_part_of_the_model(model_folder, folder):
    """An input, an output and a last convolution that the net has in the TRAIN phase only."""
    rule = "include { phase: TRAIN }"
    shape = "input_param { shape { dim: 1 dim: 1 dim: 64 dim: 64 } }"
    sizes = "convolution_param { num_output: 3 kernel_size: 1 }"
    text = (folder / NET).read_text().replace('"delta"', '"distance"')
    text += f'layer {{ name: "reference" type: "Input" top: "reference" {rule} {shape} }}\n'
    text += f'layer {{ name: "c" type: "Convolution" bottom: "query" top: "c" {rule} {sizes} }}\n'
    text += f'layer {{ name: "delta" type: "AbsVal" bottom: "query" top: "delta" {rule} }}\n'
    (folder / NET).write_text(text)
    reseal(folder)
    whole, found = open_model(model_folder), open_model(folder)
    assert found.outputs == tuple(blob for blob in whole.outputs if blob != "delta")
    assert latent_channels(found) == latent_channels(whole) != 3
    assert opened("torch", found).inputs == ("query",)


def test_a_net_that_wants_the_true_reference_is_refused(folder):
    text = (folder / NET).read_text()
    shape = "input_param { shape { dim: 1 dim: 1 dim: 64 dim: 64 } }"
    more = f'layer {{ name: "reference" type: "Input" top: "reference" {shape} }}\n'
    (folder / NET).write_text(text + more)
    reseal(folder)
    assert "inputs: found query, reference, wanted query only" in refusal(folder)


def test_where_no_network_is(tmp_path):
    with pytest.raises(UsageError, match="no such folder; wanted a model folder"):
        open_model(tmp_path / "nowhere")
    (tmp_path / "net.prototxt").touch()
    with pytest.raises(UsageError, match="net.prototxt: is a file; wanted a model folder"):
        open_model(tmp_path / "net.prototxt")
    with pytest.raises(UsageError, match="no trained network here"):
        open_model(tmp_path)
    for fold in ("fold0", "fold1"):
        (tmp_path / fold).mkdir()
        for name in (NET, WEIGHTS):
            (tmp_path / fold / name).touch()
    with pytest.raises(UsageError, match=f"2 trained networks; choose one, such as {tmp_path}/fol"):
        open_model(tmp_path)
    with pytest.raises(UsageError, match="fold0: not in the folder of a run"):
        open_model(tmp_path / "fold0")
