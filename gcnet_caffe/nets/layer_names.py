"""The names of our nets' layers and blobs, and the part of figure 3 that each layer belongs to.

The builders take the names from here, and so do evaluation, the report and the recogniser, which
look for the blobs, and the drawing, which shows a net part by part. A new layer gets its name here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

#: What the data give, and the inputs of deploy nets: N x 1 x 64 x 64 with values 0..1; N labels.
QUERY, REFERENCE, IMAGE, LABEL = "query", "reference", "image", "label"

#: What decoders make: N x 1 x 64 x 64.
GENERATED_REFERENCE = "generated_reference"
RECONSTRUCTED_QUERY = "reconstructed_query"
RECONSTRUCTED_REFERENCE = "reconstructed_reference"
RECONSTRUCTION = "reconstruction"

#: The distance of eq. (2), N x p; what the last FC layer reads, N x 384; scores; probabilities.
DELTA, FEATURE, SCORE, PROB = "delta", "feature", "score", "prob"

#: The representation of the identity net, N x p.
EMBEDDING = "embedding"

#: What the TEST phase scores.
ACCURACY = "accuracy"

#: Eq. (4), (6), (5), (8) and (9); of the auto-encoder; of the VAE; of the discriminator.
LOSS_CLASSIFICATION, LOSS_CONTRASTIVE = "loss_classification", "loss_contrastive"
LOSS_GENERATION = "loss_generation"
LOSS_QUERY, LOSS_REFERENCE = "loss_query", "loss_reference"
LOSS_RECONSTRUCTION, LOSS_KL = "loss_reconstruction", "loss_kl"
LOSS_REAL, LOSS_GENERATED = "loss_real", "loss_generated"

#: First words of the layers of an encoder, a decoder, the discriminator.
ENCODER_1, ENCODER_2 = "enc1", "enc2"
DECODER_1, DECODER_2_QUERY, DECODER_2_REFERENCE = "dec1", "dec2i", "dec2r"
AUTOENCODER_DECODER, DISCRIMINATOR = "ae_dec", "disc"

#: What cuts a Datum of two images; first words of the VAE's layers between encoder and decoder, and
#: of those of its loss.
SPLIT_PAIR, LATENT, KL = "split_pair", "latent", "kl"

#: The encodings as vectors, N x p.
QUERY_EMBEDDING, REFERENCE_EMBEDDING = f"{QUERY}_embedding", f"{REFERENCE}_embedding"

#: Last words of the layers that make an embedding's length 1; layers of the contrastive loss, and
#: the first word of those that measure a pair's distance.
SQUARE, NORM2, INVERSE_NORM, UNIT = "square", "norm2", "inverse_norm", "unit"
SIMILAR, INSIDE_MARGIN, OUTSIDE_MARGIN = "similar", "inside_margin", "outside_margin"
MARGIN_SCORE, DISSIMILAR_IN_MARGIN, PAIR = "margin_score", "dissimilar_in_margin", "pair"

#: First word of the layers that tell the records of data sets that have some classes only; their
#: labels as those of the others; the scores of their classes alone.
PARTIAL, WHOLE_LABEL, OWN_SCORE = "partial", "whole_label", "own_score"

#: The two FC layers, and those of the identity net, whose weights no other net adopts.
FC_LAYERS, IDENTITY_FC_LAYERS = ("fc1", "fc2"), ("id_fc1", "id_fc2")


class Part(NamedTuple):
    """A part of figure 3.

    Attributes
    ----------
    title : str
    place : (float, float)
        Column and row in the figure.
    """

    title: str
    place: tuple[float, float]


#: What gives the images and labels that losses compare with.
DATA = Part("query and\nreference", (0, 2))

#: Layer name -> its part; the first match counts.
_PARTS = (
    (rf"(data|{SPLIT_PAIR}|{QUERY}|{REFERENCE}|{IMAGE}|({REFERENCE}|{LABEL})_unused"
     r"|(real|generated)_label)$", DATA),
    (rf"{ENCODER_1}_", Part("encoder 1", (1, 1))),
    (rf"{LATENT}|{KL}_|{LOSS_KL}", Part("latent", (1.5, 0.2))),
    (rf"{DECODER_1}_", Part("decoder 1", (2, 1))),
    (rf"{DISCRIMINATOR}_", Part("discriminator", (2.3, 0.2))),
    (rf"{AUTOENCODER_DECODER}_", Part("decoder", (2, 1))),
    (rf"{ENCODER_2}_.*_reference$|{REFERENCE_EMBEDDING}", Part("encoder 2\n(reference)", (3, 1))),
    (rf"{ENCODER_2}_|{QUERY_EMBEDDING}|{EMBEDDING}", Part("encoder 2\n(query)", (3, 3))),
    (rf"{DECODER_2_QUERY}_", Part("decoder 2\n(query)", (4.2, 3.7))),
    (rf"{DECODER_2_REFERENCE}_", Part("decoder 2\n(reference)", (4.2, 0.6))),
    (DELTA, Part("δ", (4.2, 1.6))),
    (r"(id_)?fc\d", Part("dropout, FC,\nReLU, FC", (5.2, 1.6))),
    (rf"({QUERY}|{REFERENCE})_({SQUARE}|{NORM2}|{INVERSE_NORM}|{UNIT})|{SIMILAR}|{PAIR}_"
     rf"|{INSIDE_MARGIN}|{OUTSIDE_MARGIN}|{MARGIN_SCORE}|{DISSIMILAR_IN_MARGIN}|{LOSS_CONTRASTIVE}",
     Part("contrastive\nloss (S)", (4.2, 2.7))),
    (rf"{LOSS_GENERATION}|{LOSS_GENERATED}|{LOSS_REAL}|{LOSS_RECONSTRUCTION}",
     Part("generative\nloss", (3, 0.2))),
    (LOSS_QUERY, Part("reconstruction\nloss (R)", (5.4, 3.7))),
    (LOSS_REFERENCE, Part("reconstruction\nloss (R) ", (5.4, 0.6))),
    (rf"{LOSS_CLASSIFICATION}|{ACCURACY}|{PROB}|{PARTIAL}|{WHOLE_LABEL}|{OWN_SCORE}",
     Part("cross\nentropy (C)", (6.3, 1.6))),
)  # fmt: skip

#: A net of ours has a layer of one of these parts.
_OURS = re.compile(rf"({ENCODER_1}|{ENCODER_2}|{DISCRIMINATOR})_")


def part_of(name: str) -> Part | None:
    """Return the part of figure 3 that the layer `name` of a net of ours belongs to, if any."""
    return next((part for pattern, part in _PARTS if re.match(pattern, name)), None)


def are_ours(names: list[str]) -> bool:
    """Return whether `names` are those of the layers of a net of this package."""
    return any(map(_OURS.match, names)) and all(map(part_of, names))
