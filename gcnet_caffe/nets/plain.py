"""The generators of the appendix, without classifier and contrastive encoder."""

from __future__ import annotations

from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets.gcnet import add_input, pair_data
from gcnet_caffe.nets.generators import generative_loss, generator
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE, QUERY, RECONSTRUCTED_QUERY, REFERENCE
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import NetWriter

#: Variant -> (what is to be made of the query, the blob that is made).
PLAIN = {
    "reconstruct": (QUERY, RECONSTRUCTED_QUERY),  # figure 9
    "disentangle": (REFERENCE, GENERATED_REFERENCE),  # figure 10
}


def build(
    variant: str, options: NetOptions, deploy: bool = False, with_reconstruction: bool = False
) -> NetWriter:
    """Build one of `PLAIN`: blob `query` in, the blob that is made out, N x 1 x 64 x 64, 0..1.

    Parameters as for `gcnet.build`.

    Raises
    ------
    UsageError
        The options leave out a classifier, or keep decoders 2: the variant has neither.
    """
    if not options.classifier:
        raise UsageError(f"--no-classifier: {variant} has none")
    if with_reconstruction:
        raise UsageError(f"--with-reconstruction: {variant} has no decoders 2; S0R1 and S1R1 have")
    target, top = PLAIN[variant]
    net = NetWriter(f"gcnet_{variant}{options.kind}{'_deploy' if deploy else ''}")
    if deploy:
        generator(net, add_input(net, QUERY), options, top, train=False)
        return net
    query, reference, label = pair_data(net, options)
    image = generator(net, query, options, top, train=True)
    generative_loss(net, image, {QUERY: query, REFERENCE: reference}[target], label, options)
    net.silence(reference, label)
    return net
