"""Layers of one's own, in Python: a class as pycaffe has it, a torch function or a torch module.

Source: Caffe include/caffe/layers/python_layer.hpp, src/caffe/layer_factory.cpp (GetPythonLayer).
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from gcnet_caffe.engine.blob import Blob, BlobVec
from gcnet_caffe.engine.caffe_name import provide
from gcnet_caffe.engine.layers.base import (
    TRAIN,
    Context,
    Layer,
    Shape,
    Tops,
    layer_class,
    layer_types,
    register,
)
from gcnet_caffe.errors import GcnetError, UsageError


class PythonLayer:
    """What a layer class of one's own is derived from: pycaffe's `caffe.Layer`.

    `setup` is called once, `reshape` before each forward; they get the bottoms and tops as lists
    of `Blob`. Errors that they raise are passed on.

    Attributes
    ----------
    blobs : BlobVec
        Its learnable blobs; `blobs.add_blob(*shape)` in `setup` adds one.
    param_str : str
        What the prototxt's python_param has for it; `param_str_` is the same.
    phase : int
        TRAIN or TEST.
    """

    type = "Python"
    blobs: BlobVec
    param_str: str
    param_str_: str
    phase: int

    def __init__(self, param: Any) -> None:
        self.layer_param = param

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Check the bottoms and `param_str`, add blobs."""

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Give each top its shape."""

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Compute the data of the tops."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        """Compute the diffs of the bottoms, and add to those of the blobs."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")


