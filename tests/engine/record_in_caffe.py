"""Run in the image: train with real Caffe and record every iteration, to OUT.npz.

    record_in_caffe.py SOLVER ITERATIONS OUT.npz [each]

Saved: `<blob>` the values of each output of the train net by iteration, `batch:<blob>` the Data
layer's tops of each iteration, and with `each` a snapshot before each iteration and after the last.
"""

import sys

import caffe
import numpy as np

solver_path, iterations, out, *how = sys.argv[1:]
caffe.set_mode_cpu()
solver = caffe.get_solver(solver_path)
tops = [top for layer in list(solver.net.top_names)[:1] for top in solver.net.top_names[layer]]
found = {name: [] for name in solver.net.outputs}
found.update({"batch:" + name: [] for name in tops})
for _ in range(int(iterations)):
    if how:
        solver.snapshot()
    solver.step(1)
    for name in solver.net.outputs:
        found[name].append(solver.net.blobs[name].data.copy())
    for name in tops:
        found["batch:" + name].append(solver.net.blobs[name].data.copy())
solver.snapshot()
np.savez(out, **found)
