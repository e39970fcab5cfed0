"""The options of a network, with the paper's numbers as defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gcnet_caffe.errors import UsageError

PADDINGS = ("same", "valid")
GENERATORS = ("ae", "vae", "dcgan")
CONTRASTIVE_ON = ("normalized", "raw")
DELTA_SCALES = ("root", "none")
LAST_BLOCKS = ("statistics", "slow", "plain", "none")


def _option(default: Any, text: str, negated: str = "") -> Any:
    """A field of which `text` says what it is, and `negated` what its flag ``--no-...`` does."""
    return field(default=default, metadata={"help": text, "negated": negated})


@dataclass(frozen=True)
class NetOptions:
    """Options of a network; docs/interpretation.md compares those that the paper leaves open.

    The metadata of each field say what it is: ``help``, and ``negated`` where its flag is
    ``--no-...``.

    Raises
    ------
    UsageError
        A value is out of its range; the message gives the flag.
    """

    num_classes: int = _option(7, "expressions, or identities for pretrain-identity")
    neutral_class: bool = _option(
        False,
        "neutral is the last of the classes (CK+ with 8); otherwise a neutral query's label "
        "is num_classes: the classifier ignores it, the contrastive loss uses it",
    )
    neutral_queries: bool = _option(
        True, "the LMDBs hold neutral queries", negated="the LMDBs hold no neutral queries"
    )
    generator: str = _option(
        "ae", "what makes the reference: ae (figure 3), vae or dcgan (figure 7, section IV-E)"
    )
    classifier: bool = _option(
        True,
        "the net has its classification layers",
        negated="leave out the classification layers (figure 8d: S0R1)",
    )
    padding: str = _option("same", "same: latent 96 x 8 x 8; valid: 96 x 6 x 6")
    margin: float = _option(1.0, "m of eq. (6), in units of the embeddings' L2 distance")
    contrastive_on: str = _option(
        "normalized", "eq. (6) compares embeddings of length 1 (normalized) or raw ones"
    )
    last_block: str = _option(
        "statistics",
        "the Scale that ends a decoder. statistics: from the pixels' spread and mean, "
        "lr_mult 0.01; slow: from 1 and 0, lr_mult 0.01; plain: like the others; none: left out",
    )
    lambda_g: float = _option(1.0, "weight of the generative loss, eq. (5)")
    lambda_s: float = _option(1.0, "weight of the contrastive loss, eq. (6)")
    lambda_ri: float = _option(0.25, "weight of the query's reconstruction, eq. (8)")
    lambda_rr: float = _option(0.25, "weight of the reference's reconstruction, eq. (9)")
    nz: int = _option(100, "values in the latent vector of a DCGAN-like generator")
    ngf: int = _option(64, "channels of the DCGAN generator's last hidden layer")
    ndf: int = _option(64, "channels of the DCGAN discriminator's first layer")
    lambda_kl: float = _option(1.0, "weight of the VAE's Kullback-Leibler term")
    decoder_lr_mult: float = _option(10.0, "lr_mult of the decoders when fine-tuning")
    delta_scale: str = _option(
        "root",
        "what the classifier reads. root: delta times the square root of its length, so that its "
        "elements are of order 1; none: delta itself",
    )
    dropout: float = _option(0.5, "dropout ratio before the first FC layer")
    fc_relu: bool = _option(
        True, "a ReLU between the two FC layers", negated="no ReLU between the two FC layers"
    )
    moving_average_fraction: float = _option(
        0.999, "BatchNorm's; for a schedule of a few hundred iterations about 0.95 is better"
    )
    batch_size: int = _option(64, "images per TRAIN iteration")
    test_batch_size: int = _option(1, "images per TEST iteration")
    data: str = _option("data/ck7/fold0", "folder of train_lmdb and test_lmdb")

    def __post_init__(self) -> None:
        _one_of("generator", self.generator, GENERATORS)
        _one_of("padding", self.padding, PADDINGS)
        _one_of("contrastive-on", self.contrastive_on, CONTRASTIVE_ON)
        _one_of("delta-scale", self.delta_scale, DELTA_SCALES)
        _one_of("last-block", self.last_block, LAST_BLOCKS)
        for name in ("num_classes", "nz", "ngf", "ndf", "batch_size", "test_batch_size"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        weights = [name for name in vars(self) if name.startswith("lambda_")]
        for name in (*weights, "decoder_lr_mult"):
            _require(name, getattr(self, name), getattr(self, name) >= 0, "0 or more")
        _require("margin", self.margin, self.margin > 0, "more than 0")
        _require("dropout", self.dropout, 0 <= self.dropout < 1, "0 <= ratio < 1")
        fraction = self.moving_average_fraction
        _require("moving_average_fraction", fraction, 0 < fraction < 1, "between 0 and 1")
        if self.neutral_class and not self.neutral_queries:
            raise UsageError("--neutral-class needs neutral queries; drop --no-neutral-queries")

    @property
    def kind(self) -> str:
        """What a net's name says of the generator and the classifier: nothing, or words with _."""
        generator = f"_{self.generator}" if self.generator != "ae" else ""
        return generator if self.classifier else f"{generator}_no_classifier"

    @property
    def ignored_label(self) -> int | None:
        """The label of neutral queries that the classifier ignores, or None."""
        if self.neutral_class or not self.neutral_queries:
            return None
        return self.num_classes

    @property
    def neutral_label(self) -> int:
        """The label of neutral, the highest there is."""
        return self.num_classes - 1 if self.neutral_class else self.num_classes


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    _require(name, value, value in allowed, f"one of {', '.join(allowed)}")


def _require(name: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise UsageError(f"--{name.replace('_', '-')}: found {value!r}, wanted {wanted}")
