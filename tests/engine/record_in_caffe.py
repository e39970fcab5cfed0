"""Run in the image: train with real Caffe and record every iteration, to OUT.npz, once or more.

    record_in_caffe.py SOLVER ITERATIONS (OUT.npz HOW)...

HOW: "snapshots", "forced", "ulp", "forced ulp", or "".

Saved: the values of each output of the train net by iteration, `batch:<blob>` the Data layer's
tops, `mask:<layer>` which elements each Dropout lets through, and the learnable blobs as
`<layer>:<index>` after the last iteration. `snapshots` writes one before each iteration and after
the last. `forced` restores those before each iteration, and saves the blobs' updates.
`ulp` moves every start weight (every weight before each iteration, if `forced`) one float32 step.
"""

import sys

import caffe
import numpy as np

solver_path, iterations, *pairs = sys.argv[1:]
caffe.set_mode_cpu()


def blobs(net):
    return {
        f"{layer}:{index}": blob.data.copy()
        for layer, params in net.params.items()
        for index, blob in enumerate(params)
    }


def one_ulp_off(net, rng):
    """Move every weight to the next float32 up or down, at random."""
    for params in net.params.values():
        for blob in params:
            up = np.where(rng.rand(*blob.data.shape) < 0.5, -np.inf, np.inf)
            blob.data[...] = np.nextafter(blob.data, up.astype(np.float32))


def record(how):
    solver = caffe.get_solver(solver_path)
    net = solver.net
    if "forced" in how:
        with open(solver_path) as lines:
            prefix = [line.split('"')[1] for line in lines if line.startswith("snapshot_prefix")][0]
    tops = net.top_names[next(iter(net.top_names))]
    dropouts = [n for n, layer in zip(net._layer_names, net.layers) if layer.type == "Dropout"]
    found = {name: [] for name in net.outputs}
    found.update({f"batch:{name}": [] for name in tops})
    found.update({f"mask:{name}": [] for name in dropouts})
    rng = np.random.RandomState(0)
    if how == ["ulp"]:
        one_ulp_off(net, rng)
    for iteration in range(int(iterations)):
        if how == ["snapshots"]:
            solver.snapshot()
        if "forced" in how:
            solver.restore(f"{prefix}_iter_{iteration}.solverstate")
            if "ulp" in how:
                one_ulp_off(net, rng)
            before = blobs(net)
        solver.step(1)
        for name in net.outputs:
            found[name].append(net.blobs[name].data.copy())
        for name in tops:
            found[f"batch:{name}"].append(net.blobs[name].data.copy())
        for name in dropouts:
            found[f"mask:{name}"].append(net.blobs[net.top_names[name][0]].data != 0)
        if "forced" in how:
            for key, values in blobs(net).items():
                found.setdefault(key, []).append(values - before[key])
    if how == ["snapshots"]:
        solver.snapshot()
    if "forced" not in how:
        found.update(blobs(net))
    return found


for out, how in zip(pairs[::2], pairs[1::2]):
    np.savez(out, **record(how.split()))
