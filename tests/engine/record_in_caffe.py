"""Run in the image: train with real Caffe and record every iteration, to OUT.npz.

    record_in_caffe.py SOLVER ITERATIONS OUT.npz [snapshots | forced | ulp]

Saved: the values of each output of the train net by iteration, `batch:<blob>` the Data layer's
tops, `mask:<layer>` which elements each Dropout lets through, and the learnable blobs as
`<layer>:<index>` after the last iteration. `snapshots` writes one before each iteration and after
the last. `forced` restores those before each iteration, and saves the blobs after each.
`ulp` moves every start weight to the next float32 up or down, at random.
"""

import sys

import caffe
import numpy as np

solver_path, iterations, out, *how = sys.argv[1:]
caffe.set_mode_cpu()
solver = caffe.get_solver(solver_path)
net = solver.net
if how == ["forced"]:
    with open(solver_path) as lines:
        prefix = [line.split('"')[1] for line in lines if line.startswith("snapshot_prefix")][0]
tops = net.top_names[next(iter(net.top_names))]
dropouts = [n for n, layer in zip(net._layer_names, net.layers) if layer.type == "Dropout"]
found = {name: [] for name in net.outputs}
found.update({"batch:" + name: [] for name in tops})
found.update({"mask:" + name: [] for name in dropouts})


def blobs():
    return {
        "%s:%d" % (layer, index): blob.data.copy()
        for layer, params in net.params.items()
        for index, blob in enumerate(params)
    }


if how == ["ulp"]:
    rng = np.random.RandomState(0)
    for params in net.params.values():
        for blob in params:
            up = np.where(rng.rand(*blob.data.shape) < 0.5, -np.inf, np.inf)
            blob.data[...] = np.nextafter(blob.data, up.astype(np.float32))
for iteration in range(int(iterations)):
    if how == ["snapshots"]:
        solver.snapshot()
    if how == ["forced"]:
        solver.restore("%s_iter_%d.solverstate" % (prefix, iteration))
    solver.step(1)
    for name in net.outputs:
        found[name].append(net.blobs[name].data.copy())
    for name in tops:
        found["batch:" + name].append(net.blobs[name].data.copy())
    for name in dropouts:
        found["mask:" + name].append(net.blobs[net.top_names[name][0]].data != 0)
    if how == ["forced"]:
        for key, values in blobs().items():
            found.setdefault(key, []).append(values)
if how == ["snapshots"]:
    solver.snapshot()
if how != ["forced"]:
    found.update(blobs())
np.savez(out, **found)
