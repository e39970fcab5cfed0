"""Run in the image: a VAE and both players of a DCGAN, forward and backward, to generators.npz."""

import caffe
import numpy as np

found = {}


def keep(key, net, *blobs):
    for name in blobs or net.blobs:
        found[f"{key}:{name}"] = net.blobs[name].data.copy()


def keep_gradients(key, net):
    for name, blobs in net.params.items():
        found[f"{key}_gradient:{name}"] = blobs[0].diff.copy()


caffe.set_random_seed(3)
vae = caffe.Net("vae.prototxt", caffe.TRAIN)
vae.params["enc1_conv5"][0].data[...] *= 4  # moments of order one
noises = []
for _ in range(20):  # so that BatchNorm has statistics
    vae.forward()
    noises.append(vae.blobs["latent_noise"].data.copy())
found["noises"] = np.stack(noises)
vae.backward()
keep("vae", vae)
found["kl_moments_gradient"] = vae.blobs["enc1_conv5"].diff.copy()
vae.save("vae.caffemodel")
test = caffe.Net("vae.prototxt", caffe.TEST, weights="vae.caffemodel")
test.forward()
keep("vae_test", test)
deploy = caffe.Net("vae_deploy.prototxt", caffe.TEST, weights="vae.caffemodel")
deploy.blobs["query"].reshape(*test.blobs["query"].data.shape)
deploy.blobs["query"].data[...] = test.blobs["query"].data
deploy.forward()
keep("vae_deploy", deploy, "generated_reference", "latent_mean")

discriminator = caffe.Net("discriminator.prototxt", caffe.TRAIN)
generator = caffe.Net("dcgan.prototxt", caffe.TRAIN)
generator.share_with(discriminator)
for key, net in (("discriminator", discriminator), ("dcgan", generator)):
    net.forward()
    net.backward()
    keep(key, net)
    keep_gradients(key, net)
found["projection"] = generator.params["enc1_projection"][0].data.copy()
np.savez("generators.npz", **found)
