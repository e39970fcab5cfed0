"""Run in the image: train real Caffe with each solver file that is named, and record it.

    rules_in_caffe.py ITERATIONS SOLVER ...

Saved as recorded.npz: `<solver>|<layer>:<blob>|<iteration>`, the learnable blobs at the start and
after each iteration. Writes a snapshot of each solver after the last.
"""

import sys

import caffe
import numpy as np

iterations, *paths = sys.argv[1:]
caffe.set_mode_cpu()
found = {}
for path in paths:
    solver = caffe.get_solver(path)
    for iteration in range(int(iterations) + 1):
        if iteration:
            solver.step(1)
        for layer, params in solver.net.params.items():
            for index, blob in enumerate(params):
                found[f"{path}|{layer}:{index}|{iteration}"] = blob.data.copy()
    solver.snapshot()
    del solver
np.savez("recorded.npz", **found)
