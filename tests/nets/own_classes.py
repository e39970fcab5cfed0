"""Forward and backward of net.prototxt on what given.npz has, with any pycaffe, to found.npz."""

import caffe
import numpy as np

net = caffe.Net("net.prototxt", caffe.TRAIN)
with np.load("given.npz") as given:
    for name in given:
        net.blobs[name].data[...] = given[name]
net.forward()
net.backward()
found = {name: net.blobs[name].data.copy() for name in net.outputs}
np.savez("found.npz", gradient=net.blobs["score"].diff.copy(), **found)
