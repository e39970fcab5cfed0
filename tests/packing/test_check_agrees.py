"""`gcnet check` accepts a solver if, and only if, the engine and real Caffe do an iteration of it.

Every solver here is a file in a folder of its own: its LMDBs lie beside it.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import caffe_pb, read_solver, write_binary
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from gcnet_caffe.packing.check import check

# What LMDBs hold: kind -> the records. ----------------------------------------------------------


def _image(channels: int, height: int = 10, width: int = 12) -> np.ndarray:
    rows = np.arange(channels * height * width, dtype=np.uint8)
    return rows.reshape(channels, height, width)


def _raw(image: np.ndarray, label: int = 0, **more: Any) -> bytes:
    channels, height, width = image.shape
    fields = {"channels": channels, "height": height, "width": width, "label": label}
    return caffe_pb.Datum(**{**fields, "data": image.tobytes(), **more}).SerializeToString()


def _encoded(image: np.ndarray, label: int = 0, ending: str = ".png") -> bytes:
    data = cv2.imencode(ending, image.transpose(1, 2, 0))[1].tobytes()
    return caffe_pb.Datum(encoded=True, label=label, data=data).SerializeToString()


GREY, BGR, SMALL, LARGE = _image(1), _image(3), _image(1, 8, 8), _image(1, 12, 10)
FLOATS = {"data": b"", "float_data": [0.5] * GREY.size}
ANNOTATED = b"\n" + bytes([len(_raw(SMALL))]) + _raw(SMALL) + b"\x10\0"  # SSD's: a Datum in field 1
RECORDS: dict[str, list[bytes]] = {
    "grey": [_raw(GREY, label) for label in range(3)],
    "BGR": [_raw(BGR, label) for label in range(3)],
    "encoded grey": [_encoded(GREY, label) for label in range(3)],
    "encoded BGR": [_encoded(BGR, label, ".jpg") for label in range(3)],
    "encoded BGRA": [_encoded(_image(4)), _encoded(_image(4))],
    "encoded 16 bits": [_encoded(GREY.astype(np.uint16))] * 2,
    "raw and encoded": [_raw(GREY), _encoded(GREY)],
    "channels": [_raw(GREY), _raw(BGR)],
    "encoded channels": [_encoded(GREY), _encoded(BGR)],
    "sizes": [_raw(GREY), _raw(LARGE)],
    "encoded sizes": [_encoded(GREY), _encoded(LARGE, ending=".jpg")],
    "encoded, one small": [_encoded(LARGE), _encoded(SMALL)],
    "one small": [_raw(LARGE), _raw(SMALL)],
    "floats": [_raw(GREY, **FLOATS)] * 2,
    "floats and bytes": [_raw(GREY), _raw(GREY, **FLOATS)],
    "a late size": [_encoded(GREY)] * 5 + [_encoded(LARGE)],
    "broken": [_encoded(GREY), caffe_pb.Datum(encoded=True, data=b"no").SerializeToString()],
    "no records": [],
    "no data": [_raw(GREY), _raw(GREY, data=b"")],
    "too little data": [_raw(GREY), _raw(GREY, data=b"abc")],
    "too few floats": [_raw(GREY, data=b"", float_data=[1, 2])] * 2,
    "too much data": [_raw(GREY), _raw(GREY, data=GREY.tobytes() + b"more")],
    "annotated": [ANNOTATED] * 2,
    "no Datums": [b"\xff\xff\xff"] * 2,
    "negative label": [_raw(GREY), _raw(GREY, -1)],
    "label 3": [_raw(GREY), _raw(GREY, 3)],
    "pixels 0 to 2": [_raw(GREY % 3), _raw(GREY % 3)],
    "pixels 0 to 2, 255": [_raw(GREY % 3), _raw(np.where(GREY == 7, np.uint8(255), GREY % 3))],
    "pixels": [_raw(GREY), _raw(GREY)],
    "encoded pixels": [_encoded(GREY)] * 2,
}
#: What real Caffe does not notice: it reads memory that is not its own, or less than there is.
UNNOTICED = {
    "a late size",
    "no data",
    "too little data",
    "too few floats",
    "too much data",
    "negative label",
    "label 3",
    "pixels",
    "pixels 0 to 2, 255",
    "encoded pixels",
    "annotated",
    "no Datums",
}


def write_records(folder: Path) -> None:
    """Write the LMDB of each kind, and what else the solvers below name."""
    for kind, values in RECORDS.items():
        with LmdbWriter(folder / kind) as writer:
            for index, value in enumerate(values):
                writer.put(f"{index:08d}", value)
    for name, image in (("grey.mean", GREY), ("BGR.mean", BGR)):
        mean = caffe_pb.BlobProto(num=1, channels=len(image), height=10, width=12)
        mean.data.extend(image.reshape(-1).tolist())
        write_binary(folder / name, mean)
    (folder / "broken.mean").write_bytes((folder / "grey.mean").read_bytes()[:50])
    (folder / "file").write_text("a file")
    for name, data in (("no LMDB", b"no LMDB" * 999), ("truncated", None)):
        (folder / name).mkdir()
        data = data or (folder / "grey/data.mdb").read_bytes()[:9000]
        (folder / name / "data.mdb").write_bytes(data)
    (folder / "LEVELDB").mkdir()


# Solvers. ---------------------------------------------------------------------------------------


def data(source: str, transform: str = "", batch: int = 2, more: str = "", name: str = "") -> str:
    return (
        f'layer {{ name: "{name}data" type: "Data" top: "{name}data" top: "{name}label" {more} '
        f"transform_param {{ {transform} }} "
        f'data_param {{ source: "{source}" batch_size: {batch} backend: LMDB }} }}\n'
    )


SCORE = """layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "score" type: "InnerProduct" bottom: "pool" top: "score"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }'
FIELDS = 'base_lr: 0.01 lr_policy: "fixed" max_iter: 1 snapshot_after_train: false\n'


