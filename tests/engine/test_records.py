"""Data layers read and decode a record when they need it, hold a part, and give the same batches.

What they give is held against the LMDB read here, record by record, with OpenCV.
"""

import cv2
import numpy as np
import pytest
import torch

from gcnet_caffe import cli
from gcnet_caffe.engine.layers import TEST, TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.records import FeedOptions, Records
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter, count_records, read_datums
from tests.engine.runs import make_solver
from tests.engine.small import NET, write_small

COUNT, SIZE = 11, 24
ONE = SIZE * SIZE  # bytes of a grey image


def image(index, channels=1, size=(SIZE, SIZE)):
    shape = (*size, channels) if channels > 1 else size
    return np.random.default_rng(index).integers(0, 256, shape, np.uint8)


def encoded(pixels, kind=".png"):
    return {"encoded": True, "data": cv2.imencode(kind, pixels)[1].tobytes()}


def raw(pixels):
    planes = np.atleast_3d(pixels).transpose(2, 0, 1)
    sizes = dict(zip(("channels", "height", "width"), planes.shape))
    return {**sizes, "data": planes.tobytes()}


def floats(pixels):
    found = raw(pixels)
    return {**found, "data": b"", "float_data": np.frombuffer(found["data"], np.uint8) / 7}


def write(folder, *datums):
    """Write the LMDB folder/lmdb of Datums with the fields `datums`; labels are 0, 1, 2, 0, ..."""
    with LmdbWriter(folder / "lmdb", ascending=True) as writer:
        for index, fields in enumerate(datums):
            datum = caffe_pb.Datum(**{"label": index % 3, **fields})
            writer.put(f"{index:03d}", datum.SerializeToString())


def expected(folder):
    """Return every (image as float32 (C, H, W), label) of folder/lmdb."""
    found = []
    for _, datum in read_datums(folder / "lmdb"):
        if datum.encoded:
            pixels = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED)
            pixels = np.atleast_3d(pixels).transpose(2, 0, 1)
        else:
            values = np.frombuffer(datum.data, np.uint8) if datum.data else datum.float_data
            pixels = np.reshape(values, (datum.channels, datum.height, datum.width))
        found.append((pixels.astype(np.float32), datum.label))
    return found


def data_net(folder, transform="", batch=4, limit=1 << 30, phase=TRAIN, **place):
    data = NET.splitlines()[2:5]
    text = "\n".join(data).replace("scale: 0.004", "").format(batch=batch, transform=transform)
    (folder / "data.prototxt").write_text(text)
    feed = FeedOptions(limit_bytes=limit)
    return open_net("data.prototxt", phase, CaffeRng(1), feed=feed, **place)


def batch_of(net):
    """Return the next data and labels, as arrays."""
    blobs = net.blobs()
    return blobs["data"].numpy(), blobs["label"].numpy()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_start_decodes_one_image_and_a_batch_decodes_its_own(here):
    write(here, *(encoded(image(i)) for i in range(COUNT)))
    net = data_net(here)
    records = net.layers[0].records
    assert (len(records), records.held_bytes) == (COUNT, ONE)
    assert list(records.labels) == [i % 3 for i in range(COUNT)]
    for held in (4, 8, COUNT, COUNT):
        net.blobs()
        assert records.held_bytes == held * ONE


