"""The structures of well-known nets, written by a few functions."""


def layer(kind, name, bottoms, tops=None, fields=""):
    """Return a layer's prototxt; `tops` is its name where nothing is given."""
    words = "".join(f'bottom: "{bottom}" ' for bottom in bottoms.split())
    words += "".join(f'top: "{top}" ' for top in (name if tops is None else tops).split())
    return f'layer {{ name: "{name}" type: "{kind}" {words}{fields} }}\n'


def given(name, *dims):
    shape = " ".join(f"dim: {dim}" for dim in dims)
    return layer("Input", name, "", fields=f"input_param {{ shape {{ {shape} }} }}")


def convolution(name, bottom, outputs, kernel, more="", then=("ReLU",)):
    """A Convolution and layers in place on it."""
    fields = f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} {more} }}"
    text = layer("Convolution", name, bottom, fields=fields)
    return text + "".join(layer(kind, f"{name}_{kind}", name, name) for kind in then)


def dense(name, bottom, outputs, then=()):
    text = layer(
        "InnerProduct", name, bottom, fields=f"inner_product_param {{ num_output: {outputs} }}"
    )
    return text + "".join(layer(kind, f"{name}_{kind}", name, name) for kind in then)


def pooling(name, bottom, kernel, stride, more=""):
    fields = f"pooling_param {{ kernel_size: {kernel} stride: {stride} {more} }}"
    return layer("Pooling", name, bottom, fields=fields)


def data(batch, phase):
    fields = f'include {{ phase: {phase} }} data_param {{ source: "l" batch_size: {batch} }}'
    return layer("Data", "mnist", "", "data label", fields)


def lenet():
    """LeCun's, as Caffe's MNIST example has it: the data of both phases, a test accuracy."""
    net = data(64, "TRAIN") + data(100, "TEST") + convolution("conv1", "data", 20, 5, then=())
    net += pooling("pool1", "conv1", 2, 2) + convolution("conv2", "pool1", 50, 5, then=())
    net += pooling("pool2", "conv2", 2, 2) + dense("ip1", "pool2", 500, ["ReLU"])
    net += dense("ip2", "ip1", 10)
    net += layer("Accuracy", "accuracy", "ip2 label", fields="include { phase: TEST }")
    return net + layer("SoftmaxWithLoss", "loss", "ip2 label")


def alexnet():
    net, bottom = given("data", 10, 3, 227, 227), "data"
    for number, outputs, kernel, more in (
        (1, 96, 11, "stride: 4"),
        (2, 256, 5, "pad: 2 group: 2"),
        (3, 384, 3, "pad: 1"),
        (4, 384, 3, "pad: 1 group: 2"),
        (5, 256, 3, "pad: 1 group: 2"),
    ):
        net += convolution(f"conv{number}", bottom, outputs, kernel, more)
        bottom = f"conv{number}"
        if number < 3:
            net += layer("LRN", f"norm{number}", bottom)
            bottom = f"norm{number}"
        if number in (1, 2, 5):
            net += pooling(f"pool{number}", bottom, 3, 2)
            bottom = f"pool{number}"
    for number in (6, 7):
        net += dense(f"fc{number}", bottom, 4096, ["ReLU", "Dropout"])
        bottom = f"fc{number}"
    return net + dense("fc8", "fc7", 1000) + layer("Softmax", "prob", "fc8")


def googlenet():
    """Nine inception modules, two of them with a classifier aside, in training."""
    net = data(32, "TRAIN") + convolution("conv1", "data", 64, 7, "stride: 2 pad: 3")
    net += pooling("pool1", "conv1", 3, 2) + convolution("conv2", "pool1", 192, 3, "pad: 1")
    bottom = "conv2"
    for number, name in enumerate("abcdefghi"):
        sides = [f"{name}/1x1", f"{name}/3x3", f"{name}/5x5", f"{name}/proj"]
        net += convolution(sides[0], bottom, 64, 1)
        for kernel in (3, 5):
            reduced = f"{name}/{kernel}x{kernel}_reduce"
            net += convolution(reduced, bottom, 96, 1)
            net += convolution(
                f"{name}/{kernel}x{kernel}", reduced, 128, kernel, f"pad: {kernel // 2}"
            )
        net += pooling(f"{name}/pool", bottom, 3, 1, "pad: 1")
        net += convolution(sides[3], f"{name}/pool", 32, 1)
        net += layer("Concat", f"{name}/output", " ".join(sides))
        bottom = f"{name}/output"
        if number in (2, 5, 8):
            net += pooling(f"{name}/ave", bottom, 5, 3, "pool: AVE")
            net += dense(f"{name}/fc", f"{name}/ave", 1000, ["Dropout"])
            net += layer("SoftmaxWithLoss", f"{name}/loss", f"{name}/fc label")
    return net


