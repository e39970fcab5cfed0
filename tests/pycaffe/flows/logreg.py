"""Logistic regression, and one hidden layer, on HDF5 files; the solver is a message."""

import caffe
import h5py
import numpy as np
from caffe import layers as L
from caffe.proto import caffe_pb2


def write_data():
    draws = np.random.RandomState(0)
    points = draws.normal(0, 1, (90, 4))  # of double precision, as scikit-learn makes them
    labels = (points[:, 0] * points[:, 1] > 0.1).astype(np.float32)
    with h5py.File("points_train.h5", "w") as out:
        out["data"], out["label"] = points[:60], labels[:60]
    with open("points_train.txt", "w") as out:
        out.write("points_train.h5\n" * 2)
    with h5py.File("points_test.h5", "w") as out:
        out.create_dataset("data", data=points[60:], compression="gzip", compression_opts=1)
        out.create_dataset("label", data=labels[60:], compression="gzip", compression_opts=1)
    with open("points_test.txt", "w") as out:
        out.write("points_test.h5\n")


def net(source, batch_size, hidden):
    n = caffe.NetSpec()
    n.data, n.label = L.HDF5Data(batch_size=batch_size, source=source, ntop=2)
    below = n.data
    if hidden:
        n.ip0 = L.InnerProduct(below, num_output=hidden, weight_filler=dict(type="xavier"))
        n.relu0 = L.ReLU(n.ip0, in_place=True)
        below = n.ip0
    n.ip1 = L.InnerProduct(below, num_output=2, weight_filler=dict(type="xavier"))
    n.accuracy = L.Accuracy(n.ip1, n.label)
    n.loss = L.SoftmaxWithLoss(n.ip1, n.label)
    return n.to_proto()


def solver(name):
    s = caffe_pb2.SolverParameter()
    s.train_net = f"{name}_train.prototxt"
    s.test_net.append(f"{name}_test.prototxt")
    s.test_interval = 10
    s.test_iter.append(4)
    s.max_iter = 30
    s.base_lr = 0.1
    s.lr_policy = "step"
    s.gamma = 0.1
    s.stepsize = 20
    s.momentum = 0.9
    s.weight_decay = 5e-4
    s.display = 10
    s.snapshot = 30
    s.snapshot_prefix = name
    s.random_seed = 4
    s.solver_mode = caffe_pb2.SolverParameter.CPU
    with open(f"{name}_solver.prototxt", "w") as out:
        out.write(str(s))
    return caffe.get_solver(f"{name}_solver.prototxt")


def run(record):
    write_data()
    for name, hidden in (("linear", 0), ("nonlinear", 8)):
        for part in ("train", "test"):
            with open(f"{name}_{part}.prototxt", "w") as out:
                out.write(str(net(f"points_{part}.txt", 10, hidden)))
        made = solver(name)
        made.solve()
        test = made.test_nets[0]
        accuracy = 0
        for _ in range(30 // test.blobs["data"].num):
            test.forward()
            accuracy += float(test.blobs["accuracy"].data)
        record(f"{name} accuracy", accuracy)
        for layer, blobs in made.net.params.items():
            for index, blob in enumerate(blobs):
                record(f"{name} {layer}:{index}", blob.data)
        saved = caffe.Net(f"{name}_test.prototxt", f"{name}_iter_30.caffemodel", caffe.TEST)
        record(f"{name} saved", saved.forward()["loss"])