def inline(net: str, field: str = "net_param", more: str = "") -> str:
    return f"{FIELDS} {more} {field} {{ {net} }}\n"


TRANSFORMS = [
    "",
    "crop_size: 8 mirror: true",
    "crop_size: 11",
    "force_color: true",
    "force_gray: true crop_size: 10",
    "force_color: true force_gray: true",
    "mean_value: 7",
    "mean_value: 1 mean_value: 2 mean_value: 3",
    'mean_file: "grey.mean"',
    'mean_file: "BGR.mean" force_color: true',
]


def record_solvers() -> Iterator[tuple[str, str, str]]:
    """Yield (name, kind of records, solver) of every kind with every transform."""
    for kind, transform, batch in itertools.product(RECORDS, TRANSFORMS, (2, 1)):
        if batch == 2 or "s" in kind.split()[-1]:
            name = f"{kind}, {transform or 'no transform'}, batch_size {batch}"
            yield name, kind, inline(data(kind, transform, batch) + SCORE + LOSS)


def _cut(text: str) -> str:
    """A net of `text` whose labels go through layers that move them."""
    return data("label 3") + SCORE + text


MOVED = """layer { name: "reshape" type: "Reshape" bottom: "label" top: "two"
  reshape_param { shape { dim: 2 dim: 1 } } }
layer { name: "split" type: "Split" bottom: "two" top: "a" top: "b" }
layer { name: "silence" type: "Silence" bottom: "a" }
layer { name: "loss" type: "LOSS" bottom: "score" bottom: "b" top: "loss" }"""
SLICED = """layer { name: "slice" type: "Slice" bottom: "label" top: "a" top: "b"
  slice_param { axis: 0 } }
layer { name: "concat" type: "Concat" bottom: "b" bottom: "a" top: "c" concat_param { axis: 0 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "c" top: "loss" }"""
PIXELS = """layer { name: "conv" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "truth_data" top: "loss" MORE }
layer { name: "silence" type: "Silence" bottom: "label" bottom: "truth_label" }"""
V1 = """layers { name: "data" type: DATA top: "data" top: "label"
  data_param { source: "SOURCE" batch_size: 2 backend: LMDB crop_size: 8 } }
layers { name: "score" type: INNER_PRODUCT bottom: "data" top: "score"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "score" bottom: "label" top: "loss" }"""
TRAINS = data("grey") + SCORE + LOSS
BAD = data("label 3") + SCORE + LOSS
TEST = "test_iter: 1 test_interval: 1"
TWO_TESTS = "test_iter: 1 test_iter: 1 test_interval: 1"


