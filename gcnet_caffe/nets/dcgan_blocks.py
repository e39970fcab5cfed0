"""DCGAN's two networks for images of 64 x 64: the generators of section IV-E are made of them.

Source: Radford, Metz and Chintala, ICLR 2016, as in PyTorch's example `dcgan`, which the paper
cites: kernels of 4 x 4, no biases, weights from N(0, 0.02), the Scales' factors from N(1, 0.02).
DCGAN's images are -1..1 and ours 0..1, so that a Power layer goes before the first network and
after the second.
"""

from __future__ import annotations

from gcnet_caffe.nets.blocks import PARAMS, batch_norm, scale, shared_names
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import Fields, NetWriter, learned

#: Output channels as multiples of ndf, and in reverse of ngf.
WIDTHS = (1, 2, 4, 8)

#: (stride, pad) of the layers that halve or double the side, and of the one at the latent end,
#: between 4 x 4 and 1 x 1.
HALVING, WHOLE = (2, 1), (1, 0)

LEAK = 0.2
WEIGHTS: Fields = {"type": "gaussian", "std": 0.02}
FACTORS: Fields = {"type": "gaussian", "mean": 1.0, "std": 0.02}


def dcgan_encoder(
    net: NetWriter,
    image: str,
    prefix: str,
    outputs: int,
    options: NetOptions,
    branch: str = "",
    shared: bool = False,
    lr_mult: float = 1.0,
) -> str:
    """Add DCGAN's discriminator without its Sigmoid: Convolutions, BatchNorm, Scale, leaky ReLU.

    The first and the last Convolution have no BatchNorm.

    Parameters
    ----------
    net : NetWriter
        The net that it is added to.
    image : str
        The N x 1 x 64 x 64 blob it reads, values 0..1.
    prefix, branch : str
        Names are `prefix`_conv1`branch` to `prefix`_conv5`branch`.
    outputs : int
        Channels of the last Convolution: 1 for a discriminator, 2 nz for the encoder of a VAE.
    options : NetOptions
        `ndf` channels after the first Convolution.
    shared : bool
        Name the parameters (without `branch`), so that branches share them.
    lr_mult : float
        Of its parameters; 0 trains the layers below it only.

    Returns
    -------
    str
        The N x `outputs` x 1 x 1 blob, `prefix`_conv5`branch`.
    """
    blob = net.add(f"{prefix}_input{branch}", "Power", image, power_param={"scale": 2, "shift": -1})
    widths = [width * options.ndf for width in WIDTHS] + [outputs]
    last = len(widths)
    for i, channels in enumerate(widths, start=1):
        conv, bn, factors = (shared_names(prefix, kind, i, shared) for kind in PARAMS)
        blob = net.add(
            f"{prefix}_conv{i}{branch}",
            "Convolution",
            blob,
            param=[learned(name, lr_mult) for name in conv],
            convolution_param=_convolution(channels, WHOLE if i == last else HALVING),
        )
        if 1 < i < last:
            batch_norm(net, f"{prefix}_bn{i}{branch}", blob, options, bn)
            scale(net, f"{prefix}_scale{i}{branch}", blob, factors, lr_mult, FACTORS)
        if i < last:
            leak = {"negative_slope": LEAK}
            net.add(f"{prefix}_relu{i}{branch}", "ReLU", blob, blob, relu_param=leak)
    return blob


def dcgan_decoder(
    net: NetWriter, latent: str, prefix: str, options: NetOptions, top: str, lr_mult: float = 1.0
) -> str:
    """Add DCGAN's generator: Deconvolutions, BatchNorm, Scale, ReLU; the last one ends in TanH.

    Parameters
    ----------
    net : NetWriter
        The net that it is added to.
    latent : str
        An N x nz x 1 x 1 blob.
    prefix : str
        Names are `prefix`_deconv1 to `prefix`_deconv5.
    options : NetOptions
        `ngf` channels before the last Deconvolution.
    top : str
        Name of the image blob, N x 1 x 64 x 64, values 0..1.
    lr_mult : float
        Of its parameters.

    Returns
    -------
    str
        `top`.
    """
    blob = latent
    widths = [width * options.ngf for width in reversed(WIDTHS)] + [1]
    for i, channels in enumerate(widths, start=1):
        blob = net.add(
            f"{prefix}_deconv{i}",
            "Deconvolution",
            blob,
            param=[learned(lr_mult=lr_mult)],
            convolution_param=_convolution(channels, WHOLE if i == 1 else HALVING),
        )
        if i < len(widths):
            batch_norm(net, f"{prefix}_bn{i}", blob, options)
            scale(net, f"{prefix}_scale{i}", blob, lr_mult=lr_mult, filler=FACTORS)
            net.add(f"{prefix}_relu{i}", "ReLU", blob, blob)
    net.add(f"{prefix}_tanh", "TanH", blob, blob)
    return net.add(f"{prefix}_output", "Power", blob, top, power_param={"scale": 0.5, "shift": 0.5})


def _convolution(channels: int, stride_and_pad: tuple[int, int]) -> Fields:
    stride, pad = stride_and_pad
    return {
        "num_output": channels,
        "bias_term": False,
        "pad": [pad],
        "kernel_size": [4],
        "stride": [stride],
        "weight_filler": WEIGHTS,
    }
