"""The registry of converters.

A converter is a function ``(graph, layer, *bottoms)``: it adds nodes to the `Graph` for one layer
of the torch engine, which has read the prototxt and holds the weights, and returns the name of its
top, or a tuple of the names of its tops. Bottoms are `Value`s.
"""

from __future__ import annotations

from typing import Callable, TypeVar, Union

Converter = Callable[..., Union[str, "tuple[str, ...]"]]
_Converter = TypeVar("_Converter", bound=Converter)
#: Type name -> its converter.
CONVERTERS: dict[str, Converter] = {}


def converts(*type_names: str) -> Callable[[_Converter], _Converter]:
    """Make a function the converter of the layers that a prototxt calls `type: "type_name"`."""

    def add(function: _Converter) -> _Converter:
        CONVERTERS.update(dict.fromkeys(type_names, function))
        return function

    return add
