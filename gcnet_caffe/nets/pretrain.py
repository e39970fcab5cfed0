"""The two networks whose encoders GCNet starts from (section IV-A); transfer is by layer name.

Encoder 1 comes from the auto-encoder, encoder 2 from the identity net. Their other layers carry
names that occur nowhere else (`ae_dec_*`, `id_fc*`), so that nothing but encoders is adopted.
"""

from gcnet_caffe.nets import losses
from gcnet_caffe.nets.blocks import classifier, decoder, encoder
from gcnet_caffe.nets.gcnet import add_data, add_input
from gcnet_caffe.nets.writer import TEST_ONLY, NetWriter

IDENTITY = "pretrain-identity"
PRETRAININGS = ("pretrain-autoencoder", IDENTITY)


def build_autoencoder(options, deploy=False):
    """Build the encoder-decoder of table I: blob `image` in, `reconstruction` out."""
    net = NetWriter(f"gcnet_pretrain-autoencoder{'_deploy' if deploy else ''}")
    image = add_input(net, "image") if deploy else _images(net, options, ["image"])
    code = encoder(net, image, "enc1", options)
    reconstruction = decoder(net, code, "ae_dec", options, "reconstruction")
    if not deploy:
        losses.image_loss(net, "loss_reconstruction", reconstruction, image, 1.0)
    return net


def build_identity(options, deploy=False):
    """Build the CNN of three convolutions and two FC layers that tells identities apart."""
    net = NetWriter(f"gcnet_pretrain-identity{'_deploy' if deploy else ''}")
    image = add_input(net, "image") if deploy else _images(net, options, ["image", "label"])
    code = encoder(net, image, "enc2", options, masks=False)
    embedding = net.add("embedding", "Flatten", code.blob)
    train = not deploy
    score = classifier(net, embedding, "id_fc1", "id_fc2", options.num_classes, options, train)
    if train:
        losses.classification_loss(net, score, "label", None, TEST_ONLY)
    else:
        net.add("prob", "Softmax", score)
    return net


def _images(net, options, tops):
    add_data(net, options, tops)
    return tops[0]
