"""Whether a prototxt is a solver's or a net's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats._io import read_file, read_net, read_solver
from gcnet_caffe.formats._messages import caffe_pb

_KINDS = {"solver": caffe_pb.SolverParameter, "net": caffe_pb.NetParameter}
_READERS: dict[str, Callable[[str | Path], Any]] = {"solver": read_solver, "net": read_net}


def read_solver_or_net(path: str | Path) -> Any:
    """Read the prototxt at `path` as what its fields say it is.

    Returns
    -------
    SolverParameter or NetParameter
        Upgraded to today's form.

    Raises
    ------
    SchemaError
        It cannot be read, or is neither; the message says which it looks like.
    """
    fields = {kind: _fields(read_file(path), message) for kind, message in _KINDS.items()}
    own = {kind: [f for f in found if not _in_both(f)] for kind, found in fields.items()}
    if not any(own.values()):
        raise SchemaError(f"{path}: neither a solver nor a net: has no field of either")
    kind, other = sorted(own, key=lambda kind: len(own[kind]), reverse=True)
    try:
        return _READERS[kind](path)
    except SchemaError as error:
        if own[other]:
            raise SchemaError(
                f"{error}; {path} looks like a {kind}, and {own[other][0]!r} is a field of a "
                f"{other}"
            ) from None
        raise


def _fields(text: str, message: Any) -> list[str]:
    """Return the fields of `message` that `text` has at its top, up to an error."""
    found = message()
    with contextlib.suppress(Exception):  # what is wrong, the reader of this kind says
        text_format.Merge(text, found, allow_unknown_field=True)
    return [field.name for field, _ in found.ListFields()]


def _in_both(field: str) -> bool:
    return all(field in message.DESCRIPTOR.fields_by_name for message in _KINDS.values())
