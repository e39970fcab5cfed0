"""Run in the image: the cases of cases.npz through real Caffe, results to found.npz."""

import caffe
import numpy as np

caffe.set_mode_cpu()
given, found = np.load("cases.npz"), {}
for index in range(int(given["count"])):
    with open("case.prototxt", "w") as out:
        out.write(str(given[f"{index}.net"]))
    caffe.set_random_seed(1)
    net = caffe.Net("case.prototxt", int(given[f"{index}.phase"]))
    bottoms = [name for name in net.blobs if name.startswith("b")]
    tops = [name for name in net.blobs if name.startswith("t")]
    for name in bottoms:
        net.blobs[name].data[...] = given[f"{index}.{name}"]
    blobs = list(net.params.get("layer", ()))
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
np.savez("found.npz", **found)
