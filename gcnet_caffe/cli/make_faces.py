"""Render synthetic faces with seven expressions, in the layout of CK+ or of CASIA-WebFace.

Without --identities or --pairs: sequences from neutral to the peak of an expression, in folders
like CK+'s (cohn-kanade-images, Emotion, Landmarks). With --identities: single images of many people
in one folder per person, and a manifest.csv, for pre-training. With --pairs: of each person every
expression, with any strength, and the neutral face in the same light; a manifest.csv names them.

The same command continues after a kill. --kind 3d renders heads; --kind 2d draws simple faces, for
tests: it is quicker and needs no further library.
"""

from __future__ import annotations

import argparse
import re

from gcnet_caffe.cli._options import add_cores_flag, check_least
from gcnet_caffe.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", default="data/synthetic", metavar="DIR", help="folder to write"
    )
    parser.add_argument("--kind", choices=("3d", "2d"), default="3d", help="heads or drawings")
    parser.add_argument("--subjects", type=int, default=30, help="people who show the expressions")
    parser.add_argument("--frames", type=int, default=8, help="frames per sequence, at least 4")
    parser.add_argument(
        "--unlabelled",
        type=float,
        default=0.3,
        help="probability, 0 to 1, that a subject has one more sequence, without a label",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--like-ck",
        action="store_true",
        help="as many people (118) and sequences of each expression (327) as CK+ has labelled",
    )
    what.add_argument(
        "--identities", type=int, help="write single images of this many people, not sequences"
    )
    what.add_argument(
        "--pairs",
        type=int,
        metavar="PEOPLE",
        help="write single images of each expression, each with a neutral reference; 3d only",
    )
    parser.add_argument(
        "--images-per-identity", type=int, default=20, help="images per person, with --identities"
    )
    parser.add_argument("--size", default="240", help="pixels: 240 for a square, or 320x240")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same faces")
    add_cores_flag(parser, "--workers", "worker processes")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.rendering import (
        CK_SUBJECTS,
        write_ck_tree,
        write_identity_tree,
        write_pair_tree,
    )

    check_least(args, subjects=1, frames=4, identities=1, images_per_identity=1, seed=0, workers=1)
    check_least(args, pairs=1)
    if args.pairs is not None and args.kind != "3d":
        raise UsageError("--pairs: only with --kind 3d")
    if not 0 <= args.unlabelled <= 1:
        raise UsageError(f"--unlabelled {args.unlabelled}: wanted a probability, 0 to 1")
    common = {"size": _size(args.size), "seed": args.seed, "workers": args.workers}
    if args.pairs is not None:
        count = write_pair_tree(args.output, args.pairs, **common)
        print(f"{args.output}: {count} images of {args.pairs} people, and manifest.csv")
        return
    common["kind"] = args.kind
    if args.identities is None:
        subjects = CK_SUBJECTS if args.like_ck else args.subjects
        count = write_ck_tree(
            args.output,
            subjects,
            args.frames,
            unlabelled=args.unlabelled,
            like_ck=args.like_ck,
            **common,
        )
        print(f"{args.output}: {count} frames of {subjects} subjects, in CK+'s layout")
    else:
        count = write_identity_tree(
            args.output, args.identities, args.images_per_identity, **common
        )
        print(f"{args.output}: {count} images of {args.identities} identities, and manifest.csv")


def _size(text: str) -> tuple[int, int]:
    """(width, height) of a text as 240 or 320x240."""
    match = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text)
    width, height = (int(side or match[1]) for side in match.groups()) if match else (0, 0)
    if not 64 <= min(width, height) <= max(width, height) <= 2000:
        raise UsageError(f"--size {text}: wanted 240 or 320x240, each side 64 to 2000 pixels")
    return width, height
