"""CASIA-WebFace: faces with identities for the pre-trainings, as folders or as RecordIO.

  folders   [CASIA-WebFace/]0000045/001.jpg, one folder per identity; numbers may be missing
  RecordIO  [faces_webface_112x112/]train.rec with train.idx; the file property is not used

Both conventions of RecordIO are read: with a first record that says which records are images, and
the newer one without it. Crops are aligned to the ArcFace template (112x112; 128x128 with a wider
border; or multiples), so their landmarks are known without detection. Images stay in train.rec: the
manifest gives the byte at which each begins.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.readers._common import add_root, existing, first_of, folders_in, images_in
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.faces.recordio import read_image_record, read_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The five points of an ArcFace crop of 112x112 (insightface, face_align.py).
_ARCFACE_POINTS = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)


def _arcface_points(shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Return the five points of an ArcFace crop of `shape` (height, width).

    Crops of 112 pixels (or a multiple) are the template itself; those of 128 have 8 pixels more on
    each side.

    Parameters
    ----------
    shape : (height, width)
        In pixels.

    Returns
    -------
    (5, 2) ndarray, or None
        x, y in pixels; None for crops of another size.

    References
    ----------
    insightface, face_align.py, estimate_norm.
    """
    height, width = shape
    if height != width or (width % 112 and width % 128):
        return None
    if width % 112 == 0:
        return _ARCFACE_POINTS * (width / 112)
    return (_ARCFACE_POINTS + (8, 0)) * (width / 128)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "folder of the identities, or of train.rec", "CASIA-WebFace")


def read(root: str | Path, source: str = "CASIA-WebFace") -> tuple[list[Row], Survey]:
    """List the images of CASIA-WebFace with their identities.

    Parameters
    ----------
    root : str or Path
    source : str
        Name of the data set, for the manifest.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder.
    ManifestError
        It is neither form of the data set, or a record is broken.
    """
    names = ("", "train.rec", "CASIA-WebFace", "faces_webface_112x112", "casia-webface")
    top = first_of(
        existing(root), names, _is_webface, "identities (0000045/001.jpg, ...) or train.rec"
    )
    survey = Survey(where=top)
    file = _record_file(top)
    rows = _records(file, source, survey) if file else _tree(top, source, survey)
    known: dict[str, tuple[int, object]] = {
        "identities": (len({row.subject for row in rows}), "10,575 or, cleaned, 10,572"),
        "images": (len(rows), "494,414 or, cleaned, 490,623"),
    }
    return survey.finished(rows, "image below its numeric folders", known)


def _is_webface(path: Path) -> bool:
    return _record_file(path) is not None or bool(_identities(path))


def _record_file(path: Path) -> Path | None:
    path = path if path.suffix == ".rec" else path / "train.rec"
    return path if path.is_file() else None


def _identities(folder: Path) -> list[Path]:
    return folders_in(folder, r"\d+")


def _tree(top: Path, source: str, survey: Survey) -> list[Row]:
    rows = []
    for folder in _identities(top):
        images = images_in(folder, survey)
        if not images:
            survey.skipped["identities without images"] += 1
        rows += [Row(path=str(path), subject=folder.name, source=source) for path in images]
    return rows


def _records(file: Path, source: str, survey: Survey) -> list[Row]:
    index = read_index(file.with_suffix(".idx"))
    points, rows = None, list[Row]()
    with open(file, "rb") as stream:
        for key in _image_keys(stream, file, index, survey):
            labels, _, _ = _record(stream, file, index, key)
            if not labels or not labels[0] >= 0 or labels[0] % 1:
                raise ManifestError(
                    f"{file}: record {key}: label {shown(labels)}; wanted 0, 1, 2, ..."
                )
            path = f"{file}#{index[key]}"
            points = _arcface_points(read_grey(path).shape) if not rows else points
            rows.append(
                Row(
                    path=path,
                    subject=str(int(labels[0])),
                    source=source,
                    landmarks=points,
                    route="" if points is None else "constant",
                )
            )
    return rows


def _image_keys(
    stream: BinaryIO, file: Path, index: dict[int, int], survey: Survey
) -> Sequence[int]:
    """The keys of the image records, whichever convention the file follows."""
    keys = sorted(index)
    labels, _, flag = _record(stream, file, index, keys[0])
    if flag == 0 or len(labels) < 2:
        return keys
    images = range(1, int(labels[0]))
    if not images or not all(key in index for key in images):
        raise ManifestError(
            f"{file}: record {keys[0]} says that there are images 1 to {int(labels[0]) - 1}, "
            f"and the index has {len(keys)} records"
        )
    survey.skipped["records that are no image"] += len(keys) - len(images)
    return images


def _record(
    stream: BinaryIO, file: Path, index: dict[int, int], key: int
) -> tuple[tuple[float, ...], bytes, int]:
    try:
        return read_image_record(stream, index[key], head_only=True)
    except ValueError as error:
        raise ManifestError(f"{file}: record {key}: {error}") from None
