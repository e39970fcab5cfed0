"""Rows of faces: the test images that are shown, what a trained net makes of them, the picture."""

import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.evaluation import forward
from gcnet_caffe.inference.images import sheet
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.report.pictures import class_name, drawing, figure_pixels, png_uri
from gcnet_caffe.report.run import read_test

_COLUMNS = 8


def made_by(folder, deploy, images, blobs):
    """Return {blob: (N, 64, 64)} of the trained net in `folder`, from `images` as `Records` has.

    Raises
    ------
    GcnetError
        A file is missing, or torch is.
    """
    model, weights = folder / f"{deploy}.prototxt", folder / "weights.caffemodel"
    for path in (model, weights):
        if not path.is_file():
            raise GcnetError(f"{path}: not there")
    made = forward(open_network("torch", model, weights, list(blobs)), images)
    return {blob: array[:, 0] for blob, array in made.items()}


def chosen_faces(records, sheet_path):
    """Places of the most intense query of each expression, the subjects taking turns."""
    try:
        rows = {row["key"]: row for row in read_test(sheet_path)}
    except GcnetError:
        rows = {}
    seen, chosen = set(), []
    for label in np.unique(records.labels)[:_COLUMNS]:
        places = np.flatnonzero(records.labels == label)
        about = [(rows.get(records.keys[i]) or {}) for i in places]
        order = [
            (row.get("subject") in seen, -row.get("rank", 0), i) for row, i in zip(about, places)
        ]
        best = min(order)[2]
        seen.add((rows.get(records.keys[best]) or {}).get("subject"))
        chosen.append(int(best))
    return chosen


def draw_faces(rows, classes, labels):
    """Draw {name: (N, 64, 64) images} row by row, the expressions above; return a data URI."""
    picture = sheet([list(row) for row in rows.values()], scale=1)
    high, wide = picture.shape[0] / len(rows), picture.shape[1] / len(labels)
    titles = [class_name(classes, int(label)) for label in labels]
    with drawing() as plt:
        figure, axis = plt.subplots(figsize=(picture.shape[1] / 64, picture.shape[0] / 64))
        axis.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
        axis.set_xticks([(i + 0.5) * wide for i in range(len(titles))], titles)
        axis.set_yticks([(i + 0.5) * high for i in range(len(rows))], list(rows))
        axis.tick_params(length=0)
        axis.xaxis.tick_top()
        axis.spines[:].set_visible(False)
        return png_uri(figure_pixels(figure))