def _staged(more: str) -> str:
    """A net with good data for everybody else, and bad labels for those who meet `more`."""
    return (
        data("grey", more=more.replace("include", "exclude"))
        + data("label 3", more=more)
        + SCORE
        + LOSS
    )


def _with_loss(type_: str, more: str = "", source: str = "label 3") -> str:
    return data(source) + SCORE + LOSS.replace("SoftmaxWithLoss", type_)[:-1] + more + "}"


ACCURACY = LOSS.replace("SoftmaxWithLoss", "Accuracy").replace('"loss"', '"accuracy"')
#: name -> (solver, whether it trains, whether real Caffe notices where it does not)
SOLVERS: dict[str, tuple[str, bool, bool]] = {
    "net_param": (inline(TRAINS), True, True),
    "train_net_param": (inline(TRAINS, "train_net_param"), True, True),
    "net": (FIELDS + 'net: "trains.prototxt"', True, True),
    "train_net, test_net": (
        FIELDS + f'train_net: "trains.prototxt" test_net: "trains.prototxt" {TEST}',
        True,
        True,
    ),
    "several test nets": (
        inline(TRAINS, "train_net_param", TWO_TESTS)
        + f'test_net_param {{ {TRAINS} }} test_net: "trains.prototxt"',
        True,
        True,
    ),
    "no net": (FIELDS, False, True),
    "no such net": (FIELDS + 'net: "none.prototxt"', False, True),
    "two nets": (inline(TRAINS, more='net: "trains.prototxt"'), False, True),
    "two train nets": (inline(TRAINS) + f"train_net_param {{ {TRAINS} }}", False, True),
    "bad labels in the second test net": (
        inline(TRAINS, "train_net_param", TWO_TESTS)
        + f"test_net_param {{ {TRAINS} }} test_net_param {{ {BAD} }}",
        False,
        False,
    ),
    "bad labels in a test_net": (
        inline(TRAINS, "train_net_param", TEST) + 'test_net: "bad.prototxt"',
        False,
        False,
    ),
    "bad labels in TEST, tested": (
        inline(_staged("include { phase: TEST }"), more=TEST),
        False,
        False,
    ),
    "bad labels in TEST, never tested": (inline(_staged("include { phase: TEST }")), True, True),
    "bad labels in a stage": (
        inline(_staged('include { stage: "s" }'), more='train_state { stage: "s" }'),
        False,
        False,
    ),
    "bad labels in another stage": (
        inline(_staged('include { stage: "s" }'), more='train_state { stage: "t" }'),
        True,
        True,
    ),
    "bad labels where a stage is not": (
        inline(_staged('include { not_stage: "s" }')),
        False,
        False,
    ),
    "bad labels from a level on": (
        inline(_staged("include { min_level: 2 }"), more=TEST + " test_state { level: 2 }"),
        False,
        False,
    ),
    "bad labels above the level": (
        inline(_staged("include { min_level: 2 }"), more=TEST + " test_state { level: 1 }"),
        True,
        True,
    ),
    "bad labels in the second test_state": (
        inline(
            _staged('include { stage: "s" }'),
            more=TWO_TESTS + ' test_state { } test_state { stage: "s" }',
        ),
        False,
        False,
    ),
    "one test_state too few": (
        inline(TRAINS, more=TWO_TESTS + " test_state { }"),
        False,
        True,
    ),
    "no test_interval": (inline(TRAINS, more="test_iter: 1"), False, True),
    "no test_iter": (inline(TRAINS, more=f"test_net_param {{ {TRAINS} }}"), False, True),
    "include and exclude": (
        inline(TRAINS.replace("name:", "include { } exclude { } name:", 1)),
        False,
        True,
    ),
    "old syntax": (FIELDS + 'net: "old.prototxt"', True, True),
    "old syntax, bad labels": (FIELDS + 'net: "old_bad.prototxt"', False, False),
    "no labels read": (
        inline(
            data("label 3")
            + SCORE
            + LOSS.replace('"label"', '"score"', 1).replace("SoftmaxWithLoss", "EuclideanLoss")
        ),
        True,
        True,
    ),
    "ignored label": (
        inline(_with_loss("SoftmaxWithLoss", "loss_param { ignore_label: 3 }")),
        True,
        True,
    ),
    "another ignored label": (
        inline(_with_loss("SoftmaxWithLoss", "loss_param { ignore_label: 4 }")),
        False,
        False,
    ),
    "negative ignored label": (
        inline(_with_loss("SoftmaxWithLoss", "loss_param { ignore_label: -1 }", "negative label")),
        True,
        True,
    ),
    "axis -3": (inline(_with_loss("SoftmaxWithLoss", "softmax_param { axis: -1 }")), False, False),
    "hinge loss": (inline(_with_loss("HingeLoss")), False, False),
    "hinge loss, fine": (inline(_with_loss("HingeLoss", source="grey")), True, True),
    "accuracy": (
        inline(TRAINS + data("label 3", name="b_") + ACCURACY.replace('"label"', '"b_label"')),
        False,
        False,
    ),
    "moved labels": (inline(_cut(MOVED.replace("LOSS", "SoftmaxWithLoss"))), False, False),
    "sliced labels": (inline(_cut(SLICED)), False, False),
    "moved labels, fine": (
        inline(_cut(MOVED.replace("LOSS", "SoftmaxWithLoss")).replace("label 3", "grey")),
        True,
        True,
    ),
    "several Data layers": (inline(TRAINS + data("BGR", name="b_")), True, True),
    "a second Data layer without an LMDB": (
        inline(TRAINS + data("nowhere", name="b_")),
        False,
        True,
    ),
    "no LMDB": (inline(TRAINS.replace('"grey"', '"no LMDB"')), False, True),
    "truncated LMDB": (inline(TRAINS.replace('"grey"', '"truncated"')), False, True),
    "a file": (inline(TRAINS.replace('"grey"', '"file"')), False, True),
    "no backend": (inline(TRAINS.replace("backend: LMDB", "")), False, True),
    "no LEVELDB": (
        inline(TRAINS.replace("backend: LMDB", "").replace('"grey"', '"LEVELDB"')),
        False,
        True,
    ),
    "mean_file and mean_value": (
        inline(
            TRAINS.replace(
                "transform_param {", 'transform_param { mean_file: "grey.mean" mean_value: 1'
            )
        ),
        False,
        True,
    ),
    "no such mean_file": (
        inline(TRAINS.replace("transform_param {", 'transform_param { mean_file: "none.mean" ')),
        False,
        True,
    ),
    "broken mean_file": (
        inline(TRAINS.replace("transform_param {", 'transform_param { mean_file: "broken.mean" ')),
        False,
        True,
    ),
    "snapshots without a folder": (
        inline(TRAINS, more='snapshot: 1 snapshot_prefix: "none/small"'),
        False,
        True,
    ),
    "no snapshots, no folder": (inline(TRAINS, more='snapshot_prefix: "none/small"'), True, True),
    "snapshots in HDF5 of a layer without a name": (
        inline(
            TRAINS.replace('name: "score"', 'name: ""'),
            more='snapshot: 1 snapshot_format: HDF5 snapshot_prefix: "s"',
        ),
        False,
        True,
    ),
    "unknown lr_policy": (inline(TRAINS).replace("fixed", "fixt"), False, True),
    "unknown type": (inline(TRAINS, more='type: "SDG"'), False, True),
    "momentum of AdaGrad": (inline(TRAINS, more='type: "AdaGrad" momentum: 0.9'), False, True),
    "unknown bottom": (inline(TRAINS.replace('bottom: "pool"', 'bottom: "pol"')), False, True),
}
for _truth, _more, _trains in (
    ("pixels 0 to 2", "", True),
    ("pixels 0 to 2, 255", "", False),
    ("pixels 0 to 2, 255", "loss_param { ignore_label: 255 }", True),
    ("pixels", "", False),
    ("encoded pixels", "", False),
):
    _net = data("grey") + data(_truth, name="truth_") + PIXELS.replace("MORE", _more)
    SOLVERS[f"{_truth} as labels {_more}"] = inline(_net), _trains, _trains
