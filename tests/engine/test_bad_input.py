"""Bad nets, solvers, weights and data: one line that says what is wrong, and where."""

import re

import pytest

from gcnet_caffe import cli
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from tests.engine.small import NET, write_small

CONV = 'type: "Convolution" bottom: "data" top: "conv"'


@pytest.fixture
def train(tmp_path, monkeypatch, capfd):
    """Run `gcnet train`; return the exit status and the line of the error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capfd.readouterr()
        status = cli.main(["train", "-solver", "solver.prototxt", *words])
        lines = capfd.readouterr().err.splitlines()
        errors = [line for line in lines if "gcnet train: error: " in line]
        assert len(errors) == (1 if status else 0) and "Traceback" not in "".join(lines)
        return status, errors[0] if errors else ""

    return run


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('"ReLU"', '"RelU"', "layer 'relu': unknown type 'RelU'; did you mean 'ReLU'?"),
        ('"ReLU"', '"Rectifier"', "layer 'relu': unknown type 'Rectifier'; wanted one of AbsVal"),
        ('"ReLU"', '"Gram"', "layer 'relu': type 'Gram' is a layer of happynear's Caffe (happ"),
        ("kernel_size", "kernel_sizes", "net.prototxt"),
        (
            'top: "conv"\n',
            'top: "conv" include {{ phase: TRAIN }} exclude {{ stage: "x" }}\n',
            "'conv': has include rules and exclude rules",
        ),
        (
            'bottom: "score" bottom',
            'bottom: "scores" bottom',
            "Unknown bottom blob 'scores' (layer 'loss', bottom index 0)",
        ),
        (
            "kernel_size: 5",
            "kernel_size: 50",
            "layer 'conv' (Convolution): kernel (50, 50) is larger",
        ),
        ("num_output: 4", "num_output: 4 group: 3", "layer 'conv' (Convolution): group 3"),
        (
            "num_output: 3",
            "num_output: 2",
            "lmdb: record '00000002': label 2, layer 'loss' (SoftmaxWithLoss) needs 0..1",
        ),
        (
            'type: "xavier"',
            'type: "xavjer"',
            "layer 'conv' (Convolution): filler type: found 'xavjer'",
        ),
        ("backend: LMDB", "backend: LEVELDB", "but lmdb is an LMDB; write backend: LMDB"),
        (
            'type: "xavier"',
            'type: "uniform" min: -inf',
            "layer 'conv' (Convolution): filler 'uniform': min: found -inf, wanted -3.40282e+38 or",
        ),
        (
            'type: "ReLU"',
            'type: "PReLU" prelu_param {{ channel_shared: true filler {{ type: "xavier" }} }}',
            "layer 'relu' (PReLU): filler 'xavier': found a blob of no axes, wanted one axis or",
        ),
        ('source: "lmdb"', 'source: "nowhere"', "nowhere: no LMDB here"),
        (
            "scale: 0.004",
            "crop_size: 30",
            "lmdb: record '00000000': 24 x 24, crop_size needs 30 x 30",
        ),
        ("scale: 0.004", 'mean_file: "none"', "layer 'data' (Data): mean_file: none: No such file"),
        (
            "scale: 0.004",
            "mean_value: 1 mean_value: 2",
            "lmdb: record '00000000': 1 channels, mean_value: found 2",
        ),
        (
            'bottom: "data"',
            'param {{ }} param {{ }} param {{ }} bottom: "data"',
            "'conv' (Convolution): found 3 param, the layer has 2",
        ),
        (
            'bottom: "conv" top: "conv"',
            'bottom: "conv" bottom: "data" top: "conv"',
            "'relu' (ReLU): found 2 bottoms, wanted 1",
        ),
        (
            'top: "loss"',
            'top: "loss" loss_weight: 1 loss_weight: 1',
            "loss_weight: found 2, wanted 1",
        ),
        ("num_output: 4", "num_output: 2000000000", "too large"),
    ],
)
def test_nets(old, new, message, train, tmp_path):
    assert old in NET
    write_small(tmp_path, net=NET.replace(old, new, 1))
    status, line = train()
    assert status == 1 and message in line


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('net: "net.prototxt"', "", "solver.prototxt: found none; wanted one of net, net_param"),
        (
            'lr_policy: "fixed"',
            'lr_policy: "steps"',
            "lr_policy: found 'steps', wanted one of fixed",
        ),
        ('lr_policy: "fixed"', 'lr_policy: "step"', "stepsize: found 0, wanted 1 or more"),
        ("max_iter: 6", "max_iters: 6", "max_iter"),
        ('"small"', '"none/small" snapshot: 2', "Cannot write to snapshot prefix 'none/small'"),
        ("momentum: 0.9", 'momentum: 0.9 type: "AdaGrad"', "momentum: cannot be used with AdaGrad"),
        ("momentum: 0.9", 'type: "Adams"', "type: found 'Adams', wanted one of SGD"),
        ("max_iter: 6", "max_iter: 6 test_iter: 3", "test_interval: found 0, wanted 1 or more"),
        ("base_lr: 0.05", "base_lr: 1e30", "the first bad blob is"),
    ],
)
def test_solvers(old, new, message, train, tmp_path):
    write_small(tmp_path)
    path = tmp_path / "solver.prototxt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    status, line = train()
    assert status == 1 and message in line


def test_a_loss_that_is_no_number_names_iteration_and_blob(train, tmp_path):
    log = 'layer {{ name: "log" type: "Log" bottom: "conv" top: "logs" }} layer {{ name: "score"'
    net = NET.replace('layer {{ name: "score"', log, 1).replace(
        'bottom: "conv" top: "score"', 'bottom: "logs" top: "score"'
    )
    write_small(tmp_path, net=net)
    status, line = train()
    assert status == 1
    assert re.search(
        r"iteration 0: the loss is nan; the first bad blob is 'logs', a top of layer 'log'", line
    )


def test_flags_and_weights(train, tmp_path):
    write_small(tmp_path)
    assert train("-weights", "w.caffemodel", "-snapshot", "s.solverstate")[0] == 2
    assert "none.caffemodel: No such file" in train("-weights", "none.caffemodel")[1]
    assert "-gpu: found 'x'" in train("-gpu", "x")[1]
    net = caffe_pb.NetParameter()
    layer = net.layer.add(name="conv", type="Convolution")
    layer.blobs.add(shape={"dim": (4, 1, 3, 3)}, data=[0] * 36)
    layer.blobs.add(shape={"dim": [4]}, data=[0] * 4)
    (tmp_path / "w.caffemodel").write_bytes(net.SerializeToString())
    line = train("-weights", "w.caffemodel")[1]
    assert (
        "layer 'conv', blob 0: found shape (4, 1, 3, 3), net.prototxt has (4, 1, 5, 5); to" in line
    )
    assert "(4, 1, 3, 3)" in line and "(4, 1, 5, 5)" in line
    del layer.blobs[1]
    (tmp_path / "w.caffemodel").write_bytes(net.SerializeToString())
    line = train("-weights", "w.caffemodel")[1]
    assert "Incompatible number of blobs for layer 'conv': found 1" in line


def write_records(folder, *datums):
    with LmdbWriter(folder / "lmdb") as writer:
        for index, fields in enumerate(datums):
            writer.put(f"{index}", caffe_pb.Datum(**fields).SerializeToString())


GOOD = {"channels": 1, "height": 24, "width": 24, "data": bytes(576)}


@pytest.mark.parametrize(
    "datums, message",
    [
        ([], "lmdb: has no records"),
        (
            [GOOD, {**GOOD, "height": 23}],
            "record '1': 576 values, wanted channels x height x width = 1 x 23 x 24",
        ),
        ([GOOD, {**GOOD, "height": 12, "data": bytes(288)}], "records of different shapes"),
        (
            [{"encoded": True, "data": b"not a picture"}],
            "record '0': an encoded image that cannot be decoded",
        ),
        (
            [{**GOOD, "label": -1}],
            "record '0': label -1, layer 'loss' (SoftmaxWithLoss) needs 0..2",
        ),
    ],
)
def test_records(datums, message, train, tmp_path):
    write_records(tmp_path, *datums)
    write_small(tmp_path)
    status, line = train()
    assert status == 1 and message in line


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_lmdb(share, train, tmp_path):
    write_small(tmp_path)
    file = tmp_path / "lmdb/data.mdb"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    status, line = train()
    assert status == 1 and "lmdb: " in line


def test_garbage_in_a_record(train, tmp_path):
    with LmdbWriter(tmp_path / "lmdb") as writer:
        writer.put("0", b"\xff\xff\xff")
    write_small(tmp_path)
    status, line = train()
    assert status == 1 and "record '0' is not a Datum" in line