@register("Python")
class Python(Layer):
    """What `python_param { module layer param_str }` names: a PythonLayer, or torch's own.

    A torch function or module takes the bottoms as tensors and returns the top, or a tuple of
    tops; its gradient is autograd's. The parameters of a module are the layer's blobs. Where they
    have arguments of these names, a function and the constructor of a module get `param_str`, and
    the constructor `shapes`, those of the bottoms.
    """

    bottoms, tops, has_state = (0, None), (0, None), True
    #: The class or function of a type that `register_layer` has made.
    made: Callable[..., Any] | None = None

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self.is_source = not param.bottom
        made: Any = type(self).made or _imported(self)
        is_class = inspect.isclass(made)
        self.check(
            not is_class or issubclass(made, (PythonLayer, nn.Module)),
            f"{made}: wanted a class derived from caffe.Layer (of gcnet_caffe.pycaffe) or from "
            "torch.nn.Module, or a function",
        )
        self.of_caffe = is_class and issubclass(made, PythonLayer)
        kind = _OfCaffe if self.of_caffe else _OfTorch
        self.own: _OfCaffe | _OfTorch = kind(self, made)

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        return self.own.setup(shapes)

    def reshape(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        return self.own.reshape(shapes)

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        return self.own.forward(*bottoms)

    def state(self) -> Any:
        """Return what the class's own `state` returns for an exact resume; None without one."""
        own: Any = self.own.instance
        return own.state() if hasattr(own, "state") else None

    def set_state(self, state: Any) -> None:
        """Continue from where `state` was taken."""
        if state is not None:
            own: Any = self.own.instance
            own.set_state(state)


_Made = TypeVar("_Made", bound=Callable[..., Any])


def register_layer(type_name: str) -> Callable[[_Made], _Made]:
    """Decorate a class or function: the layer that a prototxt calls `type: "type_name"`.

    Parameters
    ----------
    type_name : str
        Not one that the engine has.

    Raises
    ------
    UsageError
        There is such a layer.

    Examples
    --------
    >>> @register_layer("Mish")
    ... def mish(bottom):
    ...     return bottom * torch.tanh(torch.nn.functional.softplus(bottom))
    """
    if type_name in layer_types():
        raise UsageError(f"register_layer: there is a layer {type_name!r}; wanted another name")

    def add(made: _Made) -> _Made:
        # a staticmethod: a function in a class would become a method
        register(type_name)(type(type_name, (Python,), {"made": staticmethod(made)}))
        return made

    return add


def is_own(type_name: str) -> bool:
    """Whether a type is `Python`, or one that `register_layer` has made."""
    return type_name in layer_types() and issubclass(layer_class(type_name), Python)


class _OfCaffe:
    """Runs a PythonLayer on blobs of its own."""

    def __init__(self, layer: Python, made: Callable[..., Any]) -> None:
        self.layer = layer
        self.instance: PythonLayer = made(layer.param)
        self.instance.param_str = layer.param.python_param.param_str
        self.instance.param_str_ = self.instance.param_str  # its name in Caffes of 2015
        self.instance.phase = layer.phase
        self.instance.blobs = BlobVec(layer)

    def setup(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Make the blobs, and let the class set itself up."""
        names, self.bottom = list(self.layer.param.bottom), [Blob(shape) for shape in shapes]
        self.top = [
            self.bottom[index] if names[index : index + 1] == [name] else Blob()
            for index, name in enumerate(self.layer.param.top)
        ]
        self.instance.setup(self.bottom, self.top)
        return self._shapes()

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Let the class give its tops their shapes for bottoms of `shapes`."""
        for blob, shape in zip(self.bottom, shapes):
            blob.reshape(*shape)
        return self._shapes()

    def _shapes(self) -> list[Shape]:
        self.instance.reshape(self.bottom, self.top)
        return [blob.shape for blob in self.top]

    def write_back(self) -> None:
        """Let a GPU have what the class has written to its blobs."""
        for blob, param in zip(self.instance.blobs, self.layer.blobs):
            _ = blob.tensor if param.grad is None else (blob.tensor, blob.gradient)

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        """Run it as autograd does."""
        made: Tops = _Call.apply(self, *bottoms, *self.layer.blobs)
        return made


class _Call(torch.autograd.Function):
    """Runs a PythonLayer. The blobs are inputs only so that the backward pass comes here."""

    @staticmethod
    def forward(ctx: Any, own: _OfCaffe, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.own, ctx.device = own, tensors[0].device if tensors else None
        ctx.blobs = len(tensors) - len(own.bottom)
        for blob, tensor in zip(own.bottom, tensors):
            blob.put(tensor)
        own.instance.reshape(own.bottom, own.top)
        own.instance.forward(own.bottom, own.top)
        own.write_back()
        return tuple(top.tensor.to(ctx.device, copy=True) for top in own.top)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        own: _OfCaffe = ctx.own
        for top, gradient in zip(own.top, gradients):
            top.gradient.copy_(gradient)
        wanted = list(ctx.needs_input_grad[1 : 1 + len(own.bottom)])
        own.instance.backward(own.top, wanted, own.bottom)
        own.write_back()
        found = (blob.gradient.to(ctx.device, copy=True) for blob in own.bottom)
        return (None, *(f if w else None for f, w in zip(found, wanted)), *[None] * ctx.blobs)


class _OfTorch:
    """Runs a function or a module of torch's."""

    def __init__(self, layer: Python, made: Callable[..., Any]) -> None:
        self.layer = layer
        self.instance: Any = made
        self.names: list[str] = []

    def setup(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Make the module, and take its parameters as the layer's blobs."""
        if inspect.isclass(self.instance):
            self.instance = self._with(self.instance, shapes=[tuple(shape) for shape in shapes])()
        if isinstance(self.instance, nn.Module):
            self._take(self.instance)
        else:
            self.instance = self._with(self.instance)
        return self.reshape(shapes)

    def _with(self, function: Callable[..., Any], **known: Any) -> Callable[..., Any]:
        """Return `function` with those of `param_str` and `known` that it has arguments for."""
        known["param_str"] = self.layer.param.python_param.param_str
        names = inspect.signature(function).parameters
        given = {name: value for name, value in known.items() if name in names}
        return (lambda *bottoms: function(*bottoms, **given)) if given else function

    def _take(self, module: nn.Module) -> None:
        """Take the parameters of `module` as blobs; those that do not learn get lr_mult 0."""
        layer = self.layer
        buffers = [name for name, _ in module.named_buffers()]
        layer.check(
            not buffers,
            f"the module's buffer {buffers[:1]} would be in no snapshot; wanted a Parameter with "
            "requires_grad=False",
        )
        module.train(layer.phase == TRAIN)
        for index, (name, param) in enumerate(module.named_parameters()):
            layer.add_blob(param.shape)
            if not layer.param.blobs:
                layer.blobs[index].data.copy_(param.detach())
            if not param.requires_grad:
                while len(layer.param.param) <= index:
                    layer.param.param.add()
                layer.param.param[index].lr_mult = 0
            self.names.append(name)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Return the shapes of the tops: those of one pass on zeros."""
        device = self.layer.blobs[0].device if self.names else None
        with torch.no_grad():
            made = self.forward(*(torch.zeros(shape, device=device) for shape in shapes))
        made = made if isinstance(made, tuple) else (made,)
        found, wanted = len(made), self.layer.num_tops
        self.layer.check(found == wanted, f"returned {found} tops, the prototxt has {wanted}")
        return [tuple(top.shape) for top in made]

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        """Call it, a module with the layer's blobs in the place of its parameters."""
        if self.names:
            blobs = {name: self.layer.blob(index) for index, name in enumerate(self.names)}
            made = torch.func.functional_call(self.instance, blobs, bottoms)
        else:
            made = self.instance(*bottoms)
        return made if isinstance(made, torch.Tensor) else tuple(made)


def _imported(layer: Python) -> Callable[..., Any]:
    """Return what the layer's python_param names; `import caffe` in its module is pycaffe of ours.

    Raises
    ------
    NetError
        There is no such module, or nothing of that name in it.
    """
    param = layer.param.python_param
    for field in ("module", "layer"):
        layer.check(getattr(param, field), f"python_param: found no {field}")
    provide()
    try:
        with _current_folder():
            module = importlib.import_module(param.module)
    except GcnetError as error:
        raise layer.error(f"module {param.module!r}: {error}") from None
    except ModuleNotFoundError as error:
        where = "" if error.name == param.module else f"module {param.module!r}: "
        raise layer.error(
            f"{where}{error}; looked on PYTHONPATH and in the current folder"
        ) from None
    layer.check(
        callable(getattr(module, param.layer, None)),
        f"module {param.module!r} ({module.__file__}) has no class or function {param.layer!r}",
    )
    made: Callable[..., Any] = getattr(module, param.layer)
    return made


@contextlib.contextmanager
def _current_folder() -> Iterator[None]:
    """Let modules be imported from the current folder, too, where no other place has them."""
    folder = os.getcwd()
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
