"""Well-known Caffe nets, written here from their descriptions, on random images.

LeNet, the two nets of CIFAR-10, MNIST's auto-encoder and siamese net, AlexNet, GoogLeNet, LRCN.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe.formats import caffe_pb, parse_text, to_text
from tests.scratch import write_lmdb


class _Layers:
    """Layers one after the other; each reads the top of the one before unless told otherwise."""

    def __init__(self, first: str = "data") -> None:
        self.text, self.top = "", first

    def add(self, kind: str, name: str, fields: str = "", bottom: str = "", top: str = "") -> str:
        """Add a layer; return its top. A `top` of "in place" is the bottom."""
        bottom = bottom or self.top
        self.top = bottom.split()[0] if top == "in place" else top or name
        bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
        self.text += (
            f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{self.top}" {fields} }}\n'
        )
        return self.top

    def learned(self, kind: str, name: str, fields: str, filler: str, **more: str) -> str:
        """Add a layer with weights, whose bias learns twice as fast and does not decay."""
        param = {"Convolution": "convolution_param", "InnerProduct": "inner_product_param"}[kind]
        rates = "param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }"
        filled = f"weight_filler {{ {filler} }} bias_filler {{ value: 0.1 }}"
        return self.add(kind, name, f"{rates} {param} {{ {fields} {filled} }}", **more)

    def convolution(self, name: str, outputs: int, fields: str, filler: str, **more: str) -> str:
        """Add a convolution and a ReLU."""
        self.learned("Convolution", name, f"num_output: {outputs} {fields}", filler, **more)
        return self.add("ReLU", f"{name}_relu", top="in place")

    def pool(self, name: str, fields: str, **more: str) -> str:
        """Add a pooling."""
        return self.add("Pooling", name, f"pooling_param {{ {fields} }}", **more)

    def inner(self, name: str, outputs: int, filler: str, **more: str) -> str:
        """Add an InnerProduct."""
        return self.learned("InnerProduct", name, f"num_output: {outputs}", filler, **more)

    def loss(self, name: str, kind: str = "SoftmaxWithLoss", fields: str = "", *with_: str) -> str:
        """Add a loss of the last top and others."""
        return self.add(kind, name, fields, " ".join([self.top, *(with_ or ("label",))]))


_XAVIER = 'type: "xavier"'


def _gaussian(std: float) -> str:
    return f'type: "gaussian" std: {std}'


def lenet(width: float) -> str:
    """LeNet, with ReLU as in Caffe's example."""
    net = _Layers()
    for name, outputs in (("conv1", 20), ("conv2", 50)):
        net.learned("Convolution", name, f"num_output: {outputs} kernel_size: 5", _XAVIER)
        net.pool(f"{name}_pool", "pool: MAX kernel_size: 2 stride: 2")
    net.inner("ip1", 500, _XAVIER)
    net.add("ReLU", "relu1", top="in place")
    net.inner("ip2", 10, _XAVIER)
    net.loss("loss")
    return net.text


def _cifar(full: bool) -> str:
    net = _Layers()
    norm = "lrn_param { local_size: 3 alpha: 5e-05 beta: 0.75 norm_region: WITHIN_CHANNEL }"
    for index, outputs in enumerate((32, 32, 64), 1):
        fields = f"num_output: {outputs} pad: 2 kernel_size: 5"
        net.learned("Convolution", f"conv{index}", fields, _gaussian(0.01))
        pool = f"pool: {'AVE' if index > 1 else 'MAX'} kernel_size: 3 stride: 2"
        if index == 1:
            net.pool("pool1", pool)
        net.add("ReLU", f"relu{index}", top="in place")
        if index > 1:
            net.pool(f"pool{index}", pool)
        if full and index < 3:
            net.add("LRN", f"norm{index}", norm)
    if not full:
        net.inner("ip1", 64, _gaussian(0.1))
    net.inner("ip", 10, _gaussian(0.01))
    net.loss("loss")
    return net.text


def cifar_full(width: float) -> str:
    """The net of CIFAR-10 with normalization."""
    return _cifar(full=True)


def cifar_quick(width: float) -> str:
    """The quick net of CIFAR-10."""
    return _cifar(full=False)


def autoencoder(width: float) -> str:
    """MNIST's auto-encoder of eight layers."""
    net = _Layers()
    net.add("Flatten", "flat")
    sizes = (1000, 500, 250, 30, 250, 500, 1000, 784)
    for index, outputs in enumerate(sizes):
        net.inner(f"ip{index}", outputs, f"{_gaussian(1)} sparse: 15")
        if index not in (3, 7):
            net.add("Sigmoid", f"neuron{index}")
    net.loss("cross_entropy", "SigmoidCrossEntropyLoss", "loss_weight: 1", "flat")
    net.add("Sigmoid", "neuron7", bottom="ip7")
    net.loss("l2", "EuclideanLoss", "loss_weight: 0", "flat")
    return net.text


