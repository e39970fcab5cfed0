"""A trained net over its test LMDB, image by image, beside the trivial answers."""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from gcnet_caffe import files
from gcnet_caffe.analysis.classification import classification, write_predictions
from gcnet_caffe.analysis.images import image_scores, read_images, sheet
from gcnet_caffe.caffe_tool import run_python
from gcnet_caffe.data.test_records import read_classes, read_test_records
from gcnet_caffe.schema import read_net

#: Image blob of a deploy net -> channel of the Datum that it should equal.
IMAGE_TARGETS = {
    "generated_reference": 1,
    "reconstructed_reference": 1,
    "reconstructed_query": 0,
    "reconstruction": 0,
}


def evaluate(model, weights, data, forward):
    """Run the deploy net `model` over `data`/test_lmdb and score what it gives.

    Parameters
    ----------
    model, weights : path
        Deploy prototxt and .caffemodel.
    data : path
        Folder of `test_lmdb`, and of `train_lmdb` for the constant predictors; what packing wrote
        beside them (`test.csv`, `packed.json`) is used where it is there.
    forward : callable
        (model, weights, lmdb, blobs) -> {blob: array}, by one engine or the other.

    Returns
    -------
    scores : dict
        `images`: how many; where the net classifies, what `classification` returns; and
        `image_scores` of each image blob.
    outputs : dict
        `records` (`Records` of the test LMDB), `about` (its `classes` and `records`, as
        `classification` takes them) and the blobs.
    """
    tops = {top for layer in read_net(model).layer for top in layer.top}
    blobs = [blob for blob in ("prob", "feature", "delta", *IMAGE_TARGETS) if blob in tops]
    test = read_images(Path(data) / "test_lmdb")
    outputs = forward(model, weights, Path(data) / "test_lmdb", blobs)
    scores = {"images": len(test.labels)}
    about = {"classes": read_classes(data), "records": read_test_records(data, test.keys)}
    if "prob" in blobs:
        scores.update(classification(outputs["prob"], test.labels, **about, origin=model))
    wanted = [blob for blob in IMAGE_TARGETS if blob in blobs]
    train = read_images(Path(data) / "train_lmdb").images if wanted else None
    for blob in wanted:
        channel = IMAGE_TARGETS[blob]
        queries = test.images[:, 0] if channel else None
        scores[blob] = image_scores(
            outputs[blob][:, 0], test.images[:, channel], train[:, channel], queries
        )
    return scores, {"records": test, "about": about, **outputs}


def write_evaluation(scores, outputs, folder, columns=12):
    """Write evaluation.json, predictions.csv, features.npz and faces.png to `folder`.

    features.npz holds `feature` (N x 384, what the last layer reads), `labels` and `keys`.
    """
    folder = Path(folder)
    records = outputs["records"]
    if "prob" in outputs:
        path, about = folder / "predictions.csv", outputs["about"]
        write_predictions(path, records.keys, records.labels, outputs["prob"], "prob", **about)
    if "feature" in outputs:
        feature = outputs["feature"]
        with files.atomic(folder / "features.npz", overwrite=True) as scratch:
            np.savez(scratch, feature=feature, labels=records.labels, keys=records.keys)
    rows = _picture_rows(outputs, columns)
    if len(rows) > 1:
        with files.atomic(folder / "faces.png", overwrite=True) as scratch:
            cv2.imwrite(str(scratch), sheet(rows))
    files.write_text(folder / "evaluation.json", json.dumps(scores, indent=2) + "\n")


def _picture_rows(outputs, columns):
    """Query, true reference, then what the net made of them; `columns` images spread evenly."""
    records = outputs["records"]
    chosen = np.linspace(0, len(records.labels) - 1, min(columns, len(records.labels))).astype(int)
    rows = [records.images[chosen, channel] for channel in range(records.images.shape[1])]
    rows += [outputs[blob][chosen, 0] for blob in IMAGE_TARGETS if blob in outputs]
    return [list(row) for row in rows]


def by_torch(model, weights, lmdb, blobs):
    """The `forward` of `evaluate` by the torch engine."""
    from gcnet_caffe.analysis.engine_forward import forward

    return forward(model, weights, lmdb, blobs)


def by_real_caffe(model, weights, lmdb, blobs):
    """The `forward` of `evaluate` by real Caffe."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        out = Path(folder) / "blobs.npz"
        run_python("gcnet_caffe.analysis.pycaffe_forward", model, weights, lmdb, out, *blobs)
        with np.load(out) as found:
            return {blob: found[blob] for blob in blobs}


#: Engine -> the `forward` of `evaluate`.
ENGINES = {"torch": by_torch, "caffe": by_real_caffe}
