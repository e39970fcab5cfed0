"""A Caffe net as an ordinary PyTorch module."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import torch
from torch import nn

from gcnet_caffe.engine.net import PHASES, Net, open_trained
from gcnet_caffe.engine.weights import write_caffemodel
from gcnet_caffe.errors import UsageError


class CaffeModule(nn.Module):
    """A net of a prototxt: named inputs in, named blobs out, trainable by any PyTorch optimizer.

    Its parameters are the layers' blobs, called ``LAYER.INDEX`` (``conv1.0`` is a convolution's
    weights, ``conv1.1`` its bias; a dot in a layer's name becomes ``_``). Those with ``lr_mult: 0``
    do not require a gradient. Layers that share a blob share the parameter.

    Parameters
    ----------
    net : Net

    The phase in which the net was opened decides whether dropout drops and BatchNorm takes the
    statistics of the batch, as in Caffe; `train` and `eval` do not change it.

    Attributes
    ----------
    inputs, outputs : tuple of str
        The blobs that `forward` takes and gives.
    """

    _net: Net

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(net.inputs), tuple(net.outputs)
        self.__dict__["_net"] = net  # its parameters are registered below, under their own names
        for layer in net.layers:
            if len(layer.blobs):
                self.add_module(self._name_of(layer.name), nn.ParameterList(layer.blobs))

    def _name_of(self, layer: str) -> str:
        name = layer.replace(".", "_") or "_"
        while hasattr(self, name):
            name += "_"
        return name

    def shape(self, blob: str) -> tuple[int, ...]:
        """Return the shape that the prototxt gives the blob; a batch may have another size.

        Raises
        ------
        NetError
            There is no such blob.
        """
        return self._net.shape(blob)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the weights to a .caffemodel, as pycaffe's `Net.save`: whole or not at all.

        Parameters
        ----------
        path : path
            Ending in .h5 for HDF5.
        """
        write_caffemodel(self._net, path)

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the net.

        Parameters
        ----------
        inputs, named : float tensors, N x C x H x W as a rule
            The input blobs, in the order of `inputs` or by name. The first axis may have any size.
            What is left out is zeros. A net with data layers reads its next batch itself.

        Returns
        -------
        dict
            Blob name -> tensor, of each of `outputs`.

        Raises
        ------
        UsageError
            There are more `inputs` than the net takes.
        NetError
            An input has a name or a shape that the net does not take.
        """
        if len(inputs) > len(self.inputs):
            raise UsageError(f"inputs: found {len(inputs)}, the net takes {list(self.inputs)}")
        _, outputs = self._net.forward({**dict(zip(self.inputs, inputs)), **named})
        return dict(outputs)

    def _apply(
        self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True
    ) -> CaffeModule:
        """Move or convert (`to`, `cuda`, `double` ...) the whole net, not only the parameters."""
        nn.Module._apply(self._net, fn)
        return self


def load_net(
    net: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    outputs: Iterable[str] = (),
    phase: str = "TEST",
    seed: int = 0,
) -> CaffeModule:
    """Open a Caffe net as a PyTorch module.

    Parameters
    ----------
    net : path
        A prototxt, deploy or train_val, of any syntax that Caffe reads.
    weights : path, optional
        A .caffemodel, binary or HDF5; without one the net is filled by its fillers. In phase TRAIN,
        for fine-tuning, layers may be missing in it: they keep what their fillers gave, and a
        warning tells which. In phase TEST no layer may be missing.
    outputs : iterable of str
        Blobs that the module gives besides those that no layer reads: any blob of the net.
    phase : str
        TEST or TRAIN: which layers the net has, and how Dropout and BatchNorm work.
    seed : int
        Of the fillers and of dropout, as Caffe's ``random_seed``.

    Returns
    -------
    CaffeModule

    Raises
    ------
    UsageError
        There is no such phase; or PyTorch is not installed.
    SchemaError, NetError, WeightsError
        A file cannot be read or executed; the weights do not fit; or there is no such blob.

    Examples
    --------
    >>> net = load_net("deploy.prototxt", "weights.caffemodel", outputs=["fc7"])
    >>> net(torch.zeros(2, 3, 224, 224))["fc7"].shape
    torch.Size([2, 4096])
    """
    if phase not in PHASES:
        raise UsageError(f"phase: found {phase!r}, wanted TEST or TRAIN")
    return CaffeModule(open_trained(net, weights, outputs, PHASES[phase], seed))
