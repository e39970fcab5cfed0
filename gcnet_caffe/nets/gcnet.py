"""The networks of figures 2 and 7; `build` reads top to bottom like figure 3."""

from __future__ import annotations

from typing import NamedTuple

from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets import losses
from gcnet_caffe.nets.blocks import classifier, decoder, encoder, latent_size
from gcnet_caffe.nets.generators import generative_loss, generator
from gcnet_caffe.nets.layer_names import (
    DECODER_2_QUERY,
    DECODER_2_REFERENCE,
    ENCODER_2,
    FC_LAYERS,
    GENERATED_REFERENCE,
    LABEL,
    LOSS_QUERY,
    LOSS_REFERENCE,
    PAIR,
    PROB,
    QUERY,
    QUERY_EMBEDDING,
    RECONSTRUCTED_QUERY,
    RECONSTRUCTED_REFERENCE,
    REFERENCE,
    REFERENCE_EMBEDDING,
    SPLIT_PAIR,
)
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import TEST_ONLY, TRAIN_ONLY, NetWriter

IMAGE_SIZE = 64


class Variant(NamedTuple):
    """What a variant has: its panel of figure 2, and which parts of figure 3."""

    figure: str
    compares: bool
    generates: bool
    contrastive: bool
    reconstructs: bool


VARIANTS = {
    #                  figure  compares generates  S      R
    "cnn": Variant("2a", False, False, False, False),
    "metric": Variant("2b", True, False, True, False),
    "S0R0": Variant("2c", True, True, False, False),
    "S1R0": Variant("2d", True, True, True, False),
    "S0R1": Variant("2e", True, True, False, True),
    "S1R1": Variant("2f", True, True, True, True),
}


def build(
    variant: str, options: NetOptions, deploy: bool = False, with_reconstruction: bool = False
) -> NetWriter:
    """Build one of `VARIANTS`.

    Parameters
    ----------
    variant : str
        A key of `VARIANTS`.
    options : NetOptions
    deploy : bool
        The net that recognises: `query` (and `reference` for ``metric``), N x 1 x 64 x 64 with
        values 0..1, in; blobs `prob`, `feature`, `delta` and `generated_reference` out. Otherwise
        the net that `caffe train` reads, for both phases.
    with_reconstruction : bool
        Keep decoders 2 in the deploy net, for the response maps of figure 4: blobs
        `reconstructed_query` and `reconstructed_reference`.

    Returns
    -------
    NetWriter

    Raises
    ------
    UsageError
        The variant has no decoders 2, or nothing to learn without its classifier.
    """
    has = VARIANTS[variant]
    if not options.classifier and not (has.contrastive and has.generates or has.reconstructs):
        raise UsageError(f"--no-classifier: nothing is left of {variant} to learn embeddings for")
    if with_reconstruction and not has.reconstructs:
        raise UsageError(f"--with-reconstruction: {variant} has no decoders 2; S0R1 and S1R1 have")
    train = not deploy
    reconstructs = has.reconstructs and (train or with_reconstruction)
    kind = options.kind if has.generates else ""
    net = NetWriter(f"gcnet_{variant}{kind}{'_deploy' if deploy else ''}")

    if train:
        query, reference, label = pair_data(net, options)
        if options.partial_labels and (options.classifier or has.contrastive):
            label, partial = losses.whole_label(net, label, options)
        else:
            partial = ""
    else:
        query, label, partial = add_input(net, QUERY), "", ""
        reference = add_input(net, REFERENCE) if has.compares and not has.generates else ""

    # Encoder 1 and decoder 1, the generator: the reference image X_r = G(X), eq. (3)
    if has.generates:
        compared = generator(net, query, options, GENERATED_REFERENCE, train)
        if train:
            generative_loss(net, compared, reference, label, options)
    else:
        compared = reference

    if not (train or options.classifier or reconstructs):
        return net

    # Encoder 2, the contrastive encoder: one set of parameters, two branches
    query_code = encoder(net, query, ENCODER_2, options, shared=has.compares, masks=reconstructs)
    if options.classifier or has.contrastive:
        delta = embedding = net.add(QUERY_EMBEDDING, "Flatten", query_code.blob)
    if has.compares:
        reference_code = encoder(
            net, compared, ENCODER_2, options, "_reference", shared=True, masks=reconstructs
        )
        if options.classifier or has.contrastive:
            other = net.add(REFERENCE_EMBEDDING, "Flatten", reference_code.blob)
        if options.classifier:
            delta = losses.normalized_distance(net, embedding, other)
        if train and has.contrastive:
            losses.contrastive_loss(net, embedding, other, label, options)

    # Decoders 2: the query and the reference image from their embeddings, eq. (7) to (9)
    if reconstructs:
        mult = options.decoder_lr_mult
        image_i = decoder(net, query_code, DECODER_2_QUERY, options, RECONSTRUCTED_QUERY, mult)
        image_r = decoder(
            net, reference_code, DECODER_2_REFERENCE, options, RECONSTRUCTED_REFERENCE, mult
        )
        if train:
            losses.image_loss(net, LOSS_QUERY, image_i, query, options.lambda_ri)
            losses.image_loss(net, LOSS_REFERENCE, image_r, reference, options.lambda_rr)

    if options.classifier:
        _classify(net, delta, label, partial, has, options, train)
    if train:
        net.silence(*filter(None, (reference, label, partial)))
    return net


