"""Nets written in Python: `layers`, `params`, `NetSpec`, `to_proto`.

    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 32, 32]))
    n.conv = L.Convolution(n.data, kernel_size=3, num_output=8)
    text = str(n.to_proto())

Source: Caffe python/caffe/net_spec.py, whose names of blobs and layers these are.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Union

from gcnet_caffe.formats import caffe_pb

#: What a layer's call returns: its top, a tuple of its tops, or the layer where it has none.
Made = Union["Top", tuple["Top", ...], "Function"]


def param_name_dict() -> dict[str, str]:
    """Return {layer type: name of its parameter without `_param`}, such as Pooling: pooling."""
    fields = caffe_pb.LayerParameter.DESCRIPTOR.fields
    return {
        field.message_type.name[: -len("Parameter")]: field.name[: -len("_param")]
        for field in fields
        if field.name.endswith("_param")
    }


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Set the field `name` of a message.

    Parameters
    ----------
    proto : message
    name : str
    val
        A dict for a message, a list for a repeated field (one value alone is a list of one), or
        what the field holds.
    """
    field = proto.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise AttributeError(f"{proto.DESCRIPTOR.name} has no field {name!r}")
    place = getattr(proto, name)
    repeated = hasattr(place, "extend")
    values = val if isinstance(val, (list, tuple)) else [val]
    if repeated and values and isinstance(values[0], dict):
        for each in values:
            _assign_all(place.add(), each)
    elif repeated:
        place.extend(values)
    elif isinstance(val, dict):
        place.SetInParent()
        _assign_all(place, val)
    else:
        setattr(proto, name, val)


def _assign_all(proto: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        assign_proto(proto, name, value)


class Top:
    """One top of a layer.

    Attributes
    ----------
    fn : Function
        The layer.
    n : int
        Which of its tops.
    """

    def __init__(self, fn: Function, n: int) -> None:
        self.fn, self.n = fn, n

    def to_proto(self) -> Any:
        """Return the NetParameter of the layers that make this top."""
        return to_proto(self)

    def _to_proto(self, layers: Layers_, names: Names, autonames: Counter[str]) -> None:
        self.fn._to_proto(layers, names, autonames)


class Function:
    """A layer: its type, its inputs and its parameters.

    Parameters
    ----------
    type_name : str
    inputs : sequence of Top
    params : dict
        Fields of the layer's own parameter, or of a LayerParameter; `ntop` (default 1) and
        `in_place`.

    Raises
    ------
    TypeError
        An input is no Top.
    """

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]) -> None:
        self.type_name, self.inputs, self.params = type_name, inputs, params
        for index, given in enumerate(inputs):
            if not isinstance(given, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(given)})")
        self.ntop: int = params.pop("ntop", 1)
        self.in_place: bool = params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _get_name(self, names: Names, autonames: Counter[str]) -> str:
        if self not in names:
            named = self.tops[0] if self.tops else self
            names[self] = _name_of(named, self.type_name, names, autonames)
        return names[self]

    def _to_proto(self, layers: Layers_, names: Names, autonames: Counter[str]) -> None:
        """Add this layer to `layers`, after those that it reads."""
        if self in layers:
            return
        layer = caffe_pb.LayerParameter(type=self.type_name)
        for given in self.inputs:
            given._to_proto(layers, names, autonames)
            layer.bottom.append(layers[given.fn].top[given.n])
        if self.in_place:
            layer.top.extend(layer.bottom)
        else:
            tops = (_name_of(top, self.type_name, names, autonames) for top in self.tops)
            layer.top.extend(tops)
        layer.name = self._get_name(names, autonames)
        for name, value in self.params.items():
            assign_proto(self._place(layer, name), name, value)
        layers[self] = layer

    def _place(self, layer: Any, name: str) -> Any:
        """Return the message that has the field `name`: the layer's own parameter, or the layer."""
        own = _PARAM_NAMES.get(self.type_name)
        if own is None or name.endswith("param"):
            return layer
        param = getattr(layer, f"{own}_param")
        return param if name in param.DESCRIPTOR.fields_by_name else layer


Layers_ = dict[Function, Any]
Names = dict[Union[Top, Function], str]


def _name_of(what: Top | Function, type_name: str, names: Names, autonames: Counter[str]) -> str:
    """Return the name of a top or layer: as assigned, or its type and a number."""
    if what not in names:
        autonames[type_name] += 1
        names[what] = f"{type_name}{autonames[type_name]}"
    return names[what]


def to_proto(*tops: Top) -> Any:
    """Return the NetParameter of all layers that make `tops`."""
    return _net(tops, {})


def _net(tops: Any, names: Names) -> Any:
    layers: Layers_ = {}
    autonames: Counter[str] = Counter()
    for top in tops:
        top._to_proto(layers, names, autonames)
    return caffe_pb.NetParameter(layer=layers.values())


class NetSpec:
    """Tops by name: each that is assigned to it (`n.conv = ...`, `n["conv"] = ...`) gets its name.

    Attributes
    ----------
    tops : OrderedDict
    """

    tops: OrderedDict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Top | Function) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.tops[name]
        except KeyError:
            raise AttributeError(f"NetSpec has no top {name!r}") from None

    def __setitem__(self, name: str, value: Top | Function) -> None:
        self.tops[name] = value

    def __getitem__(self, name: str) -> Any:
        return self.tops[name]

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def __delattr__(self, name: str) -> None:
        del self.tops[name]

    def to_proto(self) -> Any:
        """Return the NetParameter of all layers that make the tops."""
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


class Layers:
    """Every layer type as a function of bottoms and parameters: `L.Convolution(n.data, ...)`."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def layer_fn(*args: Top, **kwargs: Any) -> Made:
            fn = Function(name, args, kwargs)
            return fn if not fn.tops else fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer_fn


class Parameters:
    """The values of the parameters' enums: `P.Pooling.MAX`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(caffe_pb, f"{name}Parameter")


_PARAM_NAMES = param_name_dict()
layers = Layers()
params = Parameters()
