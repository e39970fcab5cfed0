"""Write a trained network as one ONNX file, for ONNX Runtime and whatever else reads such files.

MODEL is a model folder or the folder of a run's training; by default the small synthetic network
that comes with this package. The file's metadata hold classes, preprocessing and origin. Any other
deploy net is told by --model and --weights; its file has no such metadata. The batch may have any
size; blobs keep Caffe's names; the file is checked by ONNX's own checker.
"""

from pathlib import Path

from gcnet_caffe.engine import import_torch
from gcnet_caffe.errors import UsageError
from gcnet_caffe.onnx import import_onnx


def add_arguments(parser):
    parser.add_argument("folder", nargs="?", metavar="MODEL", help="where the network is")
    parser.add_argument("--model", help="deploy prototxt", metavar="FILE")
    parser.add_argument("--weights", help=".caffemodel", metavar="FILE")
    parser.add_argument("-o", "--output", default="model.onnx", help="file to write")


def run(args):
    loose = args.model, args.weights
    if any(loose) and (args.folder or not all(loose)):
        raise UsageError("wanted MODEL, or --model and --weights together")
    import_torch()
    import_onnx()
    from gcnet_caffe.inference.onnx_file import model_onnx
    from gcnet_caffe.onnx.export import OPSET, onnx_model, write_onnx
    from gcnet_caffe.recognition.run_folder import open_model

    made = onnx_model(*loose) if any(loose) else model_onnx(open_model(args.folder))
    write_onnx(made, args.output)
    size = Path(args.output).stat().st_size / 1e6
    outputs = ", ".join(output.name for output in made.graph.output)
    print(f"{args.output}: {made.graph.name}, opset {OPSET}, {size:.1f} MB, gives {outputs}")