def resnet(blocks=(3, 4, 6, 3)):
    """ResNet-50, or of other numbers of blocks."""
    norm = ("BatchNorm", "Scale")
    net = given("data", 1, 3, 224, 224)
    net += convolution("conv1", "data", 64, 7, "stride: 2 pad: 3", (*norm, "ReLU"))
    net += pooling("pool1", "conv1", 3, 2)
    bottom = "pool1"
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for block in range(count):
            name = f"res{stage + 2}_{block}"
            stride = f"stride: {2 if stage and not block else 1}"
            net += convolution(f"{name}a", bottom, width, 1, stride, (*norm, "ReLU"))
            net += convolution(f"{name}b", f"{name}a", width, 3, "pad: 1", (*norm, "ReLU"))
            net += convolution(f"{name}c", f"{name}b", 4 * width, 1, then=norm)
            short = bottom
            if not block:
                short = f"{name}_short"
                net += convolution(short, bottom, 4 * width, 1, stride, norm)
            net += layer("Eltwise", name, f"{short} {name}c")
            net += layer("ReLU", f"{name}_relu", name, name)
            bottom = name
    net += layer(
        "Pooling", "pool5", bottom, fields="pooling_param { pool: AVE global_pooling: true }"
    )
    return net + dense("fc", "pool5", 1000) + layer("Softmax", "prob", "fc")


def mtcnn():
    """The last of MTCNN's three nets, with its three outputs."""
    net = given("data", 1, 3, 48, 48) + convolution("conv1", "data", 32, 3, then=["PReLU"])
    net += pooling("pool1", "conv1", 3, 2) + convolution("conv2", "pool1", 64, 3, then=["PReLU"])
    net += pooling("pool2", "conv2", 3, 2) + dense("fc", "pool2", 256, ["Dropout", "PReLU"])
    for name, outputs in (("face", 2), ("box", 4), ("points", 10)):
        net += dense(name, "fc", outputs)
    return net + layer("Softmax", "prob", "face")


def unet():
    net, bottom, skips = given("data", 1, 1, 188, 188), "data", []
    for level in range(1, 4):
        for side in "ab":
            net += convolution(f"down{level}{side}", bottom, 32 * level, 3)
            bottom = f"down{level}{side}"
        skips.append(bottom)
        net += pooling(f"pool{level}", bottom, 2, 2)
        bottom = f"pool{level}"
    for level in range(3, 0, -1):
        up, crop, cat = f"up{level}", f"crop{level}", f"cat{level}"
        fields = f"convolution_param {{ num_output: {32 * level} kernel_size: 2 stride: 2 }}"
        net += layer("Deconvolution", up, bottom, fields=fields)
        net += layer("Crop", crop, f"{skips[level - 1]} {up}")
        net += layer("Concat", cat, f"{up} {crop}")
        net += convolution(f"conv{level}", cat, 32 * level, 3)
        bottom = f"conv{level}"
    return net + convolution("score", bottom, 2, 1, then=())


def siamese():
    net = data(64, "TRAIN") + layer("Slice", "pair", "data", "one two")
    for side in ("one", "two"):
        net += convolution(f"conv_{side}", side, 20, 5) + pooling(
            f"pool_{side}", f"conv_{side}", 2, 2
        )
        net += dense(f"feat_{side}", f"pool_{side}", 2)
    return net + layer("ContrastiveLoss", "loss", "feat_one feat_two label")


NETS = {
    "LeNet": lenet(),
    "AlexNet": alexnet(),
    "GoogLeNet": googlenet(),
    "ResNet-50": resnet(),
    "MTCNN": mtcnn(),
    "U-Net": unet(),
    "siamese": siamese(),
}
