"""DCGAN's layers: the shapes, ranges and parameters of Radford et al., section 4 and figure 1."""

import torch

from gcnet_caffe import nets
from gcnet_caffe.engine.layers import TRAIN, Context
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.nets.dcgan_blocks import dcgan_decoder, dcgan_encoder
from gcnet_caffe.nets.writer import NetWriter

#: The PyTorch example's Discriminator(nc=1) with 200 outputs, and its Generator(nc=1).
ENCODER = 1024 + 131072 + 524288 + 2097152 + 1638400 + 2 * (128 + 256 + 512)
DECODER = 819200 + 2097152 + 524288 + 131072 + 1024 + 2 * (512 + 256 + 128 + 64)


def net_of(add, shape, **options):
    writer = NetWriter("block")
    writer.add("in", "Input", input_param={"shape": [{"dim": shape}]})
    add(writer, nets.NetOptions(**options))
    return Net(writer.net, Context(TRAIN, CaffeRng(1)))


def run(net, bottom):
    return net.blobs({"in": bottom})


def learnable(net):
    return sum(
        blob.numel()
        for layer in net.layers
        if layer.layer_type != "BatchNorm"
        for blob in layer.blobs
    )


def test_the_encoder():
    net = net_of(lambda w, o: dcgan_encoder(w, "in", "enc1", 200, o), [3, 1, 64, 64])
    assert learnable(net) == ENCODER
    blobs = run(net, torch.rand(3, 1, 64, 64, generator=torch.manual_seed(0)))
    shapes = {name: tuple(blob.shape) for name, blob in blobs.items()}
    assert shapes["enc1_conv1"] == (3, 64, 32, 32) and shapes["enc1_conv4"] == (3, 512, 4, 4)
    assert shapes["enc1_conv5"] == (3, 200, 1, 1)
    bare = {layer.layer_type for layer in net.layers if layer.name[-1] in "15"}
    assert bare == {"Convolution", "ReLU"}, "no BatchNorm on the first and the last"


def test_the_decoder_gives_images_of_0_to_1():
    net = net_of(lambda w, o: dcgan_decoder(w, "in", "dec1", o, "image"), [3, 100, 1, 1])
    assert learnable(net) == DECODER
    found = run(net, torch.randn(3, 100, 1, 1, generator=torch.manual_seed(0)))
    assert found["image"].shape == (3, 1, 64, 64)
    assert 0 <= found["image"].min() < 0.45 and 0.55 < found["image"].max() <= 1


def test_images_are_read_as_minus_1_to_1():
    net = net_of(lambda w, o: dcgan_encoder(w, "in", "d", 1, o), [1, 1, 64, 64], ndf=1)
    image = torch.rand(1, 1, 64, 64, generator=torch.manual_seed(0))
    assert torch.allclose(run(net, image)["d_input"], 2 * image - 1)


def test_widths_and_learning_rates():
    writer = NetWriter("block")
    options = nets.NetOptions(nz=7, ngf=3, ndf=5)
    dcgan_encoder(writer, "x", "d", 1, options, "_fake", shared=True, lr_mult=0)
    dcgan_decoder(writer, "z", "g", options, "image", lr_mult=2)
    layers = {layer.name: layer for layer in writer.net.layer}
    widths = [layers[f"d_conv{i}_fake"].convolution_param.num_output for i in range(1, 6)]
    assert widths == [5, 10, 20, 40, 1]
    widths = [layers[f"g_deconv{i}"].convolution_param.num_output for i in range(1, 6)]
    assert widths == [24, 12, 6, 3, 1]
    for name, layer in layers.items():
        mults = {spec.lr_mult for spec in layer.param}
        assert mults <= {0.0 if name.startswith("d_") or layer.type == "BatchNorm" else 2.0}, name
    assert [spec.name for spec in layers["d_conv2_fake"].param] == ["d_conv2_weight"]
