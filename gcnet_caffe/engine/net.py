"""A Caffe net that runs in PyTorch.

Source: Caffe src/caffe/net.cpp. The gradient is autograd's; forward runs once per iteration.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from typing import Any, Union, cast

import torch
from torch import nn

from gcnet_caffe.engine import fusion
from gcnet_caffe.engine.layers import TEST, TRAIN, Context, Layer, create_layer
from gcnet_caffe.engine.layers.base import MAX_COUNT
from gcnet_caffe.engine.layers.data import Data, Input
from gcnet_caffe.engine.layers.pooling import Pooling
from gcnet_caffe.engine.rng import CaffeRng, Rng
from gcnet_caffe.engine.sharing import LearnableBlobs
from gcnet_caffe.engine.weights import copy_weights
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, read_net
from gcnet_caffe.formats.data_layer import check_layer_labels
from gcnet_caffe.formats.in_place import in_place_fault
from gcnet_caffe.formats.labels import label_sources
from gcnet_caffe.formats.net_state import merged_state, select_layers
from gcnet_caffe.formats.weights import check_filled, lacks
from gcnet_caffe.formats.wiring import Wiring

PHASES = {"TRAIN": TRAIN, "TEST": TEST}

#: Number of a blob (see `Net.steps`) -> its tensor.
Blobs = dict[int, torch.Tensor]
#: The sum of a net's losses, a 0-d tensor; 0.0 where it has none.
Loss = Union[torch.Tensor, float]


class Net(nn.Module):
    """The net of a NetParameter whose `state` says the phase, level and stages.

    Parameters
    ----------
    param : NetParameter
        In today's form (see formats.read_net).
    context : Context
        Random numbers, phase and place of this net.

    Attributes
    ----------
    name : str
    layers : ModuleList of Layer
    learnable : list of Learnable
        In the order of Caffe's learnable_params.
    inputs, outputs : list of str
        Blobs that Input layers give; blobs that no layer reads, sorted by name.
    loss_weights : dict
        Blob name -> weight, of the outputs that are losses.
    steps : list of fusion.Step
        Every layer with the numbers of the blobs it reads and makes.
    blob_names : list of str
        The name of each number; an in-place top has its bottom's.
    blob_shapes : list of tuple of int
        The shape of each number when the net was set up.

    Raises
    ------
    NetError
        The net cannot be executed as written; the message names the layer and the field.
    """

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__()
        self.name: str = param.name
        self.origin, self.context = context.origin, context
        self.force_backward: bool = param.force_backward
        self.layers = cast("MutableSequence[Layer]", nn.ModuleList())
        self.steps: list[fusion.Step] = []
        self.blob_shapes: list[tuple[int, ...]] = []
        wiring, blobs = Wiring(self.origin), LearnableBlobs(self.origin)
        for layer_param in select_layers(param, self.origin):
            self._add(layer_param, wiring, blobs)
        wiring.check_not_empty(context.phase)
        self.learnable = blobs.all
        self.blob_names = wiring.names
        self._finish(wiring)

    def _add(self, layer_param: Any, wiring: Wiring, blobs: LearnableBlobs) -> None:
        layer = create_layer(layer_param, self.context)
        bottoms = wiring.bottoms(layer_param)
        _check_arity(layer)
        layer.check(
            len(layer_param.propagate_down) in (0, len(bottoms)),
            f"propagate_down: found {len(layer_param.propagate_down)}, wanted 0 or "
            f"{len(bottoms)}, one per bottom",
        )
        tops = wiring.tops(layer_param, layer.num_tops)
        given = [self.blob_shapes[number] for number in bottoms]
        shapes = layer.setup(given)
        fault = in_place_fault(layer_param, given, [tuple(shape) for shape in shapes])
        layer.check(not fault, fault)
        for index, shape in enumerate(map(tuple, shapes[: len(tops)])):
            fits = math.prod(shape) <= MAX_COUNT and min(shape, default=0) >= 0
            layer.check(fits, f"top {index} would be of shape {shape}: too large or negative")
            self.blob_shapes.append(shape)
        blobs.add(layer)
        self.layers.append(layer)
        self.steps.append(fusion.Step(layer, bottoms, tops, tuple(_loss_weights(layer))))

    def _finish(self, wiring: Wiring) -> None:
        for learnable in self.learnable:
            learnable.param.requires_grad_(learnable.lr_mult != 0 or self.force_backward)
        self._final, self.output_numbers = wiring.final(), wiring.outputs()
        self.outputs = [self.blob_names[number] for number in self.output_numbers]
        weights = {n: w for step in self.steps for n, w in zip(step.tops, step.loss_weights)}
        self.loss_weights = {
            self.blob_names[number]: weights[number]
            for number in self.output_numbers
            if weights.get(number)
        }
        self._sources_and_draws = [s for s in self.steps if s.layer.is_source or s.layer.draws]
        self.inputs = [
            self.blob_names[number]
            for step in self.steps
            if isinstance(step.layer, Input)
            for number in step.tops
        ]
        self._arrange()
        self._compiled: list[Callable[[Blobs], Loss]] | None = None
        self._channels_last: Callable[[torch.Tensor], torch.Tensor] | None = None
        self._check_labels()

    def _arrange(self) -> None:
        """Make the lists of steps that end with the outputs."""
        inner = [step for step in self.steps if not step.layer.is_source]
        if self.context.summation == "caffe":
            from gcnet_caffe.engine.caffe_order import in_caffes_order

            inner = fused = in_caffes_order(inner, len(self.blob_names))
        else:
            fused = fusion.fuse(inner, set(self.output_numbers))
        self._plain = fusion.with_lifetimes(inner, self.output_numbers)
        self._fused = fusion.with_lifetimes(fused, self.output_numbers)

    def keep(self, blobs: Iterable[str]) -> None:
        """Make the blobs named `blobs` outputs of the net, too, although layers read them.

        Raises
        ------
        NetError
            There is no such blob.
        """
        for name in blobs:
            number = self._number_of(name)
            if name not in self.outputs:
                self.outputs.append(name)
                self.output_numbers.append(number)
        self._arrange()

    def _check_labels(self) -> None:
        """Check, once for all records, that the LMDBs' labels suit the layers that read them.

        Raises
        ------
        LmdbError
            A record's label is no class of the layer.
        """
        sources = label_sources([(s.layer.param, s.bottoms, s.tops) for s in self.steps])
        for step in self.steps:
            wanted = step.layer.label_range
            if wanted is None:
                continue
            for number, top in sorted(sources[step.bottoms[wanted.bottom]]):
                source = cast(Data, self.steps[number].layer)
                reader = f"layer {step.layer.name!r} ({step.layer.param.type})"
                check_layer_labels(source.rules, source.records, top, wanted, reader)

    @property
    def layers_with_state(self) -> list[Layer]:
        """The layers that hold a place in their data, or a hidden state."""
        return [layer for layer in self.layers if layer.has_state]

    def shape(self, blob: str) -> tuple[int, ...]:
        """Return the shape that the blob named `blob` had when the net was set up.

        Raises
        ------
        NetError
            There is no such blob.
        """
        return self.blob_shapes[self._number_of(blob)]

    def _number_of(self, blob: str) -> int:
        if blob not in self._final:
            raise NetError(f"{self.origin}: no blob {blob!r}")
        return self._final[blob]

    def use_channels_last(self, one_channel: bool = True) -> None:
        """Keep 2-d blobs and weights in the memory format that is fastest for convolutions.

        A net in Caffe's order of summation stays as it is: that order needs Caffe's own format.

        Parameters
        ----------
        one_channel : bool
            Blobs of one channel, too. If false, what is convolved from them stays in Caffe's format
            up to the next pooling, and the sums there are nearly always Caffe's.
        """
        if self.context.summation == "caffe":
            return
        self._channels_last = functools.partial(_channels_last, one_channel=one_channel)
        for layer in self.layers:
            if layer.param.type in ("Convolution", "Deconvolution") and layer.blobs[0].dim() == 4:
                layer.blobs[0].data = self._channels_last(layer.blobs[0].data)
            elif isinstance(layer, Pooling):
                layer.channels_last = True

    def use_torch_compile(self, **options: Any) -> None:
        """Run through torch.compile, from now on, what it makes faster; `options` are its own."""
        device = next(iter(self.parameters()), torch.empty(0)).device
        self._compiled = [
            fusion.compiled_segment(segment, **options)
            if segment.compiled
            else functools.partial(fusion.run_steps, segment.steps)
            for segment in fusion.segments(self._fused, device)
        ]

    def next_batch(self, inputs: Mapping[str, torch.Tensor] | None = None) -> Blobs:
        """Return {blob number: tensor} of what the source layers give for the next forward.

        The random numbers of that forward are drawn, too, in the order of the layers.

        Parameters
        ----------
        inputs : dict, optional
            Input blob name -> tensor; an input left out is zeros.

        Raises
        ------
        NetError
            The net has no such input blob.
        """
        left = dict(inputs or {})
        values: Blobs = {}
        for step in self._sources_and_draws:
            if step.layer.draws:
                step.layer.draw()
            if not step.layer.is_source:
                continue
            made = step.layer()
            made = made if isinstance(made, tuple) else (made,)
            for number, tensor in zip(step.tops, made):
                given = left.pop(self.blob_names[number], None)
                tensor = tensor if given is None else given
                if self._channels_last and tensor.dim() == 4:
                    tensor = self._channels_last(tensor)
                if self.force_backward and tensor.is_floating_point():
                    tensor = tensor.detach().requires_grad_()
                values[number] = tensor
        if left:
            raise NetError(
                f"{self.origin}: no input blob {sorted(left)[0]!r}; wanted one of {self.inputs}"
            )
        return values

    def forward(
        self, inputs: Mapping[str, torch.Tensor] | None = None
    ) -> tuple[Loss, dict[str, torch.Tensor]]:
        """Run the net on the next batch.

        Parameters
        ----------
        inputs : dict, optional
            As `next_batch` takes them.

        Returns
        -------
        loss : 0-d tensor, or 0.0 of a net without losses
            The sum of the tops of the losses, each times its loss weight.
        outputs : dict
            Output blob name -> tensor.

        Raises
        ------
        NetError
            A layer cannot run on what it gets; the message has the shapes.
        """
        with self._fitting(inputs):
            return self.run(self.next_batch(inputs))

    @contextlib.contextmanager
    def _fitting(self, inputs: Mapping[str, torch.Tensor] | None) -> Iterator[None]:
        """Say, of an error in the body, which of `inputs` has another shape than the prototxt's."""
        try:
            yield
        except NetError as error:
            for name, given in (inputs or {}).items():
                found, wanted = tuple(given.shape), self.shape(name) if name in self.inputs else ()
                if wanted and found[1:] != wanted[1:]:
                    raise NetError(
                        f"{self.origin}: input {name!r}: found shape {found}, the prototxt has "
                        f"{wanted}; {str(error).removeprefix(f'{self.origin}: ')}"
                    ) from None
            raise

    def run(self, batch: Blobs) -> tuple[Loss, dict[str, torch.Tensor]]:
        """As `forward`, on a `batch` of `next_batch`."""
        values = dict(batch)
        if self._compiled is None:
            loss = self._guarded(self._fused, values)
        else:
            loss = sum(run(values) for run in self._compiled)
        outputs = [values[number] for number in self.output_numbers]
        return loss, dict(zip(self.outputs, outputs))

    def run_keeping(self, batch: Blobs, retain_grad: bool = False) -> tuple[Loss, Blobs]:
        """As `run`, with nothing fused and every blob kept.

        Parameters
        ----------
        batch : dict
            Of `next_batch`.
        retain_grad : bool
            Whether every blob gets its gradient in the backward pass.

        Returns
        -------
        loss : 0-d tensor, or 0.0
        values : dict
            Number of a blob (see `steps`) -> tensor. The top of an in-place layer has another
            number than its bottom.
        """
        values = dict(batch)
        loss = self._guarded([step._replace(free=()) for step in self._plain], values)
        for value in values.values() if retain_grad else ():
            if value.requires_grad:
                value.retain_grad()
        return loss, values

    def blobs(self, inputs: Mapping[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
        """Run the net on the next batch and return {name: tensor}, as Caffe's net.blobs.

        `inputs` are as `next_batch` takes them. Of blobs of one name (in-place layers) the last.
        """
        with self._fitting(inputs):
            _, values = self.run_keeping(self.next_batch(inputs))
        return {name: values[number] for name, number in self._final.items()}

    @staticmethod
    def _guarded(steps: Iterable[fusion.Step], values: Blobs) -> Loss:
        """Run `steps`, return the loss; an error inside torch is raised as the layer's."""
        loss: Loss = 0.0
        for step in steps:
            try:
                loss = loss + fusion.run_step(step, values)
            except (IndexError, RuntimeError) as error:
                shapes = [tuple(values[number].shape) for number in step.bottoms]
                text = str(error).splitlines()[0]
                raise step.layer.error(f"cannot run on bottoms of {shapes}: {text}") from None
        return loss


def _channels_last(tensor: torch.Tensor, one_channel: bool) -> torch.Tensor:
    """Return `tensor` in channels-last format; of one channel, with strides that say so or not."""
    n, c, h, w = tensor.shape
    if c > 1:
        return tensor.contiguous(memory_format=torch.channels_last)
    strides = (h * w, 1, w, 1) if one_channel else (h * w, h * w, w, 1)
    return tensor.contiguous().as_strided((n, c, h, w), strides)


def _check_arity(layer: Layer) -> None:
    for what, (fewest, most), found in (
        ("bottoms", layer.bottoms, len(layer.param.bottom)),
        ("tops", layer.tops, layer.num_tops),
    ):
        if found < fewest or (most is not None and found > most):
            wanted = fewest if fewest == most else f"{fewest} to {most or 'any number'}"
            raise layer.error(f"found {found} {what}, wanted {wanted}")


def _loss_weights(layer: Layer) -> list[float]:
    """Return the weight of each top in the loss (Caffe include/caffe/layer.hpp, SetLossWeights)."""
    given = list(layer.param.loss_weight)
    if given:
        layer.check(
            len(given) == layer.num_tops,
            f"loss_weight: found {len(given)}, wanted {layer.num_tops}, one per top",
        )
        return given
    return [float(layer.is_loss and index == 0) for index in range(layer.num_tops)]


def open_net(
    path: str | os.PathLike[str],
    phase: int,
    rng: Rng,
    level: int = 0,
    stages: Sequence[str] = (),
    **place: Any,
) -> Net:
    """Return the Net of the prototxt at `path`, filled by its fillers.

    Parameters
    ----------
    path : path
    phase : int
        TRAIN or TEST.
    rng : CaffeRng or DeviceRng
        Draws what the fillers and dropout need.
    level : int
    stages : sequence of str
        As `caffe test -level -stage` give them.
    place : dict
        Further fields of Context.

    Raises
    ------
    SchemaError, NetError
        The file cannot be read, or the net cannot be executed.
    """
    param = read_net(os.fspath(path))
    given = caffe_pb.NetState(phase=phase, level=level, stage=stages)
    param.state.CopyFrom(merged_state(phase, param.state, given))
    return Net(param, Context(phase=phase, rng=rng, origin=str(path), **place))


def open_trained(
    net: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    outputs: Iterable[str] = (),
    phase: int = TEST,
    seed: int = 0,
) -> Net:
    """Open a net with its weights, on the CPU: the one way to open a net that is not trained here.

    Parameters
    ----------
    net : path
        A prototxt, deploy or train_val.
    weights : path or None
        A .caffemodel, binary or HDF5; with None the net has what its fillers give.
    outputs : iterable of str
        Blobs that the net gives besides those that no layer reads.
    phase : int
        TEST or TRAIN.
    seed : int
        Of the fillers and of dropout, as Caffe's ``random_seed``.

    Raises
    ------
    SchemaError, NetError, WeightsError
        A file cannot be read or executed, the weights do not fit, or there is no such blob. In
        phase TEST every layer must get its weights; in phase TRAIN one is enough, and a warning
        tells which do not.
    """
    opened = open_net(net, phase, CaffeRng(seed))
    if weights is not None:
        found = copy_weights(opened, weights, lambda text: None)
        params = [layer.param for layer in opened.layers]
        missing = check_filled(params, found, opened.origin, str(weights), partly=phase == TRAIN)
        if missing:
            said = lacks(missing, opened.origin)
            warnings.warn(f"{weights}: {said}: they start from their fillers", stacklevel=3)
    opened.keep(outputs)
    return opened
