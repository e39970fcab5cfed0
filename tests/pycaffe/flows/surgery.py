"""Net surgery: the fully connected layers of a classifier become convolutions of any image."""

import caffe
import numpy as np

HEAD = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 3 dim: {side}
  dim: {side} }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {{
  num_output: 4 kernel_size: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "conv" top: "conv" }}
layer {{ name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param {{ kernel_size: 2
  stride: 2 }} }}
"""
CLASSIFIER = (
    HEAD.format(side=12)
    + """
layer { name: "fc6" type: "InnerProduct" bottom: "pool" top: "fc6" inner_product_param {
  num_output: 7 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "fc8" type: "InnerProduct" bottom: "fc6" top: "fc8" inner_product_param {
  num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc8" top: "prob" }
"""
)
CONVOLUTIONAL = (
    HEAD.format(side=20)
    + """
layer { name: "fc6-conv" type: "Convolution" bottom: "pool" top: "fc6-conv" convolution_param {
  num_output: 7 kernel_size: 5 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6-conv" top: "fc6-conv" }
layer { name: "fc8-conv" type: "Convolution" bottom: "fc6-conv" top: "fc8-conv"
  convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "prob" type: "Softmax" bottom: "fc8-conv" top: "prob" }
"""
)


def run(record):
    for name, text in (("classifier", CLASSIFIER), ("convolutional", CONVOLUTIONAL)):
        with open(f"{name}.prototxt", "w") as out:
            out.write(text)
    caffe.set_random_seed(7)
    classifier = caffe.Net("classifier.prototxt", caffe.TEST)
    classifier.save("classifier.caffemodel")
    net = caffe.Net("convolutional.prototxt", "classifier.caffemodel", caffe.TEST)
    for name in ("fc6", "fc8"):
        weights, bias = (blob.data for blob in classifier.params[name])
        net.params[f"{name}-conv"][0].data.flat = weights.flat
        net.params[f"{name}-conv"][1].data[...] = bias
    net.save("convolutional.caffemodel")
    again = caffe.Net("convolutional.prototxt", caffe.TEST, weights="convolutional.caffemodel")
    image = np.random.RandomState(1).uniform(-1, 1, (1, 3, 20, 20)).astype(np.float32)
    record("map", again.forward(data=image)["prob"])
    record("one crop", classifier.forward(data=image[:, :, :12, :12])["prob"])
    again.blobs["data"].reshape(2, 3, 26, 18)
    again.reshape()
    record("shape", again.blobs["prob"].shape)
    again.blobs["data"].data[...] = np.arange(2 * 3 * 26 * 18).reshape(2, 3, 26, 18) % 11
    record("another size", again.forward()["prob"])
    classifier.blobs["data"].reshape(3, 3, 12, 12)
    record(
        "another batch", classifier.forward(data=np.repeat(image[..., 4:16, 4:16], 3, 0))["prob"]
    )
    images = np.random.RandomState(2).uniform(-1, 1, (8, 3, 12, 12)).astype(np.float32)
    for name, array in classifier.forward_all(blobs=["fc6"], data=images).items():
        record(f"of eight, {name}", array)
    weights = np.random.RandomState(3).uniform(-1, 1, (8, 3)).astype(np.float32)
    found, diffs = classifier.forward_backward_all(
        blobs=["fc8"], diffs=["fc6"], data=images, prob=weights
    )
    for name, array in [*found.items(), *diffs.items()]:
        record(f"forward and backward of eight, {name}", array)
