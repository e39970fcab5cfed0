"""Train the net of a folder (train_test.prototxt, solver.prototxt), or go on after a kill.

The step of `gcnet run` that trains: writes train.log and weights.caffemodel. Snapshots of the very
same net, solver, weights and data are gone on from; others are forgotten.
"""

from gcnet_caffe.experiment.training import ENGINES, train_folder


def add_arguments(parser):
    parser.add_argument("folder", help="what to train", metavar="DIR")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="torch", help="what trains it")
    parser.add_argument("--weights", nargs="*", default=[], help=".caffemodel files to start from")
    parser.add_argument("--data", help="folder of the LMDBs", metavar="DIR")
    parser.add_argument(
        "--gpu-slots", default="", help="0,0,1: two at once on GPU 0, one on GPU 1", metavar="LIST"
    )


def run(args):
    slots = [int(word) for word in filter(None, args.gpu_slots.split(","))]
    train_folder(args.folder, args.engine, args.weights, args.data, slots)
