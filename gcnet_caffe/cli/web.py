"""Serve a page for a browser on this machine: give it a picture, see the expressions of its faces.

For each face it shows the aligned query, the neutral reference (generated, or a second picture that
was given), where the two differ, and the probabilities. Its second tab shows the camera live, with
the expression on each face. Pictures stay on this machine and are deleted at the end; nothing is
loaded from other machines. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys

from gcnet_caffe.cli._options import (
    add_detector_flag,
    add_engine_flag,
    add_model_flag,
)
from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference.network import ENGINES

OLD_SPELLINGS = {"--backend": "--engine"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_flag(parser)
    add_engine_flag(parser, ENGINES)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; the default is for this machine only",
    )
    parser.add_argument("--port", type=int, help="default: the first free one from 7860")
    parser.add_argument(
        "--max-upload",
        type=float,
        default=20,
        metavar="MB",
        help="largest picture, megabytes",
    )
    add_detector_flag(parser, "which finds the faces")


def run(args: argparse.Namespace) -> None:
    if not args.max_upload > 0:
        raise UsageError(f"--max-upload {args.max_upload}: wanted more than 0")
    if args.port is not None and not 1 <= args.port <= 65535:
        raise UsageError(f"--port {args.port}: wanted 1 to 65535")
    from gcnet_caffe import Recognizer
    from gcnet_caffe.web.page import serve, wait

    recognizer = Recognizer.load(args.model, args.engine, args.detector_model)
    if args.host not in ("127.0.0.1", "localhost", "::1"):
        print(
            f"gcnet web: everyone who can reach {args.host} can use the page and send it pictures",
            file=sys.stderr,
        )
    with serve(recognizer, args.host, args.port, args.max_upload) as address:
        print(address, flush=True)
        wait()