NETS = {
    "trains.prototxt": TRAINS,
    "bad.prototxt": BAD,
    "old.prototxt": V1.replace("SOURCE", "grey"),
    "old_bad.prototxt": V1.replace("SOURCE", "label 3"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the LMDBs, the nets and all solvers."""
    folder = tmp_path_factory.mktemp("agree")
    write_records(folder)
    for name, text in NETS.items():
        (folder / name).write_text(text)
    texts = [text for *_, text in record_solvers()] + [text for text, *_ in SOLVERS.values()]
    for number, text in enumerate(texts):
        (folder / f"solver{number}.prototxt").write_text(text)
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


RECORD_SOLVERS = list(record_solvers())
NUMBERS = {name: number for number, (name, *_) in enumerate(RECORD_SOLVERS)}
NUMBERS.update({name: len(RECORD_SOLVERS) + number for number, name in enumerate(SOLVERS)})


def _path(name: str) -> str:
    return f"solver{NUMBERS[name]}.prototxt"


def refusal(path: str) -> str:
    """Return why `gcnet check` refuses the solver at `path`, or nothing."""
    try:
        check(path)
    except GcnetError as error:
        return str(error)
    return ""


def failure(path: str) -> str:
    """Return why the engine does no iteration of the solver at `path`, or nothing."""
    try:
        solver = Solver(read_solver(path), path, log=Log(io.StringIO()))
        solver.step(1)
    except GcnetError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", RECORDS)
def test_records(kind: str, here: Path) -> None:
    """Every kind of records with every transform."""
    different = {}
    for name, its_kind, _ in RECORD_SOLVERS:
        if its_kind == kind:
            refused, failed = refusal(_path(name)), failure(_path(name))
            if refused != failed and not (kind == "broken" and refused and failed):
                different[name] = refused, failed
    assert different == {}


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers(name: str, here: Path) -> None:
    refused, failed = refusal(_path(name)), failure(_path(name))
    _, trains, _ = SOLVERS[name]
    assert (not refused, not failed) == (trains, trains), (refused, failed)


@pytest.mark.caffe
def test_real_caffe_agrees(caffe: Any, here: Path) -> None:
    """What is accepted runs in real Caffe; of what Caffe notices, every third refused one stops."""
    kinds = {name: kind for name, kind, _ in RECORD_SOLVERS}
    names = [name for name in kinds if kinds[name] not in UNNOTICED]
    names += [name for name, (_, trains, noticed) in SOLVERS.items() if trains or noticed]
    accepted = {name for name in NUMBERS if not refusal(_path(name))}
    refused = [name for name in names if name not in accepted][::3]
    tried = {_path(name): name for name in (*accepted, *refused)}
    (here / "solvers.txt").write_text("\n".join(tried))
    script = Path(__file__).with_name("step_in_caffe.py")
    caffe.run_python(script, here, ["solvers.txt", "statuses.json"])
    statuses = json.loads((here / "statuses.json").read_text())
    ran = {tried[path] for path, status in statuses.items() if status == 0}
    assert (sorted(accepted - ran), sorted(ran - accepted)) == ([], [])
