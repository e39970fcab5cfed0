"""Write a trained network as one ONNX file, for ONNX Runtime and whatever else reads such files.

By default it writes the small network that comes with this package. --model gives another trained
network; the file's metadata has its classes, preprocessing and origin. --net and --weights give any
other deploy net; its file has no such metadata. The batch may have any size, blobs keep Caffe's
names, and ONNX's own checker checks the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gcnet_caffe.cli import _old_spellings
from gcnet_caffe.cli._options import add_model_flag
from gcnet_caffe.engine import import_torch
from gcnet_caffe.errors import UsageError
from gcnet_caffe.onnx import import_onnx


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old_model", nargs="?", help=argparse.SUPPRESS)
    add_model_flag(parser)
    parser.add_argument("--net", help="deploy prototxt", metavar="FILE")
    parser.add_argument("--weights", help="its .caffemodel", metavar="FILE")
    parser.add_argument(
        "-o", "--output", default="model.onnx", metavar="FILE", help="file to write"
    )


def run(args: argparse.Namespace) -> None:
    if args.old_model:
        _old_spellings.say("gcnet export-onnx", "MODEL", "--model MODEL")
    elif args.model and args.weights and not args.net:
        _old_spellings.say("gcnet export-onnx", "--model FILE", "--net FILE")
        args.net, args.model = args.model, None
    loose = args.net, args.weights
    folder = args.model or args.old_model
    if (args.model and args.old_model) or (any(loose) and (folder or not all(loose))):
        raise UsageError("wanted --model, or --net and --weights together")
    import_torch()
    import_onnx()
    from gcnet_caffe.inference.onnx_file import model_onnx
    from gcnet_caffe.onnx.export import onnx_model, write_onnx
    from gcnet_caffe.onnx.graph import OPSET
    from gcnet_caffe.recognition.find_model import open_model

    made = onnx_model(*loose) if any(loose) else model_onnx(open_model(folder))
    write_onnx(made, args.output)
    size = Path(args.output).stat().st_size / 1e6
    outputs = ", ".join(output.name for output in made.graph.output)
    print(f"{args.output}: {made.graph.name}, opset {OPSET}, {size:.1f} MB, gives {outputs}")
