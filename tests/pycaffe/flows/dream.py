"""An image is changed until a layer answers more: octaves of another size, gradients of a part."""

import caffe
import numpy as np
from google.protobuf import text_format

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 10 dim: 3 dim: 24
  dim: 24 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 6 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 3
  stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { local_size: 3 } }
layer { name: "left" type: "Convolution" bottom: "norm1" top: "left" convolution_param {
  num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "right" type: "Convolution" bottom: "norm1" top: "right" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "output" type: "Concat" bottom: "left" bottom: "right" top: "output" }
layer { name: "fc" type: "InnerProduct" bottom: "output" top: "fc" inner_product_param {
  num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
MEAN = np.float32([104.0, 116.0, 122.0])


def step(net, end, shift, draws):
    source, target = net.blobs["data"], net.blobs[end]
    oy, ox = draws.randint(-shift, shift + 1, 2)
    source.data[0] = np.roll(np.roll(source.data[0], ox, -1), oy, -2)
    net.forward(end=end)
    target.diff[:] = target.data
    net.backward(start=end)
    gradient = source.diff[0]
    source.data[:] += 1.5 / np.abs(gradient).mean() * gradient
    source.data[0] = np.roll(np.roll(source.data[0], -ox, -1), -oy, -2)
    bias = MEAN[:, None, None]
    source.data[:] = np.clip(source.data, -bias, 255 - bias)


def run(record):
    with open("dream.prototxt", "w") as out:
        out.write(NET)
    caffe.set_random_seed(9)
    caffe.Net("dream.prototxt", caffe.TEST).save("dream.caffemodel")
    model = caffe.io.caffe_pb2.NetParameter()
    with open("dream.prototxt") as text:
        text_format.Merge(text.read(), model)
    model.force_backward = True
    with open("dream_back.prototxt", "w") as out:
        out.write(str(model))
    net = caffe.Classifier(
        "dream_back.prototxt", "dream.caffemodel", mean=MEAN, channel_swap=(2, 1, 0)
    )
    draws = np.random.RandomState(1)
    base = draws.uniform(-100, 100, (3, 19, 25)).astype(np.float32)
    source = net.blobs["data"]
    for octave, (height, width) in enumerate(((13, 16), (19, 25))):
        source.reshape(1, 3, height, width)
        source.data[0] = base[:, :height, :width]
        for index, end in enumerate(("output", "pool1")):
            step(net, end, 4, draws)
            record(f"image {octave} {index}", source.data)
            record(f"gradient {octave} {index}", source.diff)
