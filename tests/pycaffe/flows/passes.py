"""Every way to run a net: parts of it, with diffs of one's own, again and again, in batches."""

import caffe
import numpy as np

NET = """
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 6
  dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 6 kernel_size: 3 pad: 1 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "scaled"
  scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "scaled" top: "scaled" }
layer { name: "drop" type: "Dropout" bottom: "scaled" top: "dropped" }
layer { name: "slice" type: "Slice" bottom: "dropped" top: "left" top: "right" }
layer { name: "tanh" type: "TanH" bottom: "left" top: "left" }
layer { name: "sum" type: "Eltwise" bottom: "scaled" bottom: "dropped" top: "sum" }
layer { name: "concat" type: "Concat" bottom: "left" bottom: "right" bottom: "sum" top: "all" }
layer { name: "pool" type: "Pooling" bottom: "all" top: "pool" pooling_param { kernel_size: 2
  stride: 2 pool: AVE } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
layer { name: "again" type: "Reshape" bottom: "flat" top: "again" reshape_param { shape { dim: 0
  dim: 2 dim: -1 } } }
layer { name: "one" type: "InnerProduct" bottom: "again" top: "one" param { name: "w" }
  param { name: "b" } inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "two" type: "InnerProduct" bottom: "flat" top: "two" param { name: "w" }
  param { name: "b" } inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "away" type: "Silence" bottom: "right" }
layer { name: "loss" type: "EuclideanLoss" bottom: "one" bottom: "two" top: "loss"
  loss_weight: 0.5 }
layer { name: "mean" type: "Reduction" bottom: "sum" top: "mean" reduction_param {
  operation: MEAN axis: 1 } loss_weight: 2 }
layer { name: "quiet" type: "EuclideanLoss" bottom: "one" bottom: "two" }
"""


def record_all(record, prefix, net):
    for name, blob in net.blobs.items():
        record(f"{prefix} {name}", blob.data)
        record(f"{prefix} {name} diff", blob.diff)
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            record(f"{prefix} {name}:{index}", blob.data)
            record(f"{prefix} {name}:{index} diff", blob.diff)


def run(record):
    with open("passes.prototxt", "w") as out:
        out.write(NET)
    caffe.set_random_seed(11)
    net = caffe.Net("passes.prototxt", caffe.TRAIN)
    record("layers", list(net._layer_names))
    record("blobs", list(net.blobs))
    record("types", [layer.type for layer in net.layers])
    record("inputs and outputs", net.inputs + net.outputs)
    record("loss weights", list(net.blob_loss_weights.values()))
    for name in net._layer_names:
        record(f"tops of {name}", net.top_names[name])
        record(f"bottoms of {name}", net.bottom_names[name])
    data = np.random.RandomState(3).uniform(-1, 1, (9, 3, 6, 5)).astype(np.float32)
    net.blobs["data"].data[...] = data[:4]
    record_all(record, "new", net)
    net.forward()
    net.backward()
    record_all(record, "one pass", net)
    net.backward()  # the learnable blobs add up
    record_all(record, "twice back", net)
    net.clear_param_diffs()
    record("cleared", net.params["conv"][0].diff)

    net.forward(end="pool")
    net.blobs["pool"].diff[...] = net.blobs["pool"].data
    found = net.backward(start="pool", diffs=["all"])
    record("of a part", found["data"])
    record("of a part, all", found["all"])
    net.blobs["flat"].data[...] *= 2
    record("from the middle", net.forward(start="again", blobs=["one"])["one"])
    net.blobs["one"].data[...] = 1  # what the loss's backward reads
    net.backward(end="again")
    record_all(record, "edited", net)

    calls = []
    for moment in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, moment)(lambda layer, moment=moment: calls.append(f"{moment} {layer}"))
    net.forward(end="relu")
    net.backward(start="relu")
    record("calls", calls)

    test = caffe.Net("passes.prototxt", caffe.TEST)
    test.share_with(net)
    test.params["conv"][0].data[0] = 0.25
    record("shared", net.params["conv"][0].data)
    small = test.blobs["data"]
    small.reshape(2, 3, 6, 5)
    test.reshape()
    record("shapes", [blob.shape[0] for blob in test.blobs.values() if len(blob.shape)])
    small.data[...] = data[2:4]
    record("two of them", test.forward(end="two")["two"])
