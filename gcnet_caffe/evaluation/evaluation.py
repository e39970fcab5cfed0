"""A trained net over its test LMDB, image by image, beside the trivial answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe import files
from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.errors import GcnetError, LmdbError, NetError
from gcnet_caffe.evaluation.classification import classification, write_predictions
from gcnet_caffe.evaluation.generation import image_scores, others
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.evaluation.told import TOLD
from gcnet_caffe.formats.net_state import layers_in_test
from gcnet_caffe.inference.images import Records, read_images, sheet
from gcnet_caffe.inference.network import Network, open_network
from gcnet_caffe.inference.own_reference import open_with_own_reference
from gcnet_caffe.nets.layer_names import (
    DELTA,
    EMBEDDING,
    FEATURE,
    GENERATED_REFERENCE,
    IMAGE,
    PROB,
    QUERY,
    RECONSTRUCTED_QUERY,
    RECONSTRUCTED_REFERENCE,
    RECONSTRUCTION,
    REFERENCE,
)
from gcnet_caffe.packing.provenance import read_classes
from gcnet_caffe.packing.record_table import RecordRow, read_test_records

#: Image blob of a deploy net -> channel of the Datum that it should equal.
IMAGE_TARGETS = {
    GENERATED_REFERENCE: 1,
    RECONSTRUCTED_REFERENCE: 1,
    RECONSTRUCTED_QUERY: 0,
    RECONSTRUCTION: 0,
}
#: Ends the name of the scores of queries that equal their reference pixel by pixel: neutral ones,
#: and those of a test set without references. The query would be the right answer there.
QUERY_IS_REFERENCE = "_query_is_reference"
#: The names of all image scores.
IMAGE_SCORES = tuple(
    blob + end
    for blob, channel in IMAGE_TARGETS.items()
    for end in ("", QUERY_IS_REFERENCE)[: 1 + channel]
)
#: Input blob of a deploy net -> channel of the Datum that it takes.
CHANNELS = {QUERY: 0, IMAGE: 0, REFERENCE: 1}
#: Images that a net is given at once.
BATCH = 32


def evaluate(
    model: str | Path,
    weights: str | Path,
    data: str | Path,
    engine: str = "torch",
    identity: tuple[str | Path, str | Path] | None = None,
    own_reference: bool = False,
    images: bool = True,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the deploy net `model` over `data`/test_lmdb and score what it gives.

    Parameters
    ----------
    model, weights : str or Path
        Deploy prototxt and .caffemodel.
    data : str or Path
        Folder of `test_lmdb`, and of `train_lmdb` for the constant predictors; what packing wrote
        beside them (`test.csv`, `packed.json`) is read where it is there.
    engine : str
        What runs the nets: one of `inference.network.ENGINES`.
    identity : (path, path), optional
        Deploy net and weights of pretrain-identity: distances of its blob `embedding` show how well
        identity is preserved.
    own_reference : bool
        Whether to classify again with the true references in the place of the generated ones.
    images : bool
        Whether to score the images that the net makes, too; if not, no `train_lmdb` is needed.

    Returns
    -------
    scores : dict
        `images`: how many; where the net classifies, what `classification` returns;
        `generation.image_scores` of each image blob; and with `own_reference` what
        `compare_references` returns. Of a blob that should equal the reference, queries that are
        the reference have scores of their own: see `QUERY_IS_REFERENCE`. `note`, where the net is
        told a part of the answer (see `told`).
    outputs : dict
        `records` (`Records` of the test LMDB), `about` (its `classes` and `records`, as
        `classification` takes them) and the blobs.

    Raises
    ------
    UsageError, NetError, WeightsError, SchemaError
        A net cannot be opened (see `inference.network.open_network`), or has an input that is none
        of `CHANNELS`.
    LmdbError
        An LMDB, test.csv or packed.json cannot be read, or they do not fit each other; the net
        needs references, and the LMDB has none.
    GcnetError
        The net has other classes than the data; real Caffe is not installed.
    """
    tops = {top for layer in layers_in_test(model) for top in layer.top}
    targets = IMAGE_TARGETS if images else {}
    blobs = [blob for blob in (PROB, FEATURE, DELTA, *targets) if blob in tops]
    network = open_network(engine, model, weights, blobs)
    embed = _embedder(engine, *identity) if identity else None
    wanted = [blob for blob in targets if blob in blobs]
    test = read_images(Path(data) / "test_lmdb")
    read = [CHANNELS.get(blob, 0) for blob in network.inputs]
    channels = 1 + max(read + [IMAGE_TARGETS[blob] for blob in wanted])
    if test.images.shape[1] < channels:
        raise LmdbError(
            f"{data}/test_lmdb: records of {test.images.shape[1]} channel, wanted {channels}: "
            "query and reference"
        )
    outputs = forward(network, test.images)
    scores: dict[str, Any] = {"images": len(test.labels)}
    about: dict[str, Any] = {
        "classes": read_classes(data),
        "records": read_test_records(data, test.keys),
    }
    if PROB in blobs:
        scores.update(classification(outputs[PROB], test.labels, **about, origin=model))
        if REFERENCE in network.inputs and NEUTRAL in (about["classes"] or ()):
            scores["note"] = TOLD
    means = read_images(Path(data) / "train_lmdb").images.mean(0) if wanted else test.images[0]
    for blob in wanted:
        channel = IMAGE_TARGETS[blob]
        made, true = outputs[blob][:, 0], test.images[:, channel]
        trivial = _trivial(test, channel, means[channel], about["records"])
        for name, chosen in _kept_apart(blob, test.images).items():
            if chosen.any():
                answers = {key: answer[chosen] for key, answer in trivial.items()}
                scores[name] = image_scores(made[chosen], true[chosen], answers, embed)
    if own_reference:
        net = open_with_own_reference(engine, model, weights, [PROB])
        own = forward(net, test.images)[PROB]
        scores["own_reference"] = compare_references(outputs[PROB], own, test, **about)
    return scores, {"records": test, "about": about, **outputs}


