"""The layers that make blobs from nothing, fillers and transforms: every number is Caffe's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.formats import caffe_pb
from tests.engine.parity import file_sources
from tests.scratch import write_lmdb

SEED = 3


class Source(NamedTuple):
    """A net of layers without bottoms, run `turns` times.

    Attributes
    ----------
    type : str
        What it is for: a layer type, or `filler <type>`.
    text : str
        The net; its files lie in the current folder (see `write_files`).
    """

    type: str
    text: str
    phase: str = "TRAIN"
    turns: int = 3


def write_files(folder: Path) -> None:
    """Write the files that the nets read."""
    write_lmdb(folder / "lmdb", range(1, 8), 2, size=12)
    mean = caffe_pb.BlobProto(num=1, channels=2, height=12, width=12)
    mean.data.extend(np.random.default_rng(1).uniform(90, 150, 2 * 12 * 12).astype(np.float32))
    (folder / "mean.binaryproto").write_bytes(mean.SerializeToString())
    file_sources.write_files(folder)


_DATA = """layer {{ name: "d" type: "Data" top: "data" top: "label"
  transform_param {{ {transform} }}
  data_param {{ source: "lmdb" backend: LMDB batch_size: 3 }} }}"""
_DUMMY = """layer {{ name: "d" type: "DummyData" top: "x" top: "y" dummy_data_param {{
  shape {{ {dims} }} data_filler {{ {filler} }} }} }}"""
_TRANSFORMS = (
    "",
    "scale: 0.0078125",
    "mean_value: 100 mean_value: 120",
    "crop_size: 9 mirror: true",
    'crop_size: 7 mirror: true scale: 0.5 mean_file: "mean.binaryproto"',
)
_FILLERS = (
    'type: "constant" value: 0.3',
    'type: "uniform" min: -0.3 max: 0.7',
    'type: "gaussian" mean: 0.1 std: 0.02',
    'type: "gaussian" std: 1 sparse: 2',
    'type: "xavier"',
    'type: "xavier" variance_norm: AVERAGE',
    'type: "msra" variance_norm: FAN_OUT',
    'type: "positive_unitball"',
    'type: "bilinear"',
)

SOURCES = [
    *(
        Source("Data", _DATA.format(transform=transform), phase)
        for phase in ("TRAIN", "TEST")
        for transform in _TRANSFORMS
    ),
    *(
        Source(
            f"filler {filler.split()[1].strip(chr(34))}",
            _DUMMY.format(dims="dim: 3 dim: 2 dim: 4 dim: 4", filler=filler),
        )
        for filler in _FILLERS
    ),
    Source("DummyData", _DUMMY.format(dims="dim: 7", filler='type: "gaussian" std: 2')),
    Source("DummyData", _DUMMY.format(dims="dim: 2 dim: 3", filler='type: "constant" value: 7')),
    Source(
        "Input",
        'layer { name: "i" type: "Input" top: "x" top: "y" '
        "input_param { shape { dim: 2 dim: 3 } shape { dim: 4 } } }",
    ),
    *(Source(kind, text, turns=9) for kind, text in file_sources.NETS),
    *(Source(kind, text, "TEST") for kind, text in file_sources.NETS if kind != "HDF5Data"),
]


def unequal(found: dict[str, NDArray[np.float32]], wanted: dict[str, NDArray[np.float32]]) -> list:
    """Return the names of the arrays that are not equal in shape and in every number."""
    names = sorted(found.keys() | wanted.keys())
    return [
        name
        for name in names
        if name not in found
        or name not in wanted
        or found[name].shape != wanted[name].shape
        or not np.array_equal(found[name], wanted[name])
    ]
