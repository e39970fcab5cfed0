"""The generators of the appendix, without classifier and contrastive encoder."""

from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets.gcnet import add_input, pair_data
from gcnet_caffe.nets.generators import generative_loss, generator
from gcnet_caffe.nets.writer import NetWriter

#: Variant -> (what is to be made of the query, the blob that is made).
PLAIN = {
    "reconstruct": ("query", "reconstructed_query"),  # figure 9
    "disentangle": ("reference", "generated_reference"),  # figure 10
}


def build(variant, options, deploy=False, with_reconstruction=False):
    """Build one of `PLAIN`: blob `query` in, the blob that is made out, N x 1 x 64 x 64, 0..1."""
    if not options.classifier:
        raise UsageError(f"--no-classifier: {variant} has none")
    if with_reconstruction:
        raise UsageError(f"--with-reconstruction: {variant} has no decoders 2; S0R1 and S1R1 have")
    target, top = PLAIN[variant]
    net = NetWriter(f"gcnet_{variant}{options.kind}{'_deploy' if deploy else ''}")
    if deploy:
        generator(net, add_input(net, "query"), options, top, train=False)
        return net
    query, reference, label = pair_data(net, options)
    image = generator(net, query, options, top, train=True)
    generative_loss(net, image, {"query": query, "reference": reference}[target], label, options)
    net.silence(reference, label)
    return net
