"""Score a trained deploy net on its test LMDB, image by image.

It prints the accuracy, and for comparison that of always answering the largest class. For each
image that the net generates it prints the error (mse), PSNR and SSIM, and those of simple answers:
the mean image of the training set, the query itself, another subject's image. Queries that are
their own reference, as neutral ones may be, are scored apart from the others. With an identity net
it also prints the cosine distance of the embeddings. Where the test.csv of `gcnet make-lmdb` has
sequences, the accuracy per sequence (the majority of its frames) is printed, too.

It writes evaluation.json (with recall and confusion matrix), predictions.csv, features.npz (the 384
features of each image) and faces.png: the query, the true reference, then the net's images.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from gcnet_caffe.cli._options import add_engine_flag
from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference.network import ENGINES

OLD_SPELLINGS = {"--model": "--net", "--identity-model": "--identity-net"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--net", required=True, metavar="FILE", help="deploy prototxt")
    parser.add_argument("--weights", required=True, metavar="FILE", help="its .caffemodel")
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="folder of test_lmdb; for a net that generates images also of train_lmdb, whose mean "
        "image is compared",
    )
    parser.add_argument(
        "--identity-net", metavar="FILE", help="deploy prototxt of pretrain-identity"
    )
    text = "its .caffemodel; the two measure how well identity is kept"
    parser.add_argument("--identity-weights", metavar="FILE", help=text)
    parser.add_argument(
        "--own-reference",
        action="store_true",
        help="also classify each query with its true reference in the place of the generated one",
    )
    parser.add_argument(
        "--no-images",
        dest="images",
        action="store_false",
        help="classify only: no score of the images that the net makes, and no train_lmdb needed",
    )
    add_engine_flag(parser, ENGINES)
    parser.add_argument("-o", "--output", required=True, help="folder to write", metavar="DIR")


def run(args: argparse.Namespace) -> None:
    if bool(args.identity_net) != bool(args.identity_weights):
        raise UsageError("wanted --identity-net and --identity-weights together")
    from gcnet_caffe.evaluation.evaluation import evaluate, write_evaluation

    identity = (args.identity_net, args.identity_weights) if args.identity_net else None
    scores, outputs = evaluate(
        args.net,
        args.weights,
        args.data,
        args.engine,
        identity,
        args.own_reference,
        args.images,
    )
    write_evaluation(scores, outputs, args.output)
    print_accuracy(scores)
    for name, found in scores.items():
        if isinstance(found, dict) and "mse" in found:
            values = " ".join(f"{key} {value:.4g}" for key, value in found.items())
            print(f"{name}: {values}")
    if args.own_reference:
        _print_references(scores["own_reference"])


def print_accuracy(scores: Mapping[str, Any]) -> None:
    """Print how many images there were and, of a classifier, its accuracies."""
    print(f"{scores['images']} test images")
    if "accuracy" in scores:
        chance = f"always guessing the largest class: {scores['chance']:.4f}"
        print(f"accuracy {scores['accuracy']:.4f} ({chance})")
    if "sequences" in scores:
        print(f"accuracy {scores['sequence_accuracy']:.4f} of {scores['sequences']} sequences")
    if "note" in scores:
        print(scores["note"])


def _print_references(found: Mapping[str, Any]) -> None:
    left_out = f"; {found['left_out']} that are their own reference are left out"
    print(f"{found['images']} images{left_out if found['left_out'] else ''}")
    for kind in ("generated", "own"):
        scores = found[kind]
        names = scores.get("classes") or {label: label for label in scores["recall"]}
        recall = ", ".join(f"{names[label]} {r:.3f}" for label, r in scores["recall"].items())
        only = f"{found[f'only_{kind}']} right with this one only"
        print(f"{kind} reference: accuracy {scores['accuracy']:.4f} ({recall}), {only}")
