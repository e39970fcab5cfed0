"""Nets of the layers that read files: ImageData, HDF5Data and WindowData."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np

from gcnet_caffe.formats import caffe_pb

_SIZES = ((20, 16), (20, 16), (24, 30), (17, 19), (20, 16), (15, 14), (20, 16))


def write_files(folder: Path) -> None:
    """Write what the nets read: images, HDF5 files, and the text files that list them."""
    rng = np.random.default_rng(5)
    (folder / "images").mkdir()
    for number, size in enumerate(_SIZES):
        pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"images/an image {number}.png"), pixels)
        smooth = cv2.resize(pixels[:4, :4], size[::-1], interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"images/{number}.jpg"), smooth)
    lines = [f"an image {number}.png {number * 7 - 3}\n" for number in range(len(_SIZES))]
    lines[2] = "an image 2.png word\n"  # the label 0
    (folder / "all.txt").write_text("".join(f"images/{line}" for line in lines))
    (folder / "alike.txt").write_text("".join(lines[i] for i in (0, 1, 4, 6)))
    (folder / "one each.txt").write_text("".join(lines).rstrip("\n"))
    (folder / "jpegs.txt").write_text("".join(f"{number}.jpg {number}\n" for number in range(5)))
    for name, count in (("a", 4), ("b", 3), ("c", 6)):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["x"] = rng.standard_normal((count, 2, 3))
            file["y"] = rng.integers(0, 9, count)
            file["other x"], file["other y"] = file["x"], np.arange(count, dtype=np.uint8)
    (folder / "one.txt").write_text("c.h5\n")
    (folder / "three.txt").write_text("a.h5 b.h5\n\nc.h5")
    windows = ""
    for number, (height, width) in enumerate(_SIZES):
        boxes = [(1 + number % 3, 0.9, 2, 3, width - 4, height - 2), (2, 0.5, 0, 0, 5, 7)]
        boxes += [(0, 0.1, 1, 1, 9, 5), (3, 0.45, 0, 0, 3, 3), (0, 0, 7, 2, width - 1, height - 1)]
        rows = "".join(" ".join(map(str, box)) + "\n" for box in boxes)
        windows += f"# {number}\nimages/{number}.jpg\n3\n{height}\n{width}\n{len(boxes)}\n{rows}"
    (folder / "windows.txt").write_text(windows)
    mean = caffe_pb.BlobProto(num=1, channels=3, height=15, width=14)
    mean.data.extend(rng.uniform(90, 150, 3 * 15 * 14).astype(np.float32))
    (folder / "three.binaryproto").write_bytes(mean.SerializeToString())


_IMAGES = """layer {{ name: "d" type: "ImageData" top: "data" top: "label"
  transform_param {{ {transform} }} image_data_param {{ {fields} }} }}"""
_WINDOWS = """layer {{ name: "d" type: "WindowData" top: "data" top: "label"
  transform_param {{ crop_size: 12 {transform} }}
  window_data_param {{ source: "windows.txt" batch_size: 5 {fields} }} }}"""
_ALIKE = 'source: "alike.txt" root_folder: "images/" batch_size: 3'
_LARGE_MEAN = 'mean_file: "three.binaryproto"'

_IMAGE_NETS = (
    ("", _ALIKE),
    ("mirror: true scale: 0.5", f"{_ALIKE} shuffle: true"),
    ("mean_value: 100 mean_value: 120 mean_value: 90", f"{_ALIKE} rand_skip: 3"),
    ("mean_value: 100", f"{_ALIKE} is_color: false shuffle: true rand_skip: 4"),
    ("crop_size: 11 mirror: true", 'source: "all.txt" batch_size: 4 shuffle: true'),
    ("crop_size: 13", 'source: "all.txt" batch_size: 16 new_height: 17 new_width: 18'),
    ("", 'source: "one each.txt" root_folder: "images/"'),
    (
        "mirror: true",
        'source: "jpegs.txt" root_folder: "images/" batch_size: 2 new_height: 31 new_width: 9',
    ),
)
_WINDOW_NETS = (
    ("", ""),
    ("mirror: true mean_value: 100", "fg_fraction: 0.5 scale: 0.5"),
    ("mean_value: 90 mean_value: 100 mean_value: 110", "context_pad: 2 cache_images: true"),
    (f"mirror: true {_LARGE_MEAN}", 'context_pad: 3 crop_mode: "square" fg_fraction: 0.7'),
    ("mirror: true", 'crop_mode: "square" fg_threshold: 0.4 bg_threshold: 0.05'),
)
_HDF5 = """layer {{ name: "d" type: "HDF5Data" top: "x" top: "y"
  hdf5_data_param {{ source: "three.txt" batch_size: 5 {shuffle} }} }}
layer {{ name: "e" type: "HDF5Data" top: "other x" top: "other y"
  hdf5_data_param {{ source: "one.txt" batch_size: 4 {shuffle} }} }}"""
#: No others shuffle by rand(): in real Caffe's process these two are the first to do so.
_HDF5_NETS = (_HDF5.format(shuffle=""), _HDF5.format(shuffle="shuffle: true"))

#: (layer type, net)
NETS = [
    *(("ImageData", _IMAGES.format(transform=t, fields=f)) for t, f in _IMAGE_NETS),
    *(("WindowData", _WINDOWS.format(transform=t, fields=f)) for t, f in _WINDOW_NETS),
    *(("HDF5Data", net) for net in _HDF5_NETS),
]
