"""The second player of a net whose generator is a DCGAN: what trains the discriminator.

Layers that both players' nets have carry the same names, so that Caffe's ShareTrainedLayersWith
(pycaffe's `share_with`) makes them share their parameters.
"""

from __future__ import annotations

from gcnet_caffe.nets.gcnet import pair_data
from gcnet_caffe.nets.generators import discriminator_loss, generator
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE, QUERY, REFERENCE
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.plain import PLAIN
from gcnet_caffe.nets.writer import NetWriter


def build(variant: str, options: NetOptions) -> NetWriter:
    """Build the discriminator's net of `variant`: real and generated images, two losses.

    Real are the true references, or the queries where the variant is to reconstruct them. The
    generator does not learn here, and the discriminator does not in the generator's net.
    """
    net = NetWriter(f"gcnet_{variant}{options.kind}_discriminator")
    query, reference, label = pair_data(net, options)
    target, top = PLAIN.get(variant, (REFERENCE, GENERATED_REFERENCE))
    image = generator(net, query, options, top, train=True, learns=False)
    real = query if target == QUERY else reference
    discriminator_loss(net, image, real, label, options)
    net.silence(reference, label)
    return net
