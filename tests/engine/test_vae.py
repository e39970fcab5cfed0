"""The latent of the VAE and its Kullback-Leibler term: gradients beside differences.

What the term is worth is in tests/nets/test_generator_equations.py, and runs of the whole net
beside real Caffe's are in test_run_parity.py.
"""

import torch

from gcnet_caffe.engine.layers import TRAIN, Context
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.formats import caffe_pb, read_net
from tests.scratch import ROOT

NZ, BATCH = 100, 3


def latent_net():
    """Return the committed net's layers between encoder and decoder, and the term."""
    whole = read_net(ROOT / "prototxt/ck_fold0_S1R1_vae_train_test.prototxt")
    param = caffe_pb.NetParameter(name="latent", force_backward=True)
    param.state.phase = TRAIN
    for name, count in (("enc1_conv5", 2 * NZ), ("latent_noise", NZ)):
        layer = param.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=[BATCH, count, 1, 1])
    for layer in whole.layer:
        if layer.name.split("_")[0] in ("latent", "kl") or layer.name == "loss_kl":
            if layer.type != "DummyData":
                param.layer.add().CopyFrom(layer)
    return Net(param, Context(TRAIN, CaffeRng(1)))


def test_gradients_are_the_differences():
    net = latent_net()
    generator = torch.Generator().manual_seed(0)
    moments, noise = (
        torch.randn(BATCH, count, 1, 1, generator=generator, dtype=torch.float64).requires_grad_()
        for count in (2 * NZ, NZ)
    )

    def latent_and_term(moments, noise):
        _, values = net.run_keeping(dict(zip(net.next_batch(), (moments, noise))))
        return [values[net.blob_names.index(name)] for name in ("latent", "loss_kl")]

    latent, term = latent_and_term(moments, noise)
    assert latent.shape == (BATCH, NZ, 1, 1) and term > 1
    assert torch.autograd.gradcheck(latent_and_term, (moments, noise))
