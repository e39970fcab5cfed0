"""LeNet, built and trained step by step from Python, tested in between, stopped and continued."""

import caffe
from caffe import layers as L
from caffe import params as P

SOLVER = """
train_net: "lenet_train.prototxt" test_net: "lenet_test.prototxt" test_iter: 2 test_interval: 4
base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: "inv" gamma: 0.0001 power: 0.75
display: 3 max_iter: 100 snapshot_prefix: "lenet" random_seed: 5
"""


def net(batch_size):
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        source="digits", backend=P.Data.LMDB, batch_size=batch_size, ntop=2,
        transform_param=dict(scale=1 / 255),
    )  # fmt: skip
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=6, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=3, num_output=8, weight_filler=dict(type="xavier"))
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool2, num_output=20, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=4, weight_filler=dict(type="xavier"))
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


def record_net(record, prefix, net):
    for name, blob in net.blobs.items():
        record(f"{prefix} {name}", blob.data)
        record(f"{prefix} {name} diff", blob.diff)
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            record(f"{prefix} {name}:{index}", blob.data)
            record(f"{prefix} {name}:{index} diff", blob.diff)


def run(record):
    for name, batch_size in (("train", 6), ("test", 5)):
        with open(f"lenet_{name}.prototxt", "w") as out:
            out.write(str(net(batch_size)))
    with open("lenet_solver.prototxt", "w") as out:
        out.write(SOLVER)
    caffe.set_mode_cpu()
    solver = caffe.SGDSolver("lenet_solver.prototxt")
    record("loss", solver.net.forward()["loss"])
    record("test net of its own weights", solver.test_nets[0].forward()["loss"])
    solver.step(1)
    record_net(record, "after a step", solver.net)
    record("lr", solver.lr)
    for iteration in range(8):
        solver.step(1)
        record(f"loss {iteration}", solver.net.blobs["loss"].data)
        solver.test_nets[0].forward(start="conv1")
        record(f"score {iteration}", solver.test_nets[0].blobs["score"].data)
    solver.snapshot()
    record("iter", solver.iter)
    solver.net.clear_param_diffs()
    solver.net.forward()
    solver.net.backward()
    solver.net.params["score"][1].diff[...] += 1
    solver.net.params["score"][0].data[0] = 0.5
    solver.apply_update()
    record_net(record, "by hand", solver.net)
    other = caffe.get_solver("lenet_solver.prototxt")
    other.restore("lenet_iter_9.solverstate")
    record("restored iter", other.iter)
    for name, blobs in other.net.params.items():
        record(f"restored {name}", blobs[0].data)
    other.share_weights(other.test_nets[0])
    other.test_nets[0].blobs["data"].data[...] = 0.5
    other.test_nets[0].forward(start="conv1")
    record("shared", other.test_nets[0].blobs["score"].data)
