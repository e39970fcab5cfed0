"""Why a network is as good as it is: what its blobs know, whether its losses fight, its reference.

    python -m benchmarks.why RUN/nets/default/S1R1/fold*/seed1 -o why.json

FOLDER is that of a finished training of `gcnet run`. For each it prints three tables:

- probes: a logistic regression on each blob of the training faces (those that are not augmented),
  and its accuracy on the test faces. The weight of its penalty is chosen in three-fold
  cross-validation by subject over the training faces.
- gradients: the cosine between the gradients of each two losses at the parameters of each part of
  the network, mean and standard deviation over some training batches with the final weights (1: the
  losses pull the same way; -1: against each other), and the length of each gradient, times the
  weight of its loss.
- references: the accuracy with the generated reference, with the true one in its place, and with
  the query itself. Queries that are their own reference are left out. Differences have 95 %
  intervals over the test subjects.

All runs on the CPU. OUT has the same numbers as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.net import open_trained
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.evaluation.evaluation import forward
from gcnet_caffe.evaluation.run_folder import ResultFolder, RunFolder
from gcnet_caffe.files import write_text
from gcnet_caffe.formats.net_state import layers_in_test
from gcnet_caffe.inference.images import Records, read_images
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.inference.own_reference import open_with_own_reference
from gcnet_caffe.nets.layer_names import (
    DECODER_1,
    DELTA,
    ENCODER_1,
    ENCODER_2,
    FC_LAYERS,
    FEATURE,
    GENERATED_REFERENCE,
    LOSS_CLASSIFICATION,
    LOSS_CONTRASTIVE,
    LOSS_GENERATION,
    LOSS_QUERY,
    LOSS_REFERENCE,
    PROB,
    QUERY_EMBEDDING,
    REFERENCE_EMBEDDING,
)
from gcnet_caffe.packing.provenance import read_classes
from gcnet_caffe.packing.record_table import read_test_records
from gcnet_caffe.report.answers import Answers
from gcnet_caffe.report.compare import bootstrap

#: Blob -> its name in the table.
BLOBS = {
    f"{ENCODER_1}_pool3": "generator's code",
    QUERY_EMBEDDING: "query's representation",
    REFERENCE_EMBEDDING: "reference's representation",
    DELTA: "delta",
    FEATURE: "fc features",
}
PIXELS, DIFFERENCE = "pixels of the query", "difference of the two"
#: Name of a loss in the table -> the losses of the net that are added up.
LOSSES = {
    "classification": (LOSS_CLASSIFICATION,),
    "contrastive": (LOSS_CONTRASTIVE,),
    "generation": (LOSS_GENERATION,),
    "reconstruction": (LOSS_QUERY, LOSS_REFERENCE),
}
#: Name of a part in the table -> first words of its layers.
PARTS = {
    "generator, encoder": (f"{ENCODER_1}_",),
    "generator, decoder": (f"{DECODER_1}_",),
    "contrastive encoder": (f"{ENCODER_2}_",),
    "fc layers": FC_LAYERS,
}
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # C of the logistic regression: the inverse of it
_FOLDS = 3
_PROBE_ITERATIONS = 2000  # of the solver, at most

_Array = NDArray[np.float32]
_Scores = dict[str, Any]


def main() -> None:
    """Print the tables of each folder, and write the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("-o", "--output", metavar="JSON", help="file to write")
    parser.add_argument("--batches", type=int, default=20, help="for the gradients; default: 20")
    args = parser.parse_args()
    try:
        found = {str(folder): _why(folder, args.batches) for folder in args.folders}
    except GcnetError as error:
        raise SystemExit(f"why: error: {error}") from None
    if args.output:
        write_text(args.output, json.dumps(found, indent=1) + "\n")


def _why(folder: Path, batches: int) -> dict[str, Any]:
    run = RunFolder.around(folder)
    if run is None:
        raise UsageError(f"{folder}: wanted the folder of a training inside a run")
    place = folder.resolve().relative_to(run.path.resolve()).as_posix()
    job = run.plan()["training"].get(place)
    if job is None:
        raise UsageError(f"{folder}: no training of the run's plan.json")
    net, data = ResultFolder(folder.resolve()), run.path.resolve() / job["data"]
    found = {
        "probes": probes(net, data, run.manifest("train")),
        "gradients": gradients(net, run.path, batches),
        "references": references(net, data),
    }
    print(f"{place}\n")
    _print(found)
    return found


