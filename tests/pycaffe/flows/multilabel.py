"""Layers in Python: one that reads data with several labels each, one with a parameter, a loss."""

import json

import caffe
import numpy as np
from caffe import layers as L

MODULE = "tests.pycaffe.flows.multilabel"
SOLVER = """
train_net: "multilabel.prototxt" base_lr: 0.1 momentum: 0.5 lr_policy: "fixed" display: 0
max_iter: 100 snapshot_prefix: "multilabel" random_seed: 3
"""


class Pictures(caffe.Layer):
    """Images and 0/1 labels, drawn anew from a stream of its own."""

    def setup(self, bottom, top):
        params = json.loads(self.param_str)
        assert len(bottom) == 0 and len(top) == 2, "wants no bottom and two tops"
        self.batch_size, self.labels = params["batch_size"], params["labels"]
        self.draws = np.random.RandomState(params["seed"])
        top[0].reshape(self.batch_size, 2, 6, 6)
        top[1].reshape(self.batch_size, self.labels)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        for index in range(self.batch_size):
            top[0].data[index, ...] = self.draws.uniform(-1, 1, (2, 6, 6))
            top[1].data[index, ...] = self.draws.randint(2, size=self.labels)

    def backward(self, top, propagate_down, bottom):
        pass


class Gains(caffe.Layer):
    """Each column times a learned gain."""

    def setup(self, bottom, top):
        self.blobs.add_blob(bottom[0].shape[1])
        self.blobs[0].data[...] = np.arange(1, 1 + bottom[0].shape[1])

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(0)
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff * self.blobs[0].data


class Distance(caffe.Layer):
    """Half the mean squared distance of two blobs."""

    def reshape(self, bottom, top):
        self.difference = np.zeros(bottom[0].shape, np.float32)
        top[0].reshape(1)

    def setup(self, bottom, top):
        self.half = float(self.param_str)

    def forward(self, bottom, top):
        self.difference[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = self.half * np.sum(self.difference**2) / bottom[0].num

    def backward(self, top, propagate_down, bottom):
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                scale = sign * top[0].diff[0] * 2 * self.half / bottom[index].num
                bottom[index].diff[...] = scale * self.difference


def net():
    n = caffe.NetSpec()
    options = json.dumps(dict(batch_size=5, labels=3, seed=4))
    n.data, n.label = L.Python(
        module=MODULE, layer="Pictures", ntop=2, python_param=dict(param_str=options)
    )
    n.conv = L.Convolution(n.data, kernel_size=3, num_output=4, weight_filler=dict(type="xavier"))
    n.relu = L.ReLU(n.conv, in_place=True)
    n.raw = L.InnerProduct(n.relu, num_output=3, weight_filler=dict(type="xavier"))
    n.score = L.Python(n.raw, module=MODULE, layer="Gains", param=[dict(lr_mult=2)])
    n.loss = L.SigmoidCrossEntropyLoss(n.score, n.label)
    n.distance = L.Python(
        n.raw, n.label, module=MODULE, layer="Distance", param_str="0.5", loss_weight=0.25
    )
    return n.to_proto()


def run(record):
    with open("multilabel.prototxt", "w") as out:
        out.write(str(net()))
    with open("multilabel_solver.prototxt", "w") as out:
        out.write(SOLVER)
    solver = caffe.get_solver("multilabel_solver.prototxt")
    record("layer's own attribute", solver.net.layers[0].batch_size)
    for step in range(6):
        solver.step(1)
        for name in ("loss", "distance"):
            record(f"{name} {step}", solver.net.blobs[name].data)
    for name, blobs in solver.net.params.items():
        record(name, blobs[0].data)
        record(f"{name} diff", blobs[0].diff)
    solver.snapshot()
    test = caffe.Net("multilabel.prototxt", caffe.TEST, weights="multilabel_iter_6.caffemodel")
    estimate = test.forward()["loss"]
    record("loss of what was saved", estimate)
    record("gains", test.params["score"][0].data)
