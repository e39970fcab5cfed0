"""A data layer in Python whose batches differ in number and size, as detectors have them."""

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

SOLVER = """
train_net: "varying.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" display: 0
max_iter: 100 random_seed: 3 snapshot_prefix: "varying"
"""


class Pictures(caffe.Layer):
    """Gives its tops their shapes in forward."""

    def setup(self, bottom, top):
        self.count = 0
        top[0].reshape(1, 3, 9, 9)
        top[1].reshape(1)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        self.count += 1
        draws = np.random.RandomState(self.count)
        number, side = 1 + self.count % 3, 8 + 2 * (self.count % 4)
        top[0].reshape(number, 3, side, side + 1)
        top[0].data[...] = draws.uniform(-1, 1, top[0].data.shape)
        top[1].reshape(number)
        top[1].data[...] = draws.randint(3, size=number)

    def backward(self, top, propagate_down, bottom):
        pass


def run(record):
    n = caffe.NetSpec()
    n.data, n.label = L.Python(module=__name__, layer="Pictures", ntop=2)
    n.conv = L.Convolution(n.data, kernel_size=3, num_output=3, weight_filler=dict(type="xavier"))
    n.relu = L.ReLU(n.conv, in_place=True)
    n.pool = L.Pooling(n.relu, pool=P.Pooling.AVE, global_pooling=True)
    n.loss = L.SoftmaxWithLoss(n.pool, n.label)
    with open("varying.prototxt", "w") as out:
        out.write(str(n.to_proto()))
    with open("varying_solver.prototxt", "w") as out:
        out.write(SOLVER)
    solver = caffe.get_solver("varying_solver.prototxt")
    for iteration in range(6):
        solver.step(1)
        record(f"loss {iteration}", solver.net.blobs["loss"].data)
        record(f"shape {iteration}", solver.net.blobs["conv"].data.shape)
    record("weights", solver.net.params["conv"][0].data)