def probes(net: ResultFolder, data: Path, manifest: Path) -> dict[str, _Scores]:
    """Return how well a linear classifier reads the expression off each blob.

    Parameters
    ----------
    net : ResultFolder
        Of a finished training.
    data : Path
        Its LMDBs.
    manifest : Path
        What they were packed from: it knows the subjects.

    Returns
    -------
    dict
        Name of a blob -> `accuracy` (0..1) on the test faces, `train` on the training faces,
        `values`, how many numbers it has, and `C`, the penalty that was chosen.
    """
    tops = {top for layer in layers_in_test(net.deploy) for top in layer.top}
    blobs = [blob for blob in BLOBS if blob in tops]
    network = open_network("torch", net.deploy, net.weights, blobs)
    train, test = read_images(data / "train_lmdb", "_000"), read_images(data / "test_lmdb")
    known = train.labels < len(read_classes(data) or ())
    train = Records([*compress(train.keys, known)], train.labels[known], train.images[known])
    rows = read_manifest(manifest)
    # a key has the row's number, from 1
    subjects = [rows[int(key.split("_")[1]) - 1].subject for key in train.keys]
    features = [_features(forward(network, found.images), found) for found in (train, test)]
    return {
        name: _probe(*(one[name] for one in features), train.labels, test.labels, subjects)
        for name in features[0]
    }


def _features(blobs: Mapping[str, _Array], records: Records) -> dict[str, _Array]:
    found = {PIXELS: records.images[:, 0], **{BLOBS[blob]: blobs[blob] for blob in blobs}}
    if REFERENCE_EMBEDDING in blobs:
        found[DIFFERENCE] = blobs[QUERY_EMBEDDING] - blobs[REFERENCE_EMBEDDING]
    return {name: values.reshape(len(values), -1) for name, values in found.items()}


def _probe(
    train: _Array,
    test: _Array,
    labels: NDArray[np.int64],
    test_labels: NDArray[np.int64],
    subjects: Sequence[str],
) -> _Scores:
    # a rotation: it changes no distance, and leaves no more axes than there are faces
    prepared = make_pipeline(StandardScaler(), PCA(random_state=0)).fit(train)
    fitted = GridSearchCV(
        LogisticRegression(max_iter=_PROBE_ITERATIONS),
        {"C": PENALTIES},
        cv=GroupKFold(min(_FOLDS, len(set(subjects)))),
    ).fit(prepared.transform(train), labels, groups=subjects)
    return {
        "accuracy": float(fitted.score(prepared.transform(test), test_labels)),
        "train": float(fitted.score(prepared.transform(train), labels)),
        "values": train.shape[1],
        "C": fitted.best_params_["C"],
    }


def gradients(net: ResultFolder, run: Path, batches: int) -> dict[str, dict[str, _Scores]]:
    """Return how the gradients of the losses lie to each other, over batches of the training data.

    Parameters
    ----------
    net : ResultFolder
        Of a finished training.
    run : Path
        The folder that the paths of its prototxt start from.
    batches : int
        How many.

    Returns
    -------
    dict
        Part of the network -> "A, B" -> `mean` and `std` of the cosine; and A -> those of the
        gradient's length, which has the loss weight in it.
    """
    before = Path.cwd()
    os.chdir(run)
    try:
        opened = open_trained(net.train_test, net.weights, phase=TRAIN, seed=1)
        weights, names = opened.loss_weights, opened.blob_names
        learnable = [one for one in opened.learnable if one.param.requires_grad]
        groups = {
            part: [one.param for one in learnable if one.owner.name.startswith(layers)]
            for part, layers in PARTS.items()
        }
        groups = {part: params for part, params in groups.items() if params}
        found: dict[str, dict[str, list[float]]] = {part: {} for part in groups}
        for _ in range(batches):
            _, values = opened.run_keeping(opened.next_batch())
            tops = {names[number]: value for number, value in values.items()}
            losses = {
                name: sum(weights[top] * tops[top].sum() for top in tops_of if top in weights)
                for name, tops_of in LOSSES.items()
                if any(top in weights for top in tops_of)
            }
            for part, params in groups.items():
                _add(found[part], losses, params)
    finally:
        os.chdir(before)
    return {
        part: {
            name: {"mean": float(np.mean(v)), "std": float(np.std(v))} for name, v in rows.items()
        }
        for part, rows in found.items()
    }


