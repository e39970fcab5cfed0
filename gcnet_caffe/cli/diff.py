"""Compare a net in our engine with real Caffe, layer by layer: weights, blobs and gradients.

Both sides get the same weights and inputs: images, numbers of a file, or random ones. Without
--weights both fill the net from the same seed. Gradients are compared where the net has a loss, or
`force_backward: true`. The table has, for each layer, the largest difference divided by the largest
number: of its weights, of its tops, and of the gradients that it makes. Under "alone" the layer has
run on the other side's numbers: a large difference there comes from this layer (`*`). A `-` is what
the other side does not have.

The other side is real Caffe, or an .npz file: of --save, or of another Caffe. docs/diff.md has the
line of Python that makes one. The exit status is 0 if all differences are within the tolerance, and
1 if one is not.
"""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._caffe_flags import add_caffe_flags, split_stages
from gcnet_caffe.engine import import_torch
from gcnet_caffe.engine.options import SUMMATIONS
from gcnet_caffe.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("net", help="a net's prototxt", metavar="NET")
    parser.add_argument("--weights", help="its .caffemodel; default: its fillers", metavar="FILE")
    parser.add_argument(
        "--against",
        metavar="caffe|FILE.npz",
        help="the other side: real Caffe (`caffe` on PATH, or the image), or a file; default: "
        "caffe, but with --save none",
    )
    parser.add_argument("--save", metavar="FILE.npz", help="file to write our numbers to")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="picture to write: .png, .jpg, .pdf or .svg"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-4,
        help="largest difference that counts as equal, relative to the largest number of a blob",
        metavar="X",
    )
    parser.add_argument(
        "--summation",
        choices=SUMMATIONS,
        default="torch",
        help="our order of summation: torch, or caffe (CPU Caffe's: the same numbers)",
    )
    parser.add_argument(
        "-phase", "--phase", choices=("TEST", "TRAIN"), default="TEST", help="phase of the net"
    )
    add_caffe_flags(parser, "level", "stage", writes_log=False)
    inputs = parser.add_argument_group("inputs")
    inputs.add_argument(
        "--images", nargs="+", default=(), metavar="IMAGE", help="images, for the first input"
    )
    inputs.add_argument(
        "--raw-scale", type=float, default=255.0, metavar="X", help="factor of pixels of 0..1"
    )
    inputs.add_argument(
        "--mean",
        default="",
        metavar="B,G,R|FILE",
        help="what is then subtracted: a number per channel, or a file (.npy, .binaryproto)",
    )
    inputs.add_argument(
        "--input-scale", type=float, default=1.0, metavar="X", help="factor after the mean"
    )
    inputs.add_argument(
        "--channel-swap",
        type=_order,
        default="2,1,0",
        metavar="ORDER",
        help="order of the channels of colour images, from RGB",
    )
    inputs.add_argument(
        "--inputs", metavar="FILE.npz", help="input blobs by name; also those of Data layers"
    )
    inputs.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of random inputs, fillers and dropout"
    )


def run(args: argparse.Namespace) -> int:
    against = args.against or ("" if args.save else "caffe")
    if not args.tolerance >= 0:
        raise UsageError(f"--tolerance {args.tolerance:g}: wanted 0 or more")
    if args.output and not against:
        raise UsageError(f"-o {args.output}: found nothing to draw; wanted --against")
    import_torch()
    from gcnet_caffe import pycaffe
    from gcnet_caffe.inference import diff_report, image_input, layer_diff
    from gcnet_caffe.plotting import check_figure, import_pyplot

    if args.output:
        check_figure(args.output)
        import_pyplot()
    pycaffe.init_log(1)
    phase, stages = getattr(pycaffe, args.phase), split_stages(args.stage)
    setting = layer_diff.Setting(
        args.net, args.weights, phase, args.level, stages, args.seed, args.summation
    )
    net = setting.open()
    given = layer_diff.read_trace(args.inputs) if args.inputs else {}
    if args.images:
        how = image_input.Preparation(
            args.raw_scale, args.mean, args.channel_swap, args.input_scale
        )
        given.update(image_input.image_input(net, args.images, how))
    ours, rows = layer_diff.diff(setting, net, given, against)
    if args.save:
        layer_diff.save_trace(args.save, ours)
        print(args.save)
    if not against:
        return 0
    if args.output:
        diff_report.draw(rows, args.tolerance, args.output)
    print(diff_report.table(rows, args.tolerance))
    print(diff_report.verdict(rows, args.tolerance))
    return int(layer_diff.first_beyond(rows, args.tolerance) is not None)


def _order(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]
