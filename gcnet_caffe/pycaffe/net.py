"""pycaffe's Net over the engine. Source: Caffe python/caffe/pycaffe.py, _caffe.cpp."""

from __future__ import annotations

import itertools
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.blob import Array
from gcnet_caffe.engine.layers.base import Context
from gcnet_caffe.engine.layers.python import PythonLayer
from gcnet_caffe.engine.net import Net as EngineNet
from gcnet_caffe.engine.weights import copy_weights, write_binary, write_hdf5
from gcnet_caffe.errors import NO_FILE, NetError, UsageError, WeightsError
from gcnet_caffe.formats import read_net
from gcnet_caffe.formats.splits import with_splits
from gcnet_caffe.pycaffe.executor import Executor, OneOfOnesOwn, Unit
from gcnet_caffe.pycaffe.state import STATE

Arrays = dict[str, Array]
Batch = dict[str, NDArray[Any]]


class NoFileError(UsageError, RuntimeError):
    """There is no such file; scripts may catch the RuntimeError of real pycaffe."""


class NetLayer:
    """A layer of a net.

    Attributes
    ----------
    blobs : list of Blob
        Its learnable blobs.
    type : str
    """

    def __init__(self, unit: Unit) -> None:
        self.blobs, self.type = unit.blobs, unit.layer.layer_type


