"""The distance of eq. (2), and the losses of eq. (4) to (9), from stock layers where they exist."""

from __future__ import annotations

from gcnet_caffe.nets.layer_names import (
    ACCURACY,
    DELTA,
    DISSIMILAR_IN_MARGIN,
    INSIDE_MARGIN,
    INVERSE_NORM,
    KL,
    LATENT,
    LOSS_CLASSIFICATION,
    LOSS_CONTRASTIVE,
    LOSS_KL,
    MARGIN_SCORE,
    NORM2,
    OUTSIDE_MARGIN,
    OWN_SCORE,
    PAIR,
    PARTIAL,
    QUERY,
    REFERENCE,
    SIMILAR,
    SQUARE,
    UNIT,
    WHOLE_LABEL,
)
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import TEST_ONLY, Fields, NetWriter

#: Added to the sum of squares under the root, so that a zero vector has a bounded gradient.
NORM_EPSILON = 1e-6

#: Taken from a score that shall not count: exp(-1000) is 0 in float32.
_NO_SCORE = 1000.0

_SQUARE: Fields = {"power": 2.0}
_SUM_OVER_VALUES: Fields = {"operation": "SUM", "axis": 1}


def normalized_distance(net: NetWriter, query: str, reference: str) -> str:
    """Add delta of eq. (2): | En(X)/||En(X)|| - En(Xr)/||En(Xr)|| |, element by element (N x p)."""
    return net.add(DELTA, "NormalizedDistance", [query, reference])


def classification_loss(net: NetWriter, score: str, label: str, ignored: int | None) -> None:
    """Add the cross entropy, and the accuracy in the TEST phase; the label `ignored` is left out.

    `score` is N x classes, `label` N.
    """
    ignore: Fields = {} if ignored is None else {"ignore_label": ignored}
    net.add(LOSS_CLASSIFICATION, "SoftmaxWithLoss", [score, label], loss_param=ignore)
    net.add(ACCURACY, "Accuracy", [score, label], accuracy_param=ignore, include=TEST_ONLY)


def whole_label(net: NetWriter, label: str, options: NetOptions) -> tuple[str, str]:
    """Add what takes a raised label apart: records of data sets that have some classes only.

    Their labels are raised by the number of labels. Returns the labels as those of the other
    records, and a blob that is 1 for these records and 0 for the others, both N.
    """
    count = options.neutral_label + 1
    above = []
    for name, shift in ((f"{PARTIAL}_reached", 1.0 - count), (f"{PARTIAL}_passed", -float(count))):
        blob = net.add(name, "Power", label, power_param={"shift": shift})
        above.append(net.add(f"{name}_relu", "ReLU", blob, blob))
    minus = {"operation": "SUM", "coeff": [1.0, -1.0]}
    partial = net.add(PARTIAL, "Eltwise", above, eltwise_param=minus)
    lower = {"operation": "SUM", "coeff": [1.0, -float(count)]}
    return net.add(WHOLE_LABEL, "Eltwise", [label, partial], eltwise_param=lower), partial


def among_own_classes(net: NetWriter, score: str, partial: str, options: NetOptions) -> str:
    """Add scores whose softmax is over `partial_labels` alone where `partial` is 1.

    `score` is N x classes. The scores of the other classes become so low that they have neither
    probability nor gradient.
    """
    own = options.own_labels
    column = {"shape": {"dim": [-1, 1]}}
    other = net.add(f"{PARTIAL}_other", "Reshape", partial, reshape_param=column)
    none = net.add(f"{PARTIAL}_own", "Power", other, power_param={"scale": 0.0})
    columns = [none if label in own else other for label in range(options.num_classes)]
    others = net.add(f"{PARTIAL}_others", "Concat", columns, concat_param={"axis": 1})
    lower = {"operation": "SUM", "coeff": [1.0, -_NO_SCORE]}
    return net.add(OWN_SCORE, "Eltwise", [score, others], eltwise_param=lower)


def image_loss(net: NetWriter, name: str, image: str, target: str, weight: float) -> None:
    """Add 1/(2N) times the sum of squared pixel differences: eq. (5), (8), (9) over the batch."""
    net.add(name, "EuclideanLoss", [image, target], loss_weight=[weight])


def adversarial_loss(net: NetWriter, name: str, logit: str, wanted: str, weight: float) -> None:
    """Add the cross entropy of a discriminator's N logits and what they should say, N x 0 or 1."""
    net.add(name, "SigmoidCrossEntropyLoss", [logit, wanted], loss_weight=[weight])


def constant_label(net: NetWriter, name: str, label: str, value: float) -> str:
    """Add N times `value`, whatever is in `label`, a blob of N from the data."""
    constant = {"scale": 0.0, "shift": value}
    return net.add(f"{name}_label", "Power", label, power_param=constant)