def _add(
    found: dict[str, list[float]],
    losses: Mapping[str, torch.Tensor],
    params: Sequence[torch.nn.Parameter],
) -> None:
    """Add the lengths and cosines of one batch; a loss that does not reach a part has none."""
    vectors = {}
    for name, loss in losses.items():
        parts = torch.autograd.grad(loss, params, retain_graph=True, allow_unused=True)
        if any(part is not None for part in parts):
            flat = [
                (torch.zeros_like(param) if part is None else part).flatten()
                for param, part in zip(params, parts)
            ]
            vectors[name] = torch.cat(flat).double()
    for name, vector in vectors.items():
        found.setdefault(name, []).append(float(vector.norm()))
    for one, other in itertools.combinations(vectors, 2):
        cosine = torch.cosine_similarity(vectors[one], vectors[other], dim=0, eps=1e-30)
        found.setdefault(f"{one}, {other}", []).append(float(cosine))


def references(net: ResultFolder, data: Path) -> dict[str, _Scores]:
    """Return the accuracy with other references than the generated one; {} of a net without.

    Parameters
    ----------
    net : ResultFolder
        Of a finished training.
    data : Path
        Its LMDBs.

    Returns
    -------
    dict
        `generated`, `true`, `query` -> `accuracy` (0..1) of the queries that are not their own
        reference, and `images`, how many; of the last two also `difference` from the first and its
        `interval`, or null.
    """
    if not any(GENERATED_REFERENCE in layer.top for layer in layers_in_test(net.deploy)):
        return {}
    test = read_images(data / "test_lmdb")
    kept = (test.images[:, 0] != test.images[:, 1]).any((1, 2))
    images, labels = test.images[kept], test.labels[kept]
    records = read_test_records(data, test.keys) or []
    rows = [{"key": row.key, "subject": row.subject} for row in compress(records, kept)]
    usual = open_network("torch", net.deploy, net.weights, [PROB])
    given = open_with_own_reference("torch", net.deploy, net.weights, [PROB])
    answers = {
        name: Answers(rows, (forward(network, shown)[PROB].argmax(1) == labels)[None])
        for name, network, shown in (
            ("generated", usual, images),
            ("true", given, images),
            ("query", given, images[:, [0, 0]]),
        )
    }
    found: dict[str, _Scores] = {}
    for name, answer in answers.items():
        found[name] = {"accuracy": answer.accuracies[0], "images": len(labels)}
        if name != "generated":
            interval, _ = bootstrap([(answer, answers["generated"])])
            found[name]["difference"] = answer.accuracies[0] - answers["generated"].accuracies[0]
            found[name]["interval"] = interval and list(interval)
    return found


def _print(found: Mapping[str, Any]) -> None:
    _table(
        ("linear probe on", "test %", "train %", "values", "C"),
        (
            (name, _percent(s["accuracy"]), _percent(s["train"]), str(s["values"]), f"{s['C']:g}")
            for name, s in found["probes"].items()
        ),
    )
    _table(
        ("gradients at", "cosine of (or length)", "mean", "std"),
        (
            (part, name, f"{s['mean']:+.3g}", f"{s['std']:.2g}")
            for part, rows in found["gradients"].items()
            for name, s in rows.items()
        ),
    )
    _table(
        ("reference", "test %", "points from generated", "95 % interval"),
        (
            (
                name,
                _percent(s["accuracy"]),
                f"{100 * s['difference']:+.1f}" if "difference" in s else "",
                "{:+.1f} to {:+.1f}".format(*(100 * end for end in s["interval"]))
                if s.get("interval")
                else "",
            )
            for name, s in found["references"].items()
        ),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [columns, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines if len(lines) > 1 else ():
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    print()


if __name__ == "__main__":
    main()
