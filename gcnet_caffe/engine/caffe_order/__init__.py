"""Nets that add up in Caffe's order (`--summation caffe`), and so give exactly Caffe's numbers.

Caffe makes a convolution a product of matrices and leaves it to OpenBLAS; PyTorch adds the same
numbers up in another order. Here a rule computes each layer that adds up, with Caffe's calls
of BLAS, which is scipy's OpenBLAS. Layers that add nothing up stay as they are, but for max
pooling, which a rule does faster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import cast

import torch

from gcnet_caffe.engine.caffe_order import (
    channels,
    combine,
    losses,
    lrn,
    neurons,
    pooling,
    products,
    recurrent,
)
from gcnet_caffe.engine.caffe_order.compiled import use_one_thread
from gcnet_caffe.engine.caffe_order.rule import Rule, Ruled, Splitting
from gcnet_caffe.engine.fusion import Step
from gcnet_caffe.engine.layers.base import Layer, Tops
from gcnet_caffe.engine.layers.convolution import Im2col
from gcnet_caffe.engine.loops import has_numba
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb

_RULES: dict[str, Rule] = {
    "BNLL": neurons.bnll,
    "BatchNorm": channels.batch_norm,
    "Bias": channels.bias,
    "ContrastiveLoss": losses.contrastive_loss,
    "Convolution": products.convolution,
    "Deconvolution": products.deconvolution,
    "ELU": neurons.elu,
    "Eltwise": combine.eltwise,
    "Embed": products.embed,
    "EuclideanLoss": losses.euclidean_loss,
    "Exp": neurons.exp_of,
    "HingeLoss": losses.hinge_loss,
    "Im2col": products.im2col,
    "InfogainLoss": losses.infogain_loss,
    "InnerProduct": products.inner_product,
    "LRN": lrn.lrn,
    "LSTM": recurrent.lstm,
    "LSTMUnit": recurrent.lstm_unit,
    "Log": neurons.log_of,
    "MVN": channels.mvn,
    "MultinomialLogisticLoss": losses.multinomial_logistic_loss,
    "NormalizedDistance": combine.normalized_distance,
    "PReLU": channels.prelu,
    "Pooling": pooling.max_pooling,
    "Power": neurons.power_of,
    "RNN": recurrent.rnn,
    "Reduction": combine.reduction,
    "SPP": pooling.spp,
    "Scale": channels.scale,
    "Sigmoid": neurons.sigmoid_of,
    "SigmoidCrossEntropyLoss": losses.sigmoid_cross_entropy_loss,
    "Softmax": losses.softmax,
    "SoftmaxWithLoss": losses.softmax_loss,
    "Split": combine.split,
    "Swish": neurons.swish,
    "TanH": neurons.tanh_of,
    "Tile": combine.tile,
}


def prepare(device: torch.device, log: Callable[[str], None]) -> None:
    """Have scipy's OpenBLAS use one thread, and log which kernels it has.

    Raises
    ------
    UsageError
        `device` is not the CPU, or scipy has another BLAS than OpenBLAS.
    """
    if device.type != "cpu":
        raise UsageError("--summation caffe: this is Caffe's order on a CPU; leave -gpu out")
    kernels = use_one_thread()
    log(f"Adding up as Caffe does with OPENBLAS_CORETYPE={kernels} OPENBLAS_NUM_THREADS=1")
    if not has_numba():
        log("Numba is not there, so this takes long: pip install 'gcnet-caffe[torch]'")


def op_of(layer: Layer) -> Callable[..., Tops]:
    """Return what computes `layer` in Caffe's order: a rule's op, or the layer itself."""
    rule = _RULES.get(layer.layer_type)
    return layer if rule is None or _is_unruled(layer) else Ruled(layer, rule)


def _is_unruled(layer: Layer) -> bool:
    """Whether `layer`, with its parameters, is computed as usual, which gives Caffe's numbers."""
    if layer.layer_type == "Pooling":
        return not has_numba() or layer.param.pooling_param.pool != caffe_pb.PoolingParameter.MAX
    if layer.layer_type == "Eltwise":
        param = layer.param.eltwise_param
        return param.operation != param.PROD and set(param.coeff) <= {1}
    if layer.layer_type == "Im2col":
        return len(cast(Im2col, layer).kernel) > 3
    if layer.layer_type == "Power":
        param = layer.param.power_param
        return param.power in (0, 1) or param.scale == 0
    return False


def in_caffes_order(steps: Sequence[Step], count: int) -> list[Step]:
    """Return `steps` with rules in place of the layers that have one.

    A blob that three or more bottoms read is split, so that its gradients add up in their order.

    Parameters
    ----------
    steps : list of fusion.Step
        Nothing fused.
    count : int
        How many blobs there are; the copies are numbered from there on.
    """
    found = [step._replace(op=op_of(step.layer)) for step in steps]
    readers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, step in enumerate(steps):
        for place, number in enumerate(step.bottoms):
            readers[number].append((index, place))
    for maker, step in enumerate(steps):
        for top, number in enumerate(step.tops):
            places = readers[number]
            if len(places) > 2:
                _split(found, maker, top, places, count)
                count += len(places)
    return found


def _split(
    steps: list[Step], maker: int, top: int, places: Sequence[tuple[int, int]], first: int
) -> None:
    """Give the readers at `places` of a top of step `maker` copies numbered from `first`."""
    step = steps[maker]
    op = Splitting(step.op or step.layer, top, len(places))
    copies = range(first, first + len(places))
    steps[maker] = step._replace(op=op, tops=(*step.tops, *copies))
    for (index, place), copy in zip(places, copies):
        bottoms = list(steps[index].bottoms)
        bottoms[place] = copy
        steps[index] = steps[index]._replace(bottoms=tuple(bottoms))
