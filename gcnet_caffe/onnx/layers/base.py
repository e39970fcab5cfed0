"""The registry of converters.

A converter is a function ``(graph, layer, *bottoms)``: it adds nodes to the `Graph` for one layer
of the torch engine, which has read the prototxt and holds the weights, and returns the name of its
top, or a tuple of them. Bottoms are `Value`s.
"""

_CONVERTERS = {}


def converts(type_name):
    """Function decorator: what converts the layers that a prototxt calls `type: "type_name"`."""

    def add(function):
        _CONVERTERS[type_name] = function
        return function

    return add


def converter(type_name):
    """Return the converter of a layer type."""
    return _CONVERTERS[type_name]


def converted_types():
    """Return the type names that have a converter, sorted."""
    return sorted(_CONVERTERS)
