"""Two solvers of real Caffe in turns, a discriminator's and a generator's: see `train`.

    python3 tools/train_adversarial.py -solver G.prototxt -discriminator_solver D.prototxt

Runs where pycaffe is: `docker/caffe python3 tools/train_adversarial.py ...`, or beside a Caffe of
one's own that has the plug-in.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.real_caffe import import_caffe


def main(words=None):
    """Read the command line; train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-solver", "--solver", required=True, help="the generator's solver")
    parser.add_argument(
        "-discriminator_solver", "--discriminator_solver", required=True, help="the second player's"
    )
    parser.add_argument(
        "-weights", "--weights", default="", help=".caffemodel files to start from, with ','"
    )
    parser.add_argument(
        "-snapshot",
        "--snapshot",
        default="",
        help="to resume from: GENERATOR.solverstate,DISCRIMINATOR.solverstate",
    )
    parser.add_argument("-gpu", "--gpu", type=int, help="number of the GPU; default: the CPU")
    args = parser.parse_args(words)
    snapshots = [path for path in args.snapshot.split(",") if path]
    if len(snapshots) not in (0, 2):
        parser.error(f"-snapshot {args.snapshot}: wanted two, the generator's and the other's")
    if snapshots and args.weights:
        parser.error("-snapshot and -weights: wanted one of them")
    weights = [path for path in args.weights.split(",") if path]
    try:
        train([args.solver, args.discriminator_solver], weights, snapshots, args.gpu)
    except GcnetError as error:
        sys.exit(f"{parser.prog}: error: {error}")


def train(solvers, weights=(), snapshots=(), gpu=None):
    """Train with pycaffe: a step of the discriminator's solver, one of the generator's, and so on.

    Parameters
    ----------
    solvers : (str, str)
        Solver prototxts, the generator's first.
    weights : sequence of str
        .caffemodel files to start from.
    snapshots : sequence of str
        None, or a .solverstate of each solver.
    gpu : int, optional

    Raises
    ------
    GcnetError
        A file is missing or not a solver, the snapshots do not belong together, or pycaffe or the
        plug-in is not here.
    """
    params = [read_solver(path) for path in solvers]
    for path in (*weights, *snapshots):
        if not Path(path).is_file():
            raise GcnetError(f"{path}: no such file")
    generator, discriminator = open_solvers(solvers, gpu)
    for solver in (discriminator, generator):
        for path in weights:
            solver.net.copy_from(path)
    for solver, path in zip((generator, discriminator), snapshots):
        solver.restore(path)
    if generator.iter != discriminator.iter:
        raise GcnetError(
            f"the snapshots are of iterations {generator.iter} and {discriminator.iter}; wanted "
            "the same"
        )
    while generator.iter < params[0].max_iter:
        for solver in (discriminator, generator):
            solver.step(1)
    for solver, param in zip((generator, discriminator), params):
        if not param.snapshot or solver.iter % param.snapshot:
            solver.snapshot()


def open_solvers(solvers, gpu=None):
    """Return pycaffe's solvers, the generator's first; layers of the same name are one.

    The discriminator's is made first, and its start values count: Caffe's random numbers are one
    stream, which each random_seed starts anew.
    """
    caffe = import_caffe(gpu)
    discriminator, generator = (caffe.get_solver(path) for path in reversed(list(solvers)))
    generator.net.share_with(discriminator.net)
    return generator, discriminator


if __name__ == "__main__":
    main()
