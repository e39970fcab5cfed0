"""Draw the data flow of one of the generated nets, block by block, like the paper's figure 3."""

from gcnet_caffe.analysis.drawing import draw_net


def add_arguments(parser):
    parser.add_argument("net", help="a net's prototxt", metavar="NET")
    parser.add_argument("-o", "--output", default="net.png", help="picture to write")


def run(args):
    draw_net(args.net, args.output)
    print(args.output)
