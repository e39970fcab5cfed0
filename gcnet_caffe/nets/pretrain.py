"""The two networks whose encoders GCNet starts from (section IV-A); transfer is by layer name.

Encoder 1 comes from the auto-encoder, encoder 2 from the identity net. Their other layers have
names that occur nowhere else (`ae_dec_*`, `id_fc*`), so that only the encoders are copied.
"""

from __future__ import annotations

from gcnet_caffe.nets import losses
from gcnet_caffe.nets.blocks import classifier, decoder, encoder
from gcnet_caffe.nets.gcnet import add_data, add_input
from gcnet_caffe.nets.layer_names import (
    AUTOENCODER_DECODER,
    EMBEDDING,
    ENCODER_1,
    ENCODER_2,
    IDENTITY_FC_LAYERS,
    IMAGE,
    LABEL,
    LOSS_RECONSTRUCTION,
    PROB,
    RECONSTRUCTION,
)
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import NetWriter

IDENTITY = "pretrain-identity"
PRETRAININGS = ("pretrain-autoencoder", IDENTITY)


def build_autoencoder(options: NetOptions, deploy: bool = False) -> NetWriter:
    """Build the encoder-decoder of table I: blob `image` in, `reconstruction` out."""
    net = NetWriter(f"gcnet_pretrain-autoencoder{'_deploy' if deploy else ''}")
    image = add_input(net, IMAGE) if deploy else add_data(net, options, [IMAGE])[0]
    code = encoder(net, image, ENCODER_1, options)
    reconstruction = decoder(net, code, AUTOENCODER_DECODER, options, RECONSTRUCTION)
    if not deploy:
        losses.image_loss(net, LOSS_RECONSTRUCTION, reconstruction, image, 1.0)
    return net


def build_identity(options: NetOptions, deploy: bool = False) -> NetWriter:
    """Build the CNN of three convolutions and two FC layers that classifies identities."""
    net = NetWriter(f"gcnet_pretrain-identity{'_deploy' if deploy else ''}")
    image = add_input(net, IMAGE) if deploy else add_data(net, options, [IMAGE, LABEL])[0]
    code = encoder(net, image, ENCODER_2, options, masks=False)
    embedding = net.add(EMBEDDING, "Flatten", code.blob)
    train = not deploy
    score = classifier(net, embedding, *IDENTITY_FC_LAYERS, options.num_classes, options, train)
    if train:
        losses.classification_loss(net, score, LABEL, None)
    else:
        net.add(PROB, "Softmax", score)
    return net