@pytest.mark.parametrize("rank, ranks", [(0, 1), (1, 2)])
@pytest.mark.parametrize("limit", [0, 5 * ONE, 6 * ONE + 1, 1 << 30])
@pytest.mark.parametrize("kind", [encoded, raw, floats])
def test_batches_are_the_records_in_their_order(kind, limit, rank, ranks, here):
    write(here, *(kind(image(i)) for i in range(COUNT)))
    wanted = expected(here)
    net = data_net(here, limit=limit, rank=rank, world_size=ranks)
    for start in range(0, 4 * COUNT, 4):
        data, labels = batch_of(net)
        for i in range(4):
            pixels, label = wanted[(rank + ranks * (start + i)) % COUNT]
            assert np.array_equal(data[i], pixels) and labels[i] == label
        assert net.layers[0].records.held_bytes <= limit
    if ranks == 1:
        size = 4 * ONE if kind is floats else ONE
        assert net.layers[0].records.held_bytes == min(limit // size, COUNT) * size


@pytest.mark.parametrize("limit", [0, 3 * ONE, 1 << 30])
def test_a_batch_of_one_may_be_of_any_size(limit, here):
    sizes = [(24, 24), (10, 30), (24, 24), (31, 9), (24, 24)]
    datums = [encoded(image(i, size=size)) for i, size in enumerate(sizes)]
    write(here, *datums, raw(image(5, size=(7, 7))), floats(image(6)))
    net, wanted = data_net(here, batch=1, limit=limit), expected(here)
    for pixels, label in wanted * 3:
        data, labels = batch_of(net)
        assert np.array_equal(data[0], pixels) and labels == [label]
        assert net.layers[0].records.held_bytes <= limit


def test_crops_and_mirrors_do_not_depend_on_what_is_held(here):
    sizes = [(24, 24), (20, 30), (31, 24)]
    write(here, *(encoded(image(i, 3, sizes[i // 4 % 3])) for i in range(COUNT)))
    limits = (0, 5 * 3 * ONE, 1 << 30)
    nets = [data_net(here, "mirror: true crop_size: 20", limit=limit) for limit in limits]
    for _ in range(7):
        first, *others = (batch_of(net)[0] for net in nets)
        assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(
    "good, bad, transform, message",
    [
        (
            encoded(image(0)),
            {"encoded": True, "data": encoded(image(0), ".jpg")["data"][:20]},
            "",
            "an encoded image that cannot be decoded",
        ),
        (
            encoded(image(0)),
            encoded(image(9, size=(24, 12)), ".bmp"),
            "",
            "records of different shapes",
        ),
        (
            encoded(image(0)),
            encoded(image(9, size=(24, 12)), ".bmp"),
            "crop_size: 20",
            "24 x 12, crop_size needs 20 x 20",
        ),
        (
            raw(image(0, 2)),
            encoded(image(9, 3), ".bmp"),
            "mean_value: 1 mean_value: 2",
            "3 channels, mean_value: found 2",
        ),
    ],
)
def test_a_bad_image_is_one_line_when_its_turn_comes(good, bad, transform, message, here, capfd):
    """The snapshots before it stay, and a run that does not come to it is not stopped.

    What a PNG's header says is refused before training (tests/packing/test_check_agrees.py); a BMP
    is read when its turn comes.
    """
    write(here, *([good] * 9), bad, good)
    write_small(here, more="snapshot: 1 snapshot_after_train: false", transform=transform)
    assert cli.main(["train", "-solver", "solver.prototxt"]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert f"gcnet train: error: lmdb: record '009': {message}" in lines[-1]
    assert "Traceback" not in "".join(lines)
    assert (here / "small_iter_2.solverstate").exists()
    assert not (here / "small_iter_3.solverstate").exists()
    solver = make_solver("solver.prototxt", options=EngineOptions(data_limit=0))
    solver.step(2)
    solver.restore("small_iter_1.solverstate")  # what was decoded ahead is not needed then
    solver.step(1)


def test_a_label_that_is_no_class_is_refused_before_training(here, capfd):
    write(here, *[encoded(image(0))] * 9, {**encoded(image(9)), "label": 3})
    write_small(here)
    assert cli.main(["train", "-solver", "solver.prototxt"]) == 1
    log = capfd.readouterr().err
    assert "lmdb: record '009': label 3, layer 'loss' (SoftmaxWithLoss) needs 0..2" in log
    assert "Starting Optimization" not in log


def test_a_run_goes_on_exactly_wherever_images_are_held(here):
    write(here, *(encoded(image(i)) for i in range(COUNT)))
    write_small(here, transform="mirror: true crop_size: 20", more="snapshot: 1")
    straight = make_solver("solver.prototxt")
    straight.step(6)
    wanted = (here / "small_iter_6.caffemodel").read_bytes()
    for solver, place in ((straight, 1), (make_solver("solver.prototxt"), 4)):
        solver.restore(f"small_iter_{place}.solverstate")
        (here / "small_iter_6.caffemodel").unlink()
        solver.step(6 - place)
        assert (here / "small_iter_6.caffemodel").read_bytes() == wanted


def test_two_nets_may_read_one_lmdb_and_others_meanwhile(here):
    write(here, *(encoded(image(i)) for i in range(COUNT)))
    nets = [data_net(here, limit=0, phase=phase) for phase in (TRAIN, TEST)]
    for _ in range(4):
        first, second = (batch_of(net)[0] for net in nets)
        assert np.array_equal(first, second)
        assert count_records(here / "lmdb") == COUNT


def test_an_lmdb_that_is_written_anew_meanwhile_is_refused(here):
    write(here, *(encoded(image(i)) for i in range(COUNT)))
    net = data_net(here)
    batch_of(net)
    (here / "lmdb").rename(here / "before")
    write(here, *(encoded(image(100 + i)) for i in range(COUNT)))
    with pytest.raises(LmdbError, match="lmdb: was changed while it was being read"):
        for _ in range(3):
            batch_of(net)


def test_colors(here):
    """`force_gray` and `force_color` ask for what OpenCV makes of the file."""
    bgr = [image(i, 3) for i in range(2)]
    write(here, *(encoded(pixels, ".jpg") for pixels in bgr))
    for color, flag in ((False, cv2.IMREAD_GRAYSCALE), (True, cv2.IMREAD_COLOR)):
        wanted = cv2.imdecode(np.frombuffer(encoded(bgr[1], ".jpg")["data"], np.uint8), flag)
        found = Records("lmdb", color).images(np.arange(2))[1]
        assert torch.equal(found, torch.from_numpy(np.atleast_3d(wanted).transpose(2, 0, 1)))
