"""Two solvers of real Caffe in turns, a discriminator's and a generator's: see `train`.

docker/caffe python3 tools/train_adversarial.py -solver G.prototxt -discriminator_solver D.prototxt

It needs pycaffe, and for our nets the plug-in: the image has both. `gcnet python` runs it, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gcnet_caffe.errors import NO_FILE, GcnetError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.snapshots import check_one_iteration
from gcnet_caffe.real_caffe import import_caffe


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line, and train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-solver", "--solver", required=True, help="the generator's solver")
    parser.add_argument(
        "-discriminator_solver",
        "--discriminator_solver",
        required=True,
        help="the discriminator's solver",
    )
    parser.add_argument(
        "-weights",
        "--weights",
        default="",
        help=".caffemodel files to start from, separated by ','",
    )
    parser.add_argument(
        "-snapshot",
        "--snapshot",
        default="",
        help="snapshots to resume from: GENERATOR.solverstate,DISCRIMINATOR.solverstate",
    )
    parser.add_argument("-gpu", "--gpu", type=int, help="number of the GPU; default: the CPU")
    args = parser.parse_args(words)
    snapshots = [path for path in args.snapshot.split(",") if path]
    if len(snapshots) not in (0, 2):
        parser.error(
            f"-snapshot {args.snapshot}: wanted two, the generator's and the discriminator's"
        )
    if snapshots and args.weights:
        parser.error("-snapshot and -weights: give one of them")
    weights = [path for path in args.weights.split(",") if path]
    try:
        train([args.solver, args.discriminator_solver], weights, snapshots, args.gpu)
    except GcnetError as error:
        sys.exit(f"{parser.prog}: error: {error}")


def train(
    solvers: Sequence[str],
    weights: Sequence[str] = (),
    snapshots: Sequence[str] = (),
    gpu: int | None = None,
) -> None:
    """Train with pycaffe: a step of the discriminator's solver, one of the generator's, and so on.

    Parameters
    ----------
    solvers : two str
        Solver prototxts, the generator's first.
    weights : sequence of str
        .caffemodel files to start from.
    snapshots : sequence of str
        None, or a .solverstate of each solver.
    gpu : int, optional
        Number of the GPU; by default the CPU.

    Raises
    ------
    GcnetError
        A file is missing or is not a solver, the snapshots do not belong together, or pycaffe is
        missing.
    """
    params = [read_solver(path) for path in solvers]
    for path in (*weights, *snapshots):
        if not Path(path).is_file():
            raise GcnetError(f"{path}: {NO_FILE}")
    generator, discriminator = open_solvers(solvers, gpu)
    for solver in (discriminator, generator):
        for path in weights:
            solver.net.copy_from(path)
    for solver, path in zip((discriminator, generator), reversed(snapshots)):
        solver.restore(path)  # of ours: with the random numbers; the generator's are the later ones
    check_one_iteration(dict(zip(snapshots, (generator.iter, discriminator.iter))))
    while generator.iter < params[0].max_iter:
        for solver in (discriminator, generator):
            solver.step(1)
    for solver, param in zip((generator, discriminator), params):
        if not param.snapshot or solver.iter % param.snapshot:
            solver.snapshot()


def open_solvers(solvers: Sequence[str], gpu: int | None = None) -> tuple[Any, Any]:
    """Return pycaffe's solvers, the generator's first; layers of the same name share their blobs.

    The discriminator's is made first, and its start values are the ones that count: Caffe has one
    stream of random numbers, which each random_seed starts anew.
    """
    caffe = import_caffe(gpu)
    discriminator, generator = (caffe.get_solver(path) for path in reversed(list(solvers)))
    generator.net.share_with(discriminator.net)
    return generator, discriminator


if __name__ == "__main__":
    main()
