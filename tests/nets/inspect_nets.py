"""Run in the image: what real Caffe makes of each net, to nets.json.

For each prototxt and phase: the shape of every parameter blob and whose memory it shares.
"""

import glob
import json

import caffe

found = {}
for path in sorted(glob.glob("prototxt/*.prototxt")):
    phases = ["TRAIN", "TEST"] if path.endswith("_train_test.prototxt") else ["TEST"]
    for phase in phases:
        net = caffe.Net(path, getattr(caffe, phase))
        found[path + ":" + phase] = {
            "params": {
                layer: [
                    {"shape": list(b.data.shape), "memory": b.data.__array_interface__["data"][0]}
                    for b in blobs
                ]
                for layer, blobs in net.params.items()
            },
            "inputs": list(net.inputs),
            "outputs": list(net.outputs),
        }
        del net
with open("nets.json", "w") as out:
    json.dump(found, out)