def siamese(width: float) -> str:
    """Two LeNets that share their weights, and the contrastive loss."""
    text = 'layer { name: "pair" type: "Slice" bottom: "data" top: "a" top: "b" }\n'
    for side in "ab":
        net = _Layers(side)
        shapes = (("conv1", 20), ("conv2", 50), ("ip1", 500), ("ip2", 10), ("feat", 2))
        for name, outputs in shapes:
            names = " ".join(f'param {{ name: "{name}_{i}" lr_mult: {i} }}' for i in (1, 2))
            fields = f"num_output: {outputs} weight_filler {{ {_XAVIER} }}"
            if name[:4] == "conv":
                fields = f"{names} convolution_param {{ {fields} kernel_size: 5 }}"
                net.add("Convolution", f"{name}{side}", fields)
                net.pool(f"{name}{side}_pool", "pool: MAX kernel_size: 2 stride: 2")
            else:
                net.add(
                    "InnerProduct", f"{name}{side}", f"{names} inner_product_param {{ {fields} }}"
                )
            if name == "ip1":
                net.add("ReLU", f"relu{side}", top="in place")
        text += net.text
    net = _Layers("feata")
    net.loss("loss", "ContrastiveLoss", "contrastive_loss_param { margin: 1 }", "featb", "label")
    return text + net.text


_NORM = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"


def alexnet(width: float) -> str:
    """AlexNet; of fewer outputs with a `width` below 1."""
    net = _Layers()
    filler = _gaussian(0.01)
    for index, outputs, fields in (
        (1, 96, "kernel_size: 11 stride: 4"),
        (2, 256, "pad: 2 kernel_size: 5 group: 2"),
        (3, 384, "pad: 1 kernel_size: 3"),
        (4, 384, "pad: 1 kernel_size: 3 group: 2"),
        (5, 256, "pad: 1 kernel_size: 3 group: 2"),
    ):
        net.convolution(f"conv{index}", int(outputs * width), fields, filler)
        if index < 3:
            net.add("LRN", f"norm{index}", _NORM)
        if index in (1, 2, 5):
            net.pool(f"pool{index}", "pool: MAX kernel_size: 3 stride: 2")
    for name in ("fc6", "fc7"):
        net.inner(name, int(4096 * width), _gaussian(0.005))
        net.add("ReLU", f"{name}_relu", top="in place")
        net.add("Dropout", f"{name}_drop", top="in place")
    net.inner("fc8", 1000, filler)
    net.loss("loss")
    return net.text


#: Outputs of the 1x1, 3x3 (reduced, made), 5x5 (reduced, made) and pooled parts of each block.
_INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(width: float) -> str:
    """GoogLeNet with its three losses; of fewer outputs with a `width` below 1."""
    net = _Layers()

    def convolution(name: str, outputs: int, fields: str, bottom: str = "") -> str:
        return net.convolution(name, int(outputs * width), fields, _XAVIER, bottom=bottom)

    def halve(name: str) -> None:
        net.pool(name, "pool: MAX kernel_size: 3 stride: 2")

    convolution("conv1", 64, "pad: 3 kernel_size: 7 stride: 2")
    halve("pool1")
    net.add("LRN", "norm1", _NORM)
    convolution("conv2_reduce", 64, "kernel_size: 1")
    convolution("conv2", 192, "pad: 1 kernel_size: 3")
    net.add("LRN", "norm2", _NORM)
    halve("pool2")
    for block, (one, three_in, three, five_in, five, pooled) in _INCEPTIONS.items():
        bottom = net.top
        tops = [convolution(f"{block}_1", one, "kernel_size: 1", bottom)]
        convolution(f"{block}_3_in", three_in, "kernel_size: 1", bottom)
        tops.append(convolution(f"{block}_3", three, "pad: 1 kernel_size: 3"))
        convolution(f"{block}_5_in", five_in, "kernel_size: 1", bottom)
        tops.append(convolution(f"{block}_5", five, "pad: 2 kernel_size: 5"))
        net.pool(f"{block}_pool", "pool: MAX kernel_size: 3 stride: 1 pad: 1", bottom=bottom)
        tops.append(convolution(f"{block}_p", pooled, "kernel_size: 1"))
        top = net.add("Concat", block, bottom=" ".join(tops))
        if block in ("4a", "4d"):
            net.pool(f"{block}_ave", "pool: AVE kernel_size: 5 stride: 3")
            convolution(f"{block}_aux", 128, "kernel_size: 1")
            net.inner(f"{block}_fc", int(1024 * width), _XAVIER)
            net.add("ReLU", f"{block}_fc_relu", top="in place")
            ratio = "dropout_param { dropout_ratio: 0.7 }"
            net.add("Dropout", f"{block}_drop", ratio, top="in place")
            net.inner(f"{block}_score", 1000, _XAVIER)
            net.loss(f"{block}_loss", "SoftmaxWithLoss", "loss_weight: 0.3")
        net.top = top
        if block in ("3b", "4e"):
            halve(f"{block}_half")
    net.pool("pool5", "pool: AVE kernel_size: 7 stride: 1")
    net.add("Dropout", "drop5", "dropout_param { dropout_ratio: 0.4 }", top="in place")
    net.inner("score", 1000, _XAVIER)
    net.loss("loss")
    return net.text


