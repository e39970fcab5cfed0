"""Run a deploy net of the torch engine over images; keep the blobs asked for."""

import numpy as np
import torch

from gcnet_caffe.engine.layers import TEST
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import copy_weights
from gcnet_caffe.real_caffe.forward import BATCH, CHANNELS


@torch.no_grad()
def forward(model, weights, images, blobs):
    """Return {blob: (N, ...) array} over `images`, (N, C, 64, 64) as `Records` has them."""
    net = open_net(model, TEST, CaffeRng(0))
    copy_weights(net, weights, lambda text: None)
    found = {blob: [] for blob in blobs}
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        channels = {name: CHANNELS[name] for name in net.inputs}
        inputs = {name: torch.from_numpy(batch[:, c : c + 1]) for name, c in channels.items()}
        made = net.blobs(inputs)
        for blob in blobs:
            found[blob].append(made[blob].numpy())
    return {blob: np.concatenate(parts) for blob, parts in found.items()}
