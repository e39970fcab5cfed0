"""Run in the image: the cases of cases.npz through real Caffe, results to found.npz."""

import caffe
import numpy as np

caffe.set_mode_cpu()
given, found = np.load("cases.npz"), {}
for index in range(int(given["count"])):
    with open("case.prototxt", "w") as out:
        out.write(str(given["%d.net" % index]))
    caffe.set_random_seed(1)
    net = caffe.Net("case.prototxt", int(given["%d.phase" % index]))
    bottoms = [name for name in net.blobs if name.startswith("b")]
    tops = [name for name in net.blobs if name.startswith("t")]
    for name in bottoms:
        net.blobs[name].data[...] = given["%d.%s" % (index, name)]
    blobs = list(net.params.get("layer", ()))
    for k, blob in enumerate(blobs):
        blob.data[...] = given["%d.blob%d" % (index, k)]
    net.forward()
    for name in tops:
        found["%d.%s" % (index, name)] = net.blobs[name].data.copy()
    for k, blob in enumerate(blobs):
        found["%d.blob%d" % (index, k)] = blob.data.copy()
    if not given["%d.backward" % index]:
        continue
    for name in tops:
        key = "%d.%s_diff" % (index, name)
        if key in given.files:
            net.blobs[name].diff[...] = given[key]
    net.backward()
    for name in bottoms:
        found["%d.%s_diff" % (index, name)] = net.blobs[name].diff.copy()
    for k, blob in enumerate(blobs):
        found["%d.blob%d_diff" % (index, k)] = blob.diff.copy()
np.savez("found.npz", **found)
