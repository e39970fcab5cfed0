"""The registry of converters.

A converter is a function ``(graph, layer, *bottoms)``: it adds nodes to the `Graph` for one layer
of the torch engine, which has read the prototxt and holds the weights, and returns the name of its
top, or a tuple of the names of its tops. Bottoms are `Value`s.
"""

from __future__ import annotations

from typing import Callable, TypeVar, Union

Converter = Callable[..., Union[str, "tuple[str, ...]"]]
_Converter = TypeVar("_Converter", bound=Converter)
_CONVERTERS: dict[str, Converter] = {}


def converts(type_name: str) -> Callable[[_Converter], _Converter]:
    """Make a function the converter of the layers that a prototxt calls `type: "type_name"`."""

    def add(function: _Converter) -> _Converter:
        _CONVERTERS[type_name] = function
        return function

    return add


def converter(type_name: str) -> Converter:
    """Return the converter of a layer type."""
    return _CONVERTERS[type_name]


def converted_types() -> list[str]:
    """Return the type names that have a converter, sorted."""
    return sorted(_CONVERTERS)
