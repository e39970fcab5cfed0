"""Run in the image: the nets of cases.npz through real Caffe, results to found.npz.

`<index>.`: a case, one pass forward and one back. `source<index>.`: a net of sources, some passes.
"""

import caffe
import numpy as np

caffe.set_mode_cpu()
given, found = np.load("cases.npz"), {}


def opened(key, seed):
    """Return the net of `key`, set up with the random numbers of `seed`."""
    with open("case.prototxt", "w") as out:
        out.write(str(given[f"{key}.net"]))
    caffe.set_random_seed(seed)
    return caffe.Net("case.prototxt", int(given[f"{key}.phase"]))


for index in range(int(given["count"])):
    net = opened(index, 1)
    bottoms = [name for name in net.blobs if name[0] == "b" and name[1:].isdigit()]
    tops = [name for name in net.blobs if name[0] == "t" and name[1:].isdigit()]
    for name in bottoms:
        net.blobs[name].data[...] = given[f"{index}.{name}"]
    forced = [name for name in net.params if name.startswith("force ")]
    blobs = [blob for name in net.params if name not in forced for blob in net.params[name]]
    for k, blob in enumerate(blobs):
        blob.data[...] = given[f"{index}.blob{k}"]
    net.forward()
    for name in tops:
        found[f"{index}.{name}"] = net.blobs[name].data.copy()
    for k, blob in enumerate(blobs):
        found[f"{index}.blob{k}"] = blob.data.copy()
    if not given[f"{index}.backward"]:
        continue
    for name in tops:
        key = f"{index}.{name}_diff"
        if key in given.files:
            net.blobs[name].diff[...] = given[key]
    net.backward()
    for name in bottoms:
        found[f"{index}.{name}_diff"] = net.blobs[name].diff.copy()
    for k, blob in enumerate(blobs):
        found[f"{index}.blob{k}_diff"] = blob.diff.copy()

for index in range(int(given["sources"])):
    net = opened(f"source{index}", 3)
    for turn in range(int(given[f"source{index}.turns"])):
        net.forward()
        for name, blob in net.blobs.items():
            found[f"source{index}.{name} {turn}"] = blob.data.copy()
np.savez("found.npz", **found)
