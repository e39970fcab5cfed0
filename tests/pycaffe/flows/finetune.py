"""Fine-tuning: two solvers in turns, on a list of images, one from weights of another task."""

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2

LEARNED = [dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)]
FROZEN = [dict(lr_mult=0)] * 2


def net(name, data, label=None, train=True, classes=5, classifier="fc8", learn_all=False):
    n = caffe.NetSpec()
    n.data = data
    param = LEARNED if learn_all else FROZEN
    gaussian = dict(type="gaussian", std=0.01)
    n.conv1 = L.Convolution(
        n.data, kernel_size=5, stride=2, num_output=8, group=1, param=param,
        weight_filler=gaussian, bias_filler=dict(type="constant", value=0.1),
    )  # fmt: skip
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, pool=P.Pooling.MAX, kernel_size=3, stride=2)
    n.norm1 = L.LRN(n.pool1, local_size=5, alpha=1e-4, beta=0.75)
    n.fc7 = L.InnerProduct(n.norm1, num_output=10, param=param, weight_filler=dict(type="xavier"))
    n.relu7 = L.ReLU(n.fc7, in_place=True)
    if train:
        n.drop7 = below = L.Dropout(n.relu7, in_place=True)
    else:
        below = n.relu7
    fc8 = L.InnerProduct(
        below, num_output=classes, param=LEARNED, weight_filler=dict(type="xavier")
    )
    n.__setattr__(classifier, fc8)
    if not train:
        n.probs = L.Softmax(fc8)
    if label is not None:
        n.label = label
        n.loss = L.SoftmaxWithLoss(fc8, n.label)
        n.acc = L.Accuracy(fc8, n.label)
    with open(f"{name}.prototxt", "w") as out:
        out.write(str(n.to_proto()))
    return f"{name}.prototxt"


def style_net(name, train=True, learn_all=False):
    data, label = L.ImageData(
        transform_param=dict(mirror=train, crop_size=17, mean_value=[100, 110, 120]),
        source="images.txt", batch_size=4, new_height=20, new_width=20, ntop=2,
    )  # fmt: skip
    return net(name, data, label, train, 3, "fc8_style", learn_all)


def solver(name, train_net, base_lr=0.01):
    s = caffe_pb2.SolverParameter()
    s.train_net = train_net
    s.iter_size = 1
    s.max_iter = 100
    s.type = "SGD"
    s.base_lr = base_lr
    s.lr_policy = "step"
    s.gamma = 0.1
    s.stepsize = 5
    s.momentum = 0.9
    s.weight_decay = 5e-4
    s.random_seed = 8
    s.display = 0
    s.solver_mode = caffe_pb2.SolverParameter.CPU
    with open(f"{name}_solver.prototxt", "w") as out:
        out.write(str(s))
    return caffe.get_solver(f"{name}_solver.prototxt")


def run(record):
    dummy = L.DummyData(shape=dict(dim=[1, 3, 17, 17]))
    caffe.set_random_seed(1)
    first = caffe.Net(net("first", dummy, train=False), caffe.TEST)
    first.save("first.caffemodel")
    pretrained = solver("pretrained", style_net("style", learn_all=True))
    pretrained.net.copy_from("first.caffemodel")
    scratch = solver("scratch", style_net("style_head"))
    for iteration in range(6):
        for name, one in (("pretrained", pretrained), ("scratch", scratch)):
            one.step(1)
            loss, accuracy = (one.net.blobs[blob].data.copy() for blob in ("loss", "acc"))
            record(f"{name} loss {iteration}", loss)
            record(f"{name} accuracy {iteration}", accuracy)
    for name, one in (("pretrained", pretrained), ("scratch", scratch)):
        one.net.save(f"{name}.caffemodel")
        test = caffe.Net(style_net("style_test", train=False), f"{name}.caffemodel", caffe.TEST)
        record(f"{name} tested", [test.forward()[blob] for blob in ("acc", "loss") * 2])
        test.blobs["data"].data[0] = np.arange(3 * 17 * 17).reshape(3, 17, 17) % 7
        record(f"{name} one image", test.forward(start="conv1")["probs"][0])