class Net:
    """A net of a prototxt, whose blobs can be read and written between its layers.

    Two forms::

        Net(network_file, phase, level=0, stages=None, weights=None)
        Net(network_file, weights, phase)

    Parameters
    ----------
    network_file : path
    phase : int
        TRAIN or TEST.
    level : int
    stages : sequence of str
        Of the net's state: which layers it includes.
    weights : path
        A .caffemodel, binary or HDF5.

    Attributes
    ----------
    blobs, params, layer_dict : OrderedDict
        Blob name -> Blob; layer name -> its learnable blobs; layer name -> layer.
    layers : list
    inputs, outputs : list of str
        Names of the blobs of Input layers, and of those that no layer reads.
    top_names, bottom_names : OrderedDict
        Layer name -> names of its tops, of its bottoms.
    blob_loss_weights : OrderedDict
        Blob name -> its weight in the loss.

    Raises
    ------
    SchemaError, NetError, WeightsError, LmdbError
        Where pycaffe ends the process: a file cannot be read, or what it holds cannot be executed
        or does not fit.
    """

    def __init__(
        self,
        network_file: str | os.PathLike[str],
        phase: int | str | os.PathLike[str],
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(phase, int):
            STATE.log.warning("Net(network_file, weights, phase) is old: write weights= instead")
            weights, phase, level = phase, level, 0
        path = os.fspath(network_file)
        for name in (path, weights):
            if name is not None and not os.path.isfile(name):
                raise NoFileError(f"Could not open file {os.fspath(name)}: {NO_FILE}")
        param = read_net(path)
        param.state.phase, param.state.level = phase, level
        param.state.stage.extend(stages or ())
        context = Context(
            phase=phase, rng=STATE.rng, origin=path, summation=STATE.options.summation
        )
        device = STATE.device
        self._open(EngineNet(with_splits(param, path), context).to(device), device)
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def _of(cls, net: EngineNet, device: Any) -> Net:
        """Return the Net of an engine's net that has Split layers."""
        made = cls.__new__(cls)
        made._open(net, device)
        return made

    def _open(self, net: EngineNet, device: Any) -> None:
        self._net = net
        self._executor = executor = Executor(net, device)
        self._blobs, self._blob_names = executor.blobs, executor.names
        self._layer_names = [layer.name for layer in net.layers]
        self.layers = [_layer(unit) for unit in executor.units]
        names, units = self._layer_names, executor.units
        self.blobs = OrderedDict(zip(self._blob_names, self._blobs))
        self.layer_dict = OrderedDict(zip(names, self.layers))
        self.params = OrderedDict(
            (n, layer.blobs) for n, layer in self.layer_dict.items() if layer.blobs
        )
        self._inputs = [
            number
            for unit, tops in zip(units, executor.tops)
            if unit.layer.layer_type == "Input"
            for number in tops
        ]
        self._outputs = executor.output_numbers
        self.inputs = [self._blob_names[number] for number in self._inputs]
        self.outputs = [self._blob_names[number] for number in self._outputs]
        self.top_names = self._named(executor.tops)
        self.bottom_names = self._named(executor.bottoms)
        weights = dict.fromkeys(range(len(self._blobs)), 0.0)
        for step, tops in zip(net.steps, executor.tops):
            weights.update(zip(tops, step.loss_weights))
        self._blob_loss_weights = list(weights.values())
        self.blob_loss_weights = OrderedDict(zip(self._blob_names, self._blob_loss_weights))
        self._callbacks: dict[str, list[Callable[[int], object]]] = {}

    def _named(self, of_layers: list[list[int]]) -> OrderedDict[str, list[str]]:
        named = ([self._blob_names[number] for number in numbers] for numbers in of_layers)
        return OrderedDict(zip(self._layer_names, named))

    def _top_ids(self, layer: int) -> list[int]:
        return self._executor.tops[layer]

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._executor.bottoms[layer]

    def _index(self, layer: str | None, default: int) -> int:
        if layer is None:
            return default
        if layer not in self._layer_names:
            raise ValueError(f"{self._net.origin}: no layer {layer!r}")
        return self._layer_names.index(layer)

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: NDArray[Any],
    ) -> Arrays:
        """Run the layers forward.

        Parameters
        ----------
        blobs : list of str
            Blobs to return besides the outputs.
        start, end : str
            Names of the first and of the last layer to run.
        kwargs : arrays
            Of each input blob what it is to hold; without any they stay as they are.

        Returns
        -------
        dict
            Blob name -> array, the net's memory: of the outputs, or of the tops of layer `end`.

        Raises
        ------
        Exception
            The names are not those of the inputs, or an array has another first axis.
        NetError
            A layer cannot run on its bottoms.
        """
        return self._forward_on(kwargs, blobs, start, end)

    def _forward_on(
        self,
        arrays: Batch,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> Arrays:
        first, last = self._index(start, 0), self._index(end, len(self.layers) - 1)
        given = self.outputs if end is None else self.top_names[end]
        self._fill(arrays, self.inputs, "data", "Input blob arguments do not match net inputs.")
        self._forward(first, last)
        return {name: self.blobs[name].data for name in {*given, *(blobs or ())}}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: NDArray[Any],
    ) -> Arrays:
        """Run the layers backward.

        Parameters
        ----------
        diffs : list of str
            Blobs to return the diffs of, besides those of the inputs.
        start, end : str
            Names of the first and of the last layer to run: `start` is the later one.
        kwargs : arrays
            The diff of each output; without any they stay as they are. A loss starts with its
            weight.

        Returns
        -------
        dict
            Blob name -> array, the net's memory: diffs of the inputs, or of the bottoms of `end`.

        Raises
        ------
        Exception
            The names are not those of the outputs, or an array has another first axis.
        NetError
            A layer has no backward.
        """
        return self._backward_on(kwargs, diffs, start, end)

    def _backward_on(
        self,
        arrays: Batch,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> Arrays:
        first, last = self._index(start, len(self.layers) - 1), self._index(end, 0)
        given = self.inputs if end is None else self.bottom_names[end]
        self._fill(arrays, self.outputs, "diff", "Top diff arguments do not match net outputs.")
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in {*given, *(diffs or ())}}

    def _fill(
        self, given: Mapping[str, NDArray[Any]], names: list[str], what: str, mismatch: str
    ) -> None:
        """Copy arrays into the data or diff of the blobs `names`."""
        if given and set(given) != set(names):
            raise Exception(f"{mismatch} Found {sorted(given)}, wanted {sorted(names)}")
        for name, array in given.items():
            blob = self.blobs[name]
            if array.shape[:1] != blob.shape[:1]:
                kind = "Input" if what == "data" else "Diff"
                raise Exception(
                    f"{kind} is not batch sized: {name!r} is {array.shape}, wanted {blob.shape}"
                )
            getattr(blob, what)[...] = array

    def _forward(self, start: int, end: int) -> float:
        """Run the layers from number `start` to `end`; return their loss."""
        if not self._callbacks:
            return float(self._executor.forward(start, end))
        loss = np.float32(0)
        for number in range(start, end + 1):
            self._call("before_forward", number)
            loss += self._executor.forward(number, number)
            self._call("after_forward", number)
        return float(loss)

    def _backward(self, start: int, end: int) -> None:
        """Run the layers from number `start` back to `end`."""
        for number in range(start, end - 1, -1):
            self._call("before_backward", number)
            self._executor.backward(number, number)
            self._call("after_backward", number)

    def _call(self, moment: str, layer: int) -> None:
        for callback in self._callbacks.get(moment, ()):
            callback(layer)

    def before_forward(self, callback: Callable[[int], object]) -> None:
        """Call `callback` with the number of each layer before it runs forward."""
        self._callbacks.setdefault("before_forward", []).append(callback)

    def after_forward(self, callback: Callable[[int], object]) -> None:
        """Call `callback` with the number of each layer after it has run forward."""
        self._callbacks.setdefault("after_forward", []).append(callback)

    def before_backward(self, callback: Callable[[int], object]) -> None:
        """Call `callback` with the number of each layer before it runs backward."""
        self._callbacks.setdefault("before_backward", []).append(callback)

    def after_backward(self, callback: Callable[[int], object]) -> None:
        """Call `callback` with the number of each layer after it has run backward."""
        self._callbacks.setdefault("after_backward", []).append(callback)

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: NDArray[Any]) -> Arrays:
        """Run the net forward on arrays of any length, batch by batch; the last is padded with 0.

        Parameters
        ----------
        blobs : list of str
            Blobs to return besides the outputs.
        kwargs : arrays
            Of each input blob, all of one length.

        Returns
        -------
        dict
            Blob name -> array of the results of all.
        """
        return self._all(kwargs, blobs)

    def _all(self, arrays: Batch, blobs: Sequence[str] | None = None) -> Arrays:
        batches = (self._forward_on(batch, blobs) for batch in self._batch(arrays))
        found = _joined(batches, {*self.outputs, *(blobs or ())})
        return _without_padding(found, arrays)

    def forward_backward_all(
        self,
        blobs: Sequence[str] | None = None,
        diffs: Sequence[str] | None = None,
        **kwargs: NDArray[Any],
    ) -> tuple[Arrays, Arrays]:
        """Run the net forward and backward on arrays of any length, batch by batch.

        Parameters
        ----------
        blobs, diffs : list of str
            Blobs to return besides the outputs; to return the diffs of, besides the inputs.
        kwargs : arrays
            Of input blobs their data, of output blobs their diffs, all of one length.

        Returns
        -------
        all_blobs, all_diffs : dict
            Blob name -> array of the results of all.
        """
        forwards = self._batch({name: kwargs[name] for name in self.inputs if name in kwargs})
        backwards = self._batch({name: kwargs[name] for name in self.outputs if name in kwargs})
        made: list[Arrays] = []
        gradients: list[Arrays] = []
        nothing: Batch = {}
        for data, given in itertools.zip_longest(forwards, backwards, fillvalue=nothing):
            made.append(_copied(self._forward_on(data, blobs)))
            gradients.append(_copied(self._backward_on(given, diffs)))
        all_blobs = _joined(made, {*self.outputs, *(blobs or ())})
        all_diffs = _joined(gradients, {*self.inputs, *(diffs or ())})
        return _without_padding(all_blobs, kwargs), _without_padding(all_diffs, kwargs)

    def _batch(self, blobs: Mapping[str, NDArray[Any]]) -> Iterator[Batch]:
        """Yield the arrays cut into batches of the net's size; the last is padded with 0."""
        if not blobs:
            return
        size = self._blobs[0].shape[0]
        for first in range(0, len(next(iter(blobs.values()))), size):
            batch = {name: np.asarray(array[first : first + size]) for name, array in blobs.items()}
            for name, part in batch.items():
                padding = np.zeros((size - len(part), *part.shape[1:]))
                batch[name] = np.concatenate([part, padding]) if len(padding) else part
            yield batch

    def reshape(self) -> None:
        """Give every blob its shape for the input blobs as they are now.

        Raises
        ------
        NetError
            A layer does not suit its bottoms.
        """
        self._executor.reshape()

    def clear_param_diffs(self) -> None:
        """Set the diffs of the learnable blobs to 0."""
        self._executor.clear_diffs()

    def share_with(self, other: Net) -> None:
        """Use the data of the learnable blobs of the layers of `other` that have the same names.

        Raises
        ------
        WeightsError
            Number or shape of a layer's blobs differ.
        """
        for name, theirs in zip(other._layer_names, other.layers):
            if name not in self._layer_names:
                continue
            mine = self.layers[self._layer_names.index(name)]
            shapes = [[blob.shape for blob in layer.blobs] for layer in (mine, theirs)]
            if shapes[0] != shapes[1]:
                raise WeightsError(
                    f"{self._net.origin}: layer {name!r}: blobs of shapes {shapes[0]}, "
                    f"{other._net.origin} has {shapes[1]}"
                )
            for blob, source in zip(mine.blobs, theirs.blobs):
                blob.share_data(source)
        self._executor.forget()

    def copy_from(self, weights: str | os.PathLike[str]) -> None:
        """Copy the weights of a .caffemodel, binary or HDF5, into the layers of the same names.

        Raises
        ------
        WeightsError
            It cannot be read; or number or shape of a layer's blobs differ.
        """
        self._flush()
        copy_weights(self._net, os.fspath(weights), STATE.log)
        self._executor.forget()

    load_hdf5 = copy_from

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Write the weights to a binary .caffemodel, whole or not at all."""
        self._flush()
        write_binary(self._net, filename)

    def save_hdf5(self, filename: str | os.PathLike[str]) -> None:
        """Write the weights to an HDF5 file, whole or not at all."""
        self._flush()
        write_hdf5(self._net, filename)

    def _flush(self) -> None:
        """Let the engine have what was written to arrays of learnable blobs, with a GPU."""
        for unit in self._executor.units:
            for blob in unit.blobs:
                _ = blob.tensor

    def set_input_arrays(self, data: Array, labels: Array) -> None:
        """Set the arrays whose batches the MemoryData layer, the net's first, gives.

        On a CPU it reads their memory: what is written to them later counts.

        Parameters
        ----------
        data : (N, C, H, W) C-contiguous array of float32
            N is a multiple of the layer's batch_size.
        labels : (N,) or (N, 1, 1, 1) array of float32

        Raises
        ------
        NetError
            There is no such layer, or an array does not suit it.
        """
        first: Any = self._net.layers[0]
        if first.layer_type != "MemoryData":
            raise NetError(
                f"{self._net.origin}: set_input_arrays: wanted a first layer of type MemoryData, "
                f"found {first.layer_type}"
            )
        first.reset(data, labels)


def _layer(unit: Unit) -> NetLayer | PythonLayer:
    return unit.instance if isinstance(unit, OneOfOnesOwn) else NetLayer(unit)


def _copied(arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}


def _joined(batches: Iterable[Arrays], names: set[str]) -> Arrays:
    """Return the rows of all batches, by name."""
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for batch in batches:
        for name, array in batch.items():
            rows[name].extend(array.copy())
    return {name: np.asarray(found) for name, found in rows.items()}


def _without_padding(arrays: Arrays, given: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the rows of what was given, without those of the padding."""
    if not given or not arrays:
        return arrays
    padding = len(next(iter(arrays.values()))) - len(next(iter(given.values())))
    return {n: array[:-padding] if padding > 0 else array for n, array in arrays.items()}