def lrcn(width: float) -> str:
    """Two LSTMs and an RNN on words, the labels, and on features of the images: LRCN, small.

    There are four sentences of six words. A label of 0 begins a sentence.
    """
    net = _Layers()
    filled = 'weight_filler { type: "uniform" min: -0.5 max: 0.5 } bias_filler { value: 0.1 }'
    net.add("Reshape", "images", "reshape_param { shape { dim: 4 dim: -1 } }")
    net.inner("features", 12, _XAVIER)
    net.add("Reshape", "words", "reshape_param { shape { dim: 6 dim: 4 } }", "label")
    net.add("Threshold", "cont", "threshold_param { threshold: 0.5 }")
    net.add("Embed", "embed", f"embed_param {{ input_dim: 10 num_output: 8 {filled} }}", "words")
    states = f"recurrent_param {{ num_output: 16 {filled} }}"
    net.add("LSTM", "lstm1", states, "embed cont")
    net.add("LSTM", "lstm2", states, "lstm1 cont features")
    net.add("RNN", "rnn", states, "lstm2 cont")
    net.add("InnerProduct", "score", f"inner_product_param {{ num_output: 10 axis: 2 {filled} }}")
    net.loss("loss", "SoftmaxWithLoss", "softmax_param { axis: 2 }", "words")
    return net.text


class Classic(NamedTuple):
    """A net, its images, the batch it is trained with, the fields of its solver, and its pixels."""

    text: Callable[[float], str]
    channels: int
    size: int
    classes: int
    batch: int
    solver: str
    scale: float = 1 / 256


_INV = 'base_lr: 0.01 lr_policy: "inv" gamma: 0.0001 power: 0.75 momentum: 0.9'
_FIXED = 'base_lr: 0.001 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.004'

NETS = {
    "lenet": Classic(lenet, 1, 28, 10, 64, f"{_INV} weight_decay: 0.0005"),
    "cifar_full": Classic(cifar_full, 3, 32, 10, 100, _FIXED),
    "cifar_quick": Classic(cifar_quick, 3, 32, 10, 100, _FIXED),
    "autoencoder": Classic(
        autoencoder,
        1,
        28,
        10,
        100,
        "base_lr: 0.01 lr_policy: 'fixed' momentum: 0.9 weight_decay: 5e-4",
    ),
    "siamese": Classic(siamese, 2, 28, 2, 64, _INV),
    "alexnet": Classic(alexnet, 3, 227, 1000, 256, f"{_INV} weight_decay: 0.0005", 1),
    "googlenet": Classic(googlenet, 3, 224, 1000, 32, f"{_INV} weight_decay: 0.0002", 1),
    "lrcn": Classic(lrcn, 1, 8, 10, 24, _INV),
}
#: LeNet's solver fields by update rule, as in Caffe's examples.
RULES = {
    "SGD": "",
    "Nesterov": "",
    "AdaGrad": "momentum: 0",
    "RMSProp": "momentum: 0 rms_decay: 0.98",
    "AdaDelta": "base_lr: 1 momentum: 0.95 delta: 1e-6 lr_policy: 'fixed'",
    "Adam": "base_lr: 0.001 momentum: 0.9 momentum2: 0.999 lr_policy: 'fixed'",
}


def write_net(
    folder: Path, name: str, batch: int | None = None, width: float = 1, rule: str = "SGD"
) -> str:
    """Write a net, its solver and its images into `folder`; return the solver's file name.

    Parameters
    ----------
    batch : int, optional
        Images of a batch; default: the net's own. One batch of images is written.
    width : float
        Share of the outputs that AlexNet and GoogLeNet have.
    """
    net = NETS[name]
    batch = batch or net.batch
    images = f"{name}_{batch}_lmdb"
    if not (folder / images).exists():
        labels = [index % net.classes for index in range(batch)]
        write_lmdb(folder / images, labels, net.channels, net.size)
    tops = 'top: "data"' + ("" if name == "autoencoder" else ' top: "label"')
    data = f'data_param {{ source: "{images}" batch_size: {batch} backend: LMDB }}'
    data += f" transform_param {{ scale: {net.scale} }}"
    first = f'layer {{ name: "data" type: "Data" {tops} {data} }}'
    (folder / f"{name}.prototxt").write_text(f'name: "{name}"\n{first}\n{net.text(width)}')
    fields = f'net: "{name}.prototxt" random_seed: 1 max_iter: 1000000 {net.solver}'
    param = parse_text(fields, caffe_pb.SolverParameter)
    changes = RULES[rule] if name == "lenet" else ""
    param.MergeFrom(parse_text(f'type: "{rule}" {changes}', caffe_pb.SolverParameter))
    solver = f"{name}_{rule}_solver.prototxt"
    (folder / solver).write_text(to_text(param))
    return solver
