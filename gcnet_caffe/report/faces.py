"""Rows of faces: the test images that are shown, what a trained net makes of them, the picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import NO_FILE, GcnetError
from gcnet_caffe.evaluation.evaluation import forward
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.inference.images import Records, sheet
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.packing.record_table import RecordRow, read_test_records
from gcnet_caffe.report.pictures import blank, class_name, figure_pixels, png_uri, style

_COLUMNS = 8
#: What is known of a record without a test.csv.
_UNKNOWN = RecordRow(*[""] * len(RecordRow._fields))


def made_by(
    model: Path, folder: ResultFolder, images: NDArray[np.float32], blobs: Collection[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the images that a trained net makes.

    Parameters
    ----------
    model : Path
        The deploy prototxt.
    folder : ResultFolder
        The folder of the net's weights.
    images : (N, C, 64, 64) array
        As `Records` has them.
    blobs : collection of str

    Returns
    -------
    dict
        Blob -> (N, 64, 64) array, values 0..1.

    Raises
    ------
    GcnetError
        A file is missing, or torch is.
    """
    for path in (model, folder.weights):
        if not path.is_file():
            raise GcnetError(f"{path}: {NO_FILE}")
    made = forward(open_network("torch", model, folder.weights, list(blobs)), images)
    return {blob: array[:, 0] for blob, array in made.items()}


def chosen_faces(records: Records, data: Path) -> list[int]:
    """Return the places of the most intense query of each expression, the subjects taking turns.

    Parameters
    ----------
    records : Records
        Of the test LMDB.
    data : Path
        Its folder. Without a test.csv there, the first query of each expression is taken.

    Returns
    -------
    list of int
        Places in `records`, by rising label.
    """
    rows = read_test_records(data, records.keys) or [_UNKNOWN] * len(records.keys)
    seen: set[str] = set()
    chosen = []
    for label in np.unique(records.labels)[:_COLUMNS]:
        places = np.flatnonzero(records.labels == label).tolist()
        best = min(places, key=lambda i: (rows[i].subject in seen, -int(rows[i].rank or 0), i))
        seen.add(rows[best].subject)
        chosen.append(best)
    return chosen


def draw_faces(
    rows: Mapping[str, NDArray[np.float32]], classes: Sequence[str], labels: NDArray[np.int64]
) -> str:
    """Draw rows of faces, the expressions above; return a data URI.

    Parameters
    ----------
    rows : mapping
        Name of a row -> (N, 64, 64) array, values 0..1.
    classes : sequence of str
    labels : (N,) array of int
    """
    picture = sheet([list(row) for row in rows.values()], scale=1)
    high, wide = picture.shape[0] / len(rows), picture.shape[1] / len(labels)
    titles = [class_name(classes, int(label)) for label in labels]
    with style():
        figure = blank((picture.shape[1] / 64, picture.shape[0] / 64), layout=None)
        axis = figure.subplots()
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
        axis.set_xticks([(i + 0.5) * wide for i in range(len(titles))], titles)
        axis.set_yticks([(i + 0.5) * high for i in range(len(rows))], list(rows))
        axis.tick_params(length=0)
        axis.xaxis.tick_top()
        axis.spines[:].set_visible(False)
        return png_uri(figure_pixels(figure))
