"""Run in the image: train two players with pycaffe, in turns, and record them to OUT.npz.

    players_in_caffe.py GENERATOR_SOLVER DISCRIMINATOR_SOLVER TURNS OUT.npz

Saved: of both nets the outputs by turn, and `generator:pair`, `discriminator:pair` the images by
turn. Both snapshot before the first turn and after each.
"""

import sys

import numpy as np

from gcnet_caffe.real_caffe.two_players import open_solvers

*solvers, turns, out = sys.argv[1:]
players = dict(zip(("generator", "discriminator"), open_solvers(solvers)))
found = {}


def snapshots():
    for solver in players.values():
        solver.snapshot()


snapshots()
for _ in range(int(turns)):
    for name in ("discriminator", "generator"):
        net = players[name].net
        players[name].step(1)
        found.setdefault(f"{name}:pair", []).append(net.blobs["pair"].data.copy())
        for output in net.outputs:
            found.setdefault(output, []).append(float(net.blobs[output].data))
    snapshots()
np.savez(out, **found)
