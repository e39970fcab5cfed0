"""Run a deploy net of real Caffe over images; keep the blobs asked for.

    python3 -m gcnet_caffe.real_caffe.forward MODEL WEIGHTS IMAGES.npy OUT.npz BLOB...

Runs where pycaffe is: in the image, or beside a Caffe of one's own that has the plug-in.
"""

import ctypes
import sys

import numpy as np

#: Input blob -> channel of the Datum.
CHANNELS = {"query": 0, "image": 0, "reference": 1}
BATCH = 32


def forward(model, weights, images, blobs):
    """Return {blob: (N, ...) array} over `images`, (N, C, 64, 64) as `Records` has them."""
    net = open_net(model, weights)
    found = {blob: [] for blob in blobs}
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        for name in net.inputs:
            channel = CHANNELS[name]
            net.blobs[name].reshape(len(batch), 1, *batch.shape[2:])
            net.blobs[name].data[...] = batch[:, channel : channel + 1]
        net.forward()
        for blob in blobs:
            found[blob].append(net.blobs[blob].data.copy())
    return {blob: np.concatenate(parts) for blob, parts in found.items()}


def open_net(model, weights):
    """Return pycaffe's net of a deploy prototxt and its weights: TEST phase, on the CPU."""
    ctypes.CDLL("libgcnet_layers.so", ctypes.RTLD_GLOBAL)  # the plug-in, before Caffe asks for it
    import caffe

    caffe.set_mode_cpu()
    return caffe.Net(model, weights, caffe.TEST)


if __name__ == "__main__":
    model, weights, images, out, *blobs = sys.argv[1:]
    np.savez(out, **forward(model, weights, np.load(images), blobs))
