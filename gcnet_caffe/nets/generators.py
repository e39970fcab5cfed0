"""What makes the reference from a query: the auto-encoder of figure 3, or figure 7's VAE and DCGAN.

Each has an encoder `enc1` and a decoder `dec1`, so that all else of a net reads the same.
"""

from __future__ import annotations

from gcnet_caffe.nets import losses
from gcnet_caffe.nets.blocks import decoder, encoder
from gcnet_caffe.nets.dcgan_blocks import dcgan_decoder, dcgan_encoder
from gcnet_caffe.nets.layer_names import (
    DECODER_1,
    DISCRIMINATOR,
    ENCODER_1,
    LATENT,
    LOSS_GENERATED,
    LOSS_GENERATION,
    LOSS_REAL,
)
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import FIXED, TEST_ONLY, TRAIN_ONLY, Fields, NetWriter

_GENERATED = "_generated"

#: Spread of the fixed projection: of 64 x 64 pixels of -1..1 it makes values of the order of one,
#: which DCGAN's generator expects.
_PROJECTION: Fields = {"type": "gaussian", "std": 1 / 64}


def generator(
    net: NetWriter, query: str, options: NetOptions, top: str, train: bool, learns: bool = True
) -> str:
    """Add the generator `options.generator`, X_r = G(X) of eq. (3).

    Parameters
    ----------
    net : NetWriter
    query : str
        The N x 1 x 64 x 64 blob it reads, values 0..1.
    options : NetOptions
    top : str
        Name of the image blob that it makes, of the same shape.
    train : bool
        Whether the VAE draws its latent (in the TRAIN phase). Otherwise the latent is its mean.
    learns : bool
        Whether this net's solver learns the parameters of a VAE's or DCGAN's decoder.
    """
    lr_mult = 1.0 if learns else 0.0
    if options.generator == "ae":
        code = encoder(net, query, ENCODER_1, options)
        return decoder(net, code, DECODER_1, options, top, options.decoder_lr_mult)
    if options.generator == "vae":
        moments = dcgan_encoder(net, query, ENCODER_1, 2 * options.nz, options)
        latent = _draw(net, moments, options, train)
    else:
        latent = _project(net, query, options.nz)
    return dcgan_decoder(net, latent, DECODER_1, options, top, lr_mult)


def generative_loss(
    net: NetWriter, image: str, target: str, label: str, options: NetOptions
) -> None:
    """Add what trains the generator to make `target`.

    For the auto-encoder eq. (5); for the VAE eq. (5) and the Kullback-Leibler term; for the DCGAN
    what the discriminator says of `image`, without comparing it with `target`.

    Parameters
    ----------
    net : NetWriter
    image, target : str
        N x 1 x 64 x 64 blobs: what the generator makes, and what it should make.
    label : str
        Any blob of N values.
    options : NetOptions
    """
    if options.generator == "dcgan":
        logit = discriminate(net, image, options, _GENERATED, learns=False)
        ones = losses.constant_label(net, "real", label, 1.0)
        losses.adversarial_loss(net, LOSS_GENERATION, logit, ones, options.lambda_g)
        return
    losses.image_loss(net, LOSS_GENERATION, image, target, options.lambda_g)
    if options.generator == "vae":
        losses.kl_divergence(
            net, f"{LATENT}_mean", f"{LATENT}_log_variance", options.nz, options.lambda_kl
        )


def discriminator_loss(
    net: NetWriter, image: str, real: str, label: str, options: NetOptions
) -> None:
    """Add the discriminator on `real` images and on the generated `image`, and its two losses.

    `label` is any blob of N values.
    """
    for name, loss, blob, branch, value in (
        ("real", LOSS_REAL, real, "", 1.0),
        ("generated", LOSS_GENERATED, image, _GENERATED, 0.0),
    ):
        logit = discriminate(net, blob, options, branch, learns=True)
        wanted = losses.constant_label(net, name, label, value)
        losses.adversarial_loss(net, loss, logit, wanted, 1.0)


def discriminate(net: NetWriter, image: str, options: NetOptions, branch: str, learns: bool) -> str:
    """Add the discriminator, N x 1 x 1 x 1 logits of being real; branches share its parameters."""
    lr_mult = 1.0 if learns else 0.0
    return dcgan_encoder(
        net, image, DISCRIMINATOR, 1, options, branch, shared=True, lr_mult=lr_mult
    )


def _draw(net: NetWriter, moments: str, options: NetOptions, train: bool) -> str:
    """Add the latent, mean + exp(log variance / 2) times noise of N(0, 1); in TEST the mean."""
    tops = [f"{LATENT}_mean", f"{LATENT}_log_variance"]
    mean, log_variance = net.add_tops(f"{LATENT}_moments", "Slice", moments, tops)
    if not train:
        net.add_tops(f"{LATENT}_unused", "Silence", log_variance, [])
        return mean
    normal, zero = {"type": "gaussian", "std": 1.0}, {"type": "constant"}
    for include, count, filler in (
        (TRAIN_ONLY, options.batch_size, normal),
        (TEST_ONLY, options.test_batch_size, zero),
    ):
        shape = [{"dim": [count, options.nz, 1, 1]}]
        noise = net.add(
            f"{LATENT}_noise",
            "DummyData",
            include=include,
            dummy_data_param={"shape": shape, "data_filler": [filler]},
        )
    deviation = net.add(f"{LATENT}_deviation", "Exp", log_variance, exp_param={"scale": 0.5})
    product = {"operation": "PROD"}
    drawn = net.add(f"{LATENT}_drawn", "Eltwise", [deviation, noise], eltwise_param=product)
    return net.add(LATENT, "Eltwise", [mean, drawn])


def _project(net: NetWriter, query: str, nz: int) -> str:
    """Add the fixed random projection of the appendix to `nz` values, N x nz x 1 x 1."""
    pixels = net.add(f"{ENCODER_1}_input", "Power", query, power_param={"scale": 2, "shift": -1})
    projected = net.add(
        f"{ENCODER_1}_projection",
        "InnerProduct",
        pixels,
        param=[FIXED],
        inner_product_param={"num_output": nz, "bias_term": False, "weight_filler": _PROJECTION},
    )
    shape = {"shape": {"dim": [0, 0, 1, 1]}}
    return net.add(LATENT, "Reshape", projected, reshape_param=shape)