def _classify(
    net: NetWriter,
    delta: str,
    label: str,
    partial: str,
    has: Variant,
    options: NetOptions,
    train: bool,
) -> None:
    """Add the classification layers, and in training their loss; otherwise `prob`.

    `partial` is 1 for the records that compete among `options.partial_labels`; "" without such.
    """
    if has.compares and options.delta_scale == "root":
        scale = {"scale": latent_size(options) ** 0.5}
        delta = net.add("delta_scaled", "Power", delta, power_param=scale)
    score = classifier(net, delta, *FC_LAYERS, options.num_classes, options, train)
    if train:
        if partial:
            score = losses.among_own_classes(net, score, partial, options)
        losses.classification_loss(net, score, label, options.ignored_label)
    else:
        net.add(PROB, "Softmax", score)


def add_data(net: NetWriter, options: NetOptions, tops: list[str]) -> list[str]:
    """Add the Data layers of both phases: crops of 64 x 64, scaled to 0..1, mirrored in TRAIN.

    Returns `tops`.
    """
    for include, name, batch_size, mirror in (
        (TRAIN_ONLY, "train_lmdb", options.batch_size, True),
        (TEST_ONLY, "test_lmdb", options.test_batch_size, False),
    ):
        net.add_tops(
            "data",
            "Data",
            (),
            tops,
            include=include,
            transform_param={"scale": 1 / 255, "crop_size": IMAGE_SIZE, "mirror": mirror},
            data_param={
                "source": f"{options.data}/{name}",
                "batch_size": batch_size,
                "backend": "LMDB",
            },
        )
    return tops


def add_input(net: NetWriter, name: str) -> str:
    """Add the Input layer of a deploy net: 1 x 1 x 64 x 64, which a caller may reshape."""
    shape = [{"dim": [1, 1, IMAGE_SIZE, IMAGE_SIZE]}]
    return net.add(name, "Input", input_param={"shape": shape})


def pair_data(net: NetWriter, options: NetOptions) -> tuple[str, str, str]:
    """Add the Data layers of pairs; return the blobs `query`, `reference` and `label`.

    One Datum holds query and reference, so that both get the same crop and mirror.
    """
    pair, label = add_data(net, options, [PAIR, LABEL])
    query, reference = net.add_tops(
        SPLIT_PAIR, "Slice", pair, [QUERY, REFERENCE], slice_param={"axis": 1}
    )
    return query, reference, label
