"""The options of a network, with the paper's numbers as defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from gcnet_caffe.errors import UsageError


class Rule(NamedTuple):
    """What holds for each value of an option, and how messages say it."""

    holds: Callable[[Any], bool]
    wanted: str
    choices: Sequence[str] = ()  # where only these hold


def one_of(allowed: Sequence[str]) -> Rule:
    """Return the `Rule` that a value is among `allowed`."""
    return Rule(lambda value: value in allowed, f"one of {', '.join(allowed)}", allowed)


ONE_OR_MORE = Rule(lambda value: value >= 1, "at least 1")
POSITIVE = Rule(lambda value: value > 0, "more than 0")
_NOT_NEGATIVE = Rule(lambda value: value >= 0, "0 or more")
_BELOW_1 = Rule(lambda value: 0 <= value < 1, "0 <= ratio < 1")
_FRACTION = Rule(lambda value: 0 < value < 1, "between 0 and 1")


def option(default: Any, text: str, rule: Rule | None = None, negated: str = "") -> Any:
    """Return the field of an options dataclass.

    Parameters
    ----------
    default : object
    text : str
        What it is.
    rule : Rule, optional
    negated : str
        What its flag ``--no-...`` does.
    """
    choices = rule.choices if rule else ()
    about = {"help": text, "rule": rule, "choices": choices, "negated": negated}
    return field(default=default, metadata=about)


def check(options: Any) -> None:
    """Check each field of an options dataclass.

    Raises
    ------
    UsageError
        A value breaks the rule of its field; the message gives the flag.
    """
    for each in fields(options):
        rule, value = each.metadata["rule"], getattr(options, each.name)
        if rule and not rule.holds(value):
            flag = each.name.replace("_", "-")
            raise UsageError(f"--{flag}: found {value!r}, wanted {rule.wanted}")


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

    num_classes: int = option(7, "expressions, or identities for pretrain-identity", ONE_OR_MORE)
    neutral_class: bool = option(
        False,
        "neutral is one of the classes, the last one (CK+ with 8 classes); otherwise neutral "
        "queries have the label num_classes, which only the contrastive loss uses",
    )
    neutral_queries: bool = option(
        True, "the LMDBs have neutral queries", negated="the LMDBs have no neutral queries"
    )
    partial_labels: str = option(
        "",
        "classes of the data sets that have only some, such as 4,7: their records have the labels "
        "of all classes and neutral plus 1, and compete among these classes only",
        Rule(lambda value: bool(re.fullmatch(r"(\d+(,\d+)*)?", value)), "labels, such as 4,7"),
    )
    generator: str = option(
        "ae",
        "what makes the reference: ae (figure 3), vae or dcgan (figure 7, section IV-E)",
        one_of(("ae", "vae", "dcgan")),
    )
    classifier: bool = option(
        True,
        "the net has its classification layers",
        negated="leave out the classification layers (figure 8d: S0R1)",
    )
    padding: str = option(
        "same", "same: latent 96 x 8 x 8; valid: 96 x 6 x 6", one_of(("same", "valid"))
    )
    margin: float = option(1.0, "m of eq. (6), in units of the embeddings' L2 distance", POSITIVE)
    contrastive_on: str = option(
        "normalized",
        "eq. (6) compares embeddings of length 1 (normalized) or raw ones",
        one_of(("normalized", "raw")),
    )
    last_block: str = option(
        "statistics",
        "the last Scale layer of each decoder. statistics: starts from the standard deviation and "
        "mean of the pixels, lr_mult 0.01; slow: starts from 1 and 0, lr_mult 0.01; plain: like "
        "the other Scale layers; none: left out",
        one_of(("statistics", "slow", "plain", "none")),
    )
    lambda_g: float = option(1.0, "weight of the generative loss, eq. (5)", _NOT_NEGATIVE)
    lambda_s: float = option(1.0, "weight of the contrastive loss, eq. (6)", _NOT_NEGATIVE)
    lambda_ri: float = option(0.25, "weight of the query's reconstruction, eq. (8)", _NOT_NEGATIVE)
    lambda_rr: float = option(
        0.25, "weight of the reference's reconstruction, eq. (9)", _NOT_NEGATIVE
    )
    nz: int = option(100, "values in the latent vector of a DCGAN-like generator", ONE_OR_MORE)
    ngf: int = option(64, "channels of the DCGAN generator's last hidden layer", ONE_OR_MORE)
    ndf: int = option(64, "channels of the DCGAN discriminator's first layer", ONE_OR_MORE)
    lambda_kl: float = option(1.0, "weight of the VAE's Kullback-Leibler term", _NOT_NEGATIVE)
    decoder_lr_mult: float = option(10.0, "lr_mult of the decoders when fine-tuning", _NOT_NEGATIVE)
    delta_scale: str = option(
        "root",
        "what the classifier reads. root: delta times the square root of its length, so that its "
        "elements are of order 1; none: delta itself",
        one_of(("root", "none")),
    )
    dropout: float = option(0.5, "dropout ratio before the first FC layer", _BELOW_1)
    fc_relu: bool = option(
        True, "a ReLU between the two FC layers", negated="no ReLU between the two FC layers"
    )
    moving_average_fraction: float = option(
        0.999,
        "BatchNorm's; for a schedule of a few hundred iterations about 0.95 is better",
        _FRACTION,
    )
    batch_size: int = option(64, "images per TRAIN iteration", ONE_OR_MORE)
    test_batch_size: int = option(1, "images per TEST iteration", ONE_OR_MORE)
    data: str = option("data/ck7/fold0", "folder of train_lmdb and test_lmdb")

    def __post_init__(self) -> None:
        check(self)
        if self.neutral_class and not self.neutral_queries:
            raise UsageError("--neutral-class needs neutral queries; drop --no-neutral-queries")
        if any(label >= self.num_classes for label in self.own_labels):
            raise UsageError(
                f"--partial-labels {self.partial_labels}: wanted labels below {self.num_classes}"
            )

    @property
    def kind(self) -> str:
        """What a net's name says of the generator and the classifier: nothing, or words with _."""
        generator = f"_{self.generator}" if self.generator != "ae" else ""
        return generator if self.classifier else f"{generator}_no_classifier"

    @property
    def own_labels(self) -> list[int]:
        """The labels of `partial_labels`."""
        return [int(label) for label in self.partial_labels.split(",") if label]

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
