"""A siamese net on pairs of digits from a LEVELDB, whose towers share their weights."""

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

SOLVER = """
train_net: "siamese_train.prototxt" test_net: "siamese_test.prototxt" test_iter: 3 test_interval: 4
base_lr: 0.01 momentum: 0.9 weight_decay: 0 lr_policy: "inv" gamma: 0.0001 power: 0.75 display: 4
max_iter: 8 snapshot_prefix: "siamese" random_seed: 6
"""


def tower(n, bottom, suffix):
    """Add a tower to `n`; the second takes the first one's weights, by their names."""

    def learned(name):
        return [
            dict(name=f"{name}_w", lr_mult=1),
            dict(name=f"{name}_b", lr_mult=2),
        ]

    filler = dict(weight_filler=dict(type="xavier"), bias_filler=dict(type="constant"))
    n[f"conv{suffix}"] = L.Convolution(
        bottom, num_output=6, kernel_size=5, param=learned("conv"), **filler
    )
    n[f"pool{suffix}"] = L.Pooling(n[f"conv{suffix}"], pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n[f"ip{suffix}"] = L.InnerProduct(
        n[f"pool{suffix}"], num_output=12, param=learned("ip"), **filler
    )
    n[f"relu{suffix}"] = L.ReLU(n[f"ip{suffix}"], in_place=True)
    n[f"feat{suffix}"] = L.InnerProduct(
        n[f"ip{suffix}"], num_output=2, param=learned("feat"), **filler
    )


def pairs(source):
    n = caffe.NetSpec()
    n.pair_data, n.sim = L.Data(
        source=source, backend=P.Data.LEVELDB, batch_size=5, ntop=2,
        transform_param=dict(scale=1 / 256),
    )  # fmt: skip
    n.data, n.data_p = L.Slice(n.pair_data, axis=1, slice_point=1, ntop=2)
    tower(n, n.data, "")
    tower(n, n.data_p, "_p")
    n.loss = L.ContrastiveLoss(n.feat, n.feat_p, n.sim, margin=1)
    return n.to_proto()


def single():
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[4, 1, 20, 20]))
    tower(n, n.data, "")
    return n.to_proto()


def run(record):
    nets = {"train": pairs("pairs"), "test": pairs("other_pairs"), "deploy": single()}
    for name, net in nets.items():
        with open(f"siamese_{name}.prototxt", "w") as out:
            out.write(str(net))
    with open("siamese_solver.prototxt", "w") as out:
        out.write(SOLVER)
    solver = caffe.get_solver("siamese_solver.prototxt")
    record("parameters", list(solver.net.params))
    for iteration in range(8):
        solver.step(1)
        record(f"loss {iteration}", solver.net.blobs["loss"].data)
    for name, blobs in solver.net.params.items():
        record(name, blobs[0].data)
    record("test loss", solver.test_nets[0].forward()["loss"])
    solver.snapshot()
    net = caffe.Net("siamese_deploy.prototxt", "siamese_iter_8.caffemodel", caffe.TEST)
    images = np.random.RandomState(5).randint(0, 256, (10, 1, 20, 20))
    record("features", net.forward_all(data=images * 0.00390625)["feat"])
