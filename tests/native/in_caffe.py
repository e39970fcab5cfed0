"""Runs inside the image: the two layers through pycaffe, results to layers.npz and refusals.json.

One process for all checks: what they mean is asserted in test_layers.py.
"""

import json
import os
import tempfile

import caffe
import numpy as np

from tests.native.reference import GEOMETRIES

RNG = np.random.RandomState(0)


def make_net(layers, **inputs):
    """A net of Input blobs with these arrays in them, and the layers; the inputs get gradients."""
    text = "force_backward: true\n"
    for name, array in inputs.items():
        shape = " ".join(f"dim: {size}" for size in np.shape(array))
        text += f'layer {{ name: "{name}" type: "Input" top: "{name}"'
        text += f" input_param {{ shape {{ {shape} }} }} }}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt", dir=".") as file:
        file.write(text + layers)
        file.flush()
        net = caffe.Net(file.name, caffe.TRAIN)
    for name, array in inputs.items():
        net.blobs[name].data[...] = array
    return net


def backward(net, top, upstream):
    """Run both passes with `upstream` as the top's gradient."""
    net.forward()
    net.blobs[top].diff[...] = upstream
    net.backward()


def numeric_gradient(net, top, blob, upstream, step):
    """Central differences of sum(upstream * top) by each element of the blob."""
    data = net.blobs[blob].data
    gradient = np.empty(data.shape)
    for at in np.ndindex(data.shape):
        value, sums = data[at].copy(), []
        for sign in (1, -1):
            data[at] = value + sign * step
            net.forward()
            sums.append((net.blobs[top].data.astype(np.float64) * upstream).sum())
        data[at] = value
        gradient[at] = (sums[0] - sums[1]) / (2 * step)
    return gradient


def pooling_param(geometry):
    kernel, stride, pad, _ = GEOMETRIES[geometry]
    names = "kernel_h kernel_w stride_h stride_w pad_h pad_w".split()
    return " ".join(f"{name}: {value}" for name, value in zip(names, kernel + stride + pad))


def pool(bottom, param):
    return f"""layer {{ name: "pool" type: "Pooling" bottom: "{bottom}" top: "p" top: "m"
                        pooling_param {{ {param} }} }}"""


def unpool(bottom, mask, param, size=None):
    third = f'bottom: "{size}"' if size else ""
    return f"""layer {{ name: "unpool" type: "MaxUnpool" bottom: "{bottom}" bottom: "{mask}" {third}
                        top: "u" pooling_param {{ {param} }} }}"""


DISTANCE = 'layer { name: "d" type: "NormalizedDistance" bottom: "a" bottom: "b" top: "d" }'


def unit(x):
    """A row divided by its norm, by stock layers."""
    return f"""
    layer {{ name: "{x}2" type: "Reduction" bottom: "{x}" top: "{x}2"
             reduction_param {{ operation: SUMSQ axis: 1 }} }}
    layer {{ name: "{x}i" type: "Power" bottom: "{x}2" top: "{x}i"
             power_param {{ shift: 1e-6 power: -0.5 }} }}
    layer {{ name: "{x}u" type: "Scale" bottom: "{x}" bottom: "{x}i" top: "{x}u"
             scale_param {{ axis: 0 }} }}"""


COMPOSED = f"""{unit("a")} {unit("b")}
    layer {{ name: "difference" type: "Eltwise" bottom: "au" bottom: "bu" top: "difference"
             eltwise_param {{ coeff: 1 coeff: -1 }} }}
    layer {{ name: "d" type: "AbsVal" bottom: "difference" top: "d" }}"""


def unpool_results(geometry):
    """Pooling -> unpooling of other values with the size bottom; gradients analytic and numeric."""
    full = GEOMETRIES[geometry][3]
    param = pooling_param(geometry)
    x = np.maximum(RNG.normal(size=(2, 3) + full), 0)  # ties at 0
    pooling = make_net(pool("x", param), x=x)
    pooling.forward()
    data = RNG.normal(size=pooling.blobs["p"].data.shape)
    mask = pooling.blobs["m"].data.copy()
    pooling.blobs["p"].diff[...] = data
    pooling.backward()
    net = make_net(unpool("q", "m", param, size="x"), q=data, m=mask, x=x)
    upstream = RNG.normal(size=x.shape)
    backward(net, "u", upstream)
    return {
        "data": data,
        "mask": mask,
        "top": net.blobs["u"].data.copy(),
        "pooling_backward": pooling.blobs["x"].diff,
        "gradient": net.blobs["q"].diff.copy(),
        "numeric": numeric_gradient(net, "u", "q", upstream, 0.5),  # linear: any step
    }


def trained_encoder():
    """Unpooling behind a layer that learns, before a loss: the net asks for all three gradients."""
    param = pooling_param("odd")
    x = RNG.normal(size=(2, 3, 7, 5))
    scale = 'layer { name: "s" type: "Scale" bottom: "x" top: "s" }'
    loss = unpool("p", "m", param, size="s").replace(
        "pooling_param", "loss_weight: 1 pooling_param"
    )
    net = make_net(scale + pool("s", param) + loss, x=x)
    upstream = RNG.normal(size=x.shape)
    for blob in net.blobs.values():
        blob.diff[...] = 7
    backward(net, "u", upstream)
    return {
        "gradient": net.blobs["s"].diff.copy(),
        "expected": upstream * (net.blobs["u"].data != 0),
        "mask_gradient": net.blobs["m"].diff.copy(),
    }


