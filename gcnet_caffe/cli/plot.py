"""Draw the losses and accuracies of a Caffe 1.0 training log."""

from gcnet_caffe.formats.log import draw_log


def add_arguments(parser):
    parser.add_argument("log", help="what `caffe train` printed", metavar="LOG")
    parser.add_argument("-o", "--output", default="loss.png", help="picture to write")


def run(args):
    draw_log(args.log, args.output)
    print(args.output)