def _is_reference(images: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which of the (N, 2, 64, 64) pairs are the same image twice."""
    same: NDArray[np.bool_] = (images[:, 0] == images[:, 1]).all((1, 2))
    return same


def _kept_apart(blob: str, images: NDArray[np.float32]) -> dict[str, NDArray[np.bool_]]:
    """Return the name of scores -> which of the (N, C, 64, 64) images they are of."""
    if not IMAGE_TARGETS[blob]:
        return {blob: np.ones(len(images), bool)}
    same = _is_reference(images)
    return {blob: ~same, f"{blob}{QUERY_IS_REFERENCE}": same}


def compare_references(
    generated: NDArray[np.float32],
    own: NDArray[np.float32],
    test: Records,
    classes: Sequence[str] | None = None,
    records: Sequence[RecordRow] | None = None,
) -> dict[str, Any]:
    """Score a net with generated references and with true ones, on the same images.

    A query that is its own true reference is left out: it differs from it nowhere, which tells that
    it is neutral without a look at the face.

    Parameters
    ----------
    generated, own : (N, K) array
        `prob` with either kind of reference.
    test : Records
        Of pairs.
    classes, records : optional
        As `classification` takes them.

    Returns
    -------
    dict
        `images`, `left_out`: how many; `generated`, `own`: what `classification` returns;
        `only_generated`, `only_own`: how many images are right with one kind of reference only.

    Raises
    ------
    GcnetError
        Every query is its own reference.
    """
    kept = ~_is_reference(test.images)
    if not kept.any():
        raise GcnetError("every query is its own reference: nothing to compare")
    labels = test.labels[kept]
    about: dict[str, Any] = {
        "classes": classes,
        "records": records and list(compress(records, kept)),
    }
    right = [scores[kept].argmax(1) == labels for scores in (generated, own)]
    return {
        "images": int(kept.sum()),
        "left_out": int((~kept).sum()),
        "generated": classification(generated[kept], labels, **about),
        "own": classification(own[kept], labels, **about),
        "only_generated": int((right[0] & ~right[1]).sum()),
        "only_own": int((right[1] & ~right[0]).sum()),
    }


def _trivial(
    test: Records, channel: int, mean: NDArray[np.float32], records: Sequence[RecordRow] | None
) -> dict[str, NDArray[np.float32]]:
    """The answers that need no net, one for each image: see `generation.image_scores`."""
    trivial = {"mean_image": np.broadcast_to(mean, test.images[:, channel].shape)}
    if channel:  # where the query is not the target itself
        trivial["query"] = test.images[:, 0]
    place = others([record.subject for record in records]) if records else None
    if place:
        trivial["other"] = test.images[place, channel]
    return trivial


def forward(network: Network, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Run a network over images.

    Parameters
    ----------
    network : Network
    images : (N, C, 64, 64) array
        As `Records` has them.

    Returns
    -------
    dict
        The blobs that the network was opened for, each with N rows.

    Raises
    ------
    NetError
        An input of the network is none of `CHANNELS`.
    """
    unknown = [blob for blob in network.inputs if blob not in CHANNELS]
    if unknown:
        raise NetError(f"{network.net}: input {unknown[0]!r}: wanted one of {', '.join(CHANNELS)}")
    channels = {blob: CHANNELS[blob] for blob in network.inputs}
    inputs = {blob: images[:, c : c + 1] for blob, c in channels.items()}
    return network.forward_all(inputs, BATCH)


def _embedder(
    engine: str, net: str | Path, weights: str | Path
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the function from images to the embeddings that the identity net gives."""
    network = open_network(engine, net, weights, [EMBEDDING])
    return lambda images: forward(network, images)[EMBEDDING]


def write_evaluation(
    scores: dict[str, Any], outputs: dict[str, Any], folder: str | Path, columns: int = 12
) -> None:
    """Write evaluation.json, predictions.csv, features.npz and faces.png.

    features.npz has `feature` (N x 384, what the last layer reads), `labels` and `keys`.

    Parameters
    ----------
    scores, outputs : dict
        What `evaluate` returned.
    folder : str or Path
    columns : int
        Test images in faces.png, at most.
    """
    out = ResultFolder(Path(folder))
    records = outputs["records"]
    if PROB in outputs:
        about = outputs["about"]
        write_predictions(
            out.predictions, records.keys, records.labels, outputs[PROB], "prob", **about
        )
    if FEATURE in outputs:
        with files.atomic(out.features, overwrite=True) as scratch:
            np.savez(scratch, feature=outputs[FEATURE], labels=records.labels, keys=records.keys)
    rows = _picture_rows(outputs, columns)
    if len(rows) > 1:
        with files.atomic(out.faces, overwrite=True) as scratch:
            cv2.imwrite(str(scratch), sheet(rows))
    files.write_text(out.evaluation, json.dumps(scores, indent=2) + "\n")


def _picture_rows(outputs: dict[str, Any], columns: int) -> list[list[NDArray[np.float32]]]:
    """Query, true reference, then what the net made of them; `columns` images spread evenly."""
    records = outputs["records"]
    chosen = np.linspace(0, len(records.labels) - 1, min(columns, len(records.labels))).astype(int)
    rows = [records.images[chosen, channel] for channel in range(records.images.shape[1])]
    rows += [outputs[blob][chosen, 0] for blob in IMAGE_TARGETS if blob in outputs]
    return [list(row) for row in rows]