def kl_divergence(net: NetWriter, mean: str, log_variance: str, count: int, weight: float) -> None:
    """Add the Kullback-Leibler term `loss_kl` of a VAE (Kingma and Welling 2014, appendix B).

    1/N times the sum over the batch and the latent's `count` values of (mean^2 + variance -
    log variance - 1) / 2. `mean` and `log_variance` are N x count x 1 x 1.
    """
    square = net.add(f"{LATENT}_mean_square", "Power", mean, power_param=_SQUARE)
    variance = net.add(f"{LATENT}_variance", "Exp", log_variance)
    half = {"operation": "SUM", "coeff": [0.5, 0.5, -0.5]}
    terms = net.add(f"{KL}_terms", "Eltwise", [square, variance, log_variance], eltwise_param=half)
    each = net.add(f"{KL}_images", "Reduction", terms, reduction_param=_SUM_OVER_VALUES)
    batch = net.add(f"{KL}_batch", "Reduction", each, reduction_param={"operation": "MEAN"})
    shift = {"shift": -count / 2}
    net.add(LOSS_KL, "Power", batch, power_param=shift, loss_weight=[weight])


def contrastive_loss(
    net: NetWriter, query: str, reference: str, label: str, options: NetOptions
) -> None:
    """Add eq. (6) on two N x p embeddings, and the share of dissimilar pairs inside the margin."""
    if options.contrastive_on == "normalized":
        query = _unit_length(net, query, QUERY)
        reference = _unit_length(net, reference, REFERENCE)
    similar = _similar(net, label, options.neutral_label)
    net.add(
        LOSS_CONTRASTIVE,
        "ContrastiveLoss",
        [query, reference, similar],
        loss_weight=[options.lambda_s],
        contrastive_loss_param={"margin": options.margin},
    )
    _share_inside_margin(net, query, reference, similar, options.margin)


def _similar(net: NetWriter, label: str, neutral_label: int) -> str:
    """Add Caffe's `sim`, 1 - alpha of eq. (6): 1 where the query is neutral, like its reference.

    Neutral has the highest label, so ReLU(label - (neutral - 1)) is 1 for it and 0 for the others.
    A Threshold layer would say it plainly, but it has no backward, and `caffe time` calls that.
    """
    shift = {"shift": float(1 - neutral_label)}
    similar = net.add(SIMILAR, "Power", label, power_param=shift)
    return net.add(f"{SIMILAR}_relu", "ReLU", similar, similar)


def _unit_length(net: NetWriter, blob: str, name: str) -> str:
    """Add blob / ||blob|| (N x p)."""
    square = net.add(f"{name}_{SQUARE}", "Power", blob, power_param=_SQUARE)
    norm2 = net.add(f"{name}_{NORM2}", "Reduction", square, reduction_param=_SUM_OVER_VALUES)
    inverse = {"power": -0.5, "shift": NORM_EPSILON}
    inverse_norm = net.add(f"{name}_{INVERSE_NORM}", "Power", norm2, power_param=inverse)
    return net.add(f"{name}_{UNIT}", "Scale", [blob, inverse_norm], scale_param={"axis": 0})


def _share_inside_margin(
    net: NetWriter, query: str, reference: str, similar: str, margin: float
) -> None:
    """Add the top `dissimilar_in_margin`, 0..1: the pairs for which eq. (6) has a gradient.

    Written as the accuracy of a two-class score (margin^2 - distance^2, 0) whose right answer is
    class 0, over the pairs that are not similar.
    """
    minus = {"operation": "SUM", "coeff": [1.0, -1.0]}
    difference = net.add(f"{PAIR}_difference", "Eltwise", [query, reference], eltwise_param=minus)
    square = net.add(f"{PAIR}_square", "Power", difference, power_param=_SQUARE)
    distance2 = net.add(f"{PAIR}_distance2", "Reduction", square, reduction_param=_SUM_OVER_VALUES)
    room = {"scale": -1.0, "shift": margin**2}
    inside = net.add(INSIDE_MARGIN, "Power", distance2, power_param=room)
    outside = net.add(OUTSIDE_MARGIN, "Power", inside, power_param={"scale": 0.0})
    column = {"shape": {"dim": [-1, 1]}}
    columns = [
        net.add(f"{blob}_column", "Reshape", blob, reshape_param=column)
        for blob in (inside, outside)
    ]
    score = net.add(MARGIN_SCORE, "Concat", columns, concat_param={"axis": 1})
    ignore_similar = {"ignore_label": 1}
    net.add(DISSIMILAR_IN_MARGIN, "Accuracy", [score, similar], accuracy_param=ignore_similar)
