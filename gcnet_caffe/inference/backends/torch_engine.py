"""The torch engine as a back end."""

import numpy as np

from gcnet_caffe.engine import import_torch


def open_backend(model):
    """Open the `TrainedModel` in the torch engine, on the CPU."""
    import_torch()
    return _TorchEngine(model)


class _TorchEngine:
    def __init__(self, model):
        from gcnet_caffe.engine.layers import TEST
        from gcnet_caffe.engine.net import open_net
        from gcnet_caffe.engine.rng import CaffeRng
        from gcnet_caffe.engine.weights import copy_weights

        self._net = open_net(model.net, TEST, CaffeRng(0))
        copy_weights(self._net, model.weights, lambda text: None)
        self._net.keep(model.outputs)
        self._net.use_channels_last(one_channel=False)
        self._outputs = model.outputs

    def forward(self, query):
        """As the package's docstring says."""
        import torch

        with torch.no_grad():
            _, made = self._net.forward({"query": torch.from_numpy(query)})
        return {blob: np.ascontiguousarray(made[blob].numpy()) for blob in self._outputs}