def without_size():
    """An even pooling, unpooled without a size bottom."""
    param = pooling_param("even")
    net = make_net(pool("x", param) + unpool("p", "m", param), x=RNG.rand(2, 3, 6, 8))
    net.forward()
    return {"top": net.blobs["u"].data.copy(), "pooled": net.blobs["p"].data.copy()}


def distance_results(a, b, composed=True):
    """Both passes of the layer and of its composition."""
    upstream = RNG.normal(size=(len(a), a[0].size))
    results = {"a": a, "b": b, "upstream": upstream}
    for name, layers in [("layer", DISTANCE), ("stock", COMPOSED)][: 1 + composed]:
        net = make_net(layers, a=a, b=b)
        backward(net, "d", upstream)
        for blob, array in (("top", net.blobs["d"].data), ("da", net.blobs["a"].diff)):
            results[f"{name}_{blob}"] = array.copy()
        results[f"{name}_db"] = net.blobs["b"].diff.copy()
    return results


def distance_gradients():
    """Numeric gradients in float, away from the kinks where the two are equal."""
    a, b = RNG.normal(size=(2, 3, 12))
    b += 2 * np.sign(b - a)
    upstream = RNG.normal(size=a.shape)
    net = make_net(DISTANCE, a=a, b=b)
    backward(net, "d", upstream)
    results = {blob: net.blobs[blob].diff.copy() for blob in "ab"}
    for blob in "ab":
        results[f"numeric_{blob}"] = numeric_gradient(net, "d", blob, upstream, 1e-2)
    return results


def zero_and_equal():
    a = RNG.normal(size=(4, 9))
    b = a.copy()  # row 3: equal
    a[0] = b[1] = a[2] = b[2] = 0
    results = distance_results(a, b)
    net = make_net(DISTANCE, a=a, b=b)
    backward(net, "d", 1)
    results.update(ones_a=net.blobs["a"].diff.copy(), ones_b=net.blobs["b"].diff.copy())
    return results


def refusal(run):
    """Run it in a child process, which Caffe aborts; return how it ended and its last words."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 2)
        run()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        words = stream.read()
    return {"signal": os.waitpid(child, 0)[1], "words": words}


EVEN = "kernel_size: 2 stride: 2"


def unpool_net(full, size="x", param=EVEN, mask=None, pooled=None):
    """Pool zeros of that size 2 x 2 / 2, spoil what is given, then unpool."""
    x = np.zeros((1, 1) + full)
    pooling = make_net(pool("x", EVEN), x=x)
    pooling.forward()
    values, indices = (pooling.blobs[name].data.copy() for name in "pm")
    if mask is not None:
        indices[0, 0, 0, 0] = mask
    if pooled is not None:
        values = np.zeros((1, 1) + pooled)
    make_net(unpool("q", "m", param, size), q=values, m=indices, x=x).forward()


REFUSED = {
    "odd": lambda: unpool_net((7, 7), size=None),
    "odd width": lambda: unpool_net((4, 5), size=None),
    "other size": lambda: unpool_net((7, 7), param="kernel_size: 3 stride: 3"),
    "index beyond the plane": lambda: unpool_net((6, 8), mask=48),
    "index of another window": lambda: unpool_net((6, 8), mask=2),
    "not an index": lambda: unpool_net((6, 8), mask=0.5),
    "mask of another shape": lambda: unpool_net((6, 8), pooled=(3, 3)),
    "no kernel": lambda: unpool_net((6, 8), param="stride: 2"),
    "average": lambda: unpool_net((6, 8), param="pool: AVE " + EVEN),
    "global": lambda: unpool_net((6, 8), param="global_pooling: true"),
    "pad": lambda: unpool_net((6, 8), param="pad: 2 " + EVEN),
    "distance of two shapes": lambda: make_net(DISTANCE, a=np.zeros((2, 3)), b=np.zeros((2, 4))),
}


def main():
    results = {f"unpool {geometry}": unpool_results(geometry) for geometry in GEOMETRIES}
    results["trained encoder"] = trained_encoder()
    results["without size"] = without_size()
    for length in (1, 48, 6144):
        results[f"distance {length}"] = distance_results(*RNG.normal(size=(2, 4, length)))
    results["distance of images"] = distance_results(*RNG.normal(size=(2, 4, 3, 4, 4)), False)
    results["distance gradients"] = distance_gradients()
    results["zero and equal"] = zero_and_equal()
    flat = {f"{check}/{name}": a for check, found in results.items() for name, a in found.items()}
    np.savez("layers.npz", **flat)
    refusals = {name: refusal(run) for name, run in REFUSED.items()}
    with open("refusals.json", "w") as stream:
        json.dump(refusals, stream)


main()
