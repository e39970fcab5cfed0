"""Serve a page to a browser on this machine: a picture in, the expressions of its faces out.

Of each face it shows the aligned query, the neutral reference that the network generated, where the
two differ, and the probabilities. Pictures stay on this machine and are removed at the end; nothing
is fetched from elsewhere. Ctrl-C ends it.
"""

import sys

from gcnet_caffe import Recognizer
from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference.network import ENGINES
from gcnet_caffe.web.page import MAX_UPLOAD, serve, wait


def add_arguments(parser):
    parser.add_argument(
        "--model",
        metavar="DIR",
        help="model folder, or folder of a run's training; by default the synthetic one",
    )
    parser.add_argument("--backend", choices=sorted(ENGINES), default="torch", help="what runs it")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; the default is this machine's own",
    )
    parser.add_argument("--port", type=int, help="by default the first free one from 7860 on")
    parser.add_argument(
        "--max-upload", type=float, default=MAX_UPLOAD, metavar="MB", help="megabytes of a picture"
    )
    parser.add_argument(
        "--detector-model", metavar="FILE", help="YuNet model; by default the landmarks extra's"
    )


def run(args):
    if not args.max_upload > 0:
        raise UsageError(f"--max-upload {args.max_upload}: wanted more than 0")
    if args.port is not None and not 1 <= args.port <= 65535:
        raise UsageError(f"--port {args.port}: wanted 1 to 65535")
    recognizer = Recognizer.load(args.model, args.backend, args.detector_model)
    if args.host not in ("127.0.0.1", "localhost", "::1"):
        print(
            f"gcnet web: whoever reaches {args.host} can use the page and send it pictures",
            file=sys.stderr,
        )
    with serve(recognizer, args.host, args.port, args.max_upload) as address:
        print(address, flush=True)
        wait()
