"""Read and write Caffe's messages as text (prototxt) and binary (caffemodel, solverstate)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from gcnet_caffe import files
from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats._lexer import Words, scan
from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.blobs import MAX_BYTES
from gcnet_caffe.formats.other_caffes import explain_field, explain_value, nearest
from gcnet_caffe.formats.upgrade import upgrade_net, upgrade_snapshot_prefix, upgrade_solver
from gcnet_caffe.text import check_name


def parse_text(text: str | bytes, message: type[Message], origin: str | Path = "text") -> Any:
    """Parse prototxt `text` into a new instance of the class `message`.

    Parameters
    ----------
    text : str or bytes
    message : class
        One of `caffe_pb`.
    origin : str or Path
        What errors call the text.

    Raises
    ------
    SchemaError
        The message gives `origin`, the line, what was found, and the nearest field that exists.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    words = scan(data, origin)
    try:
        return text_format.Parse(words.text, message())
    except text_format.ParseError as error:
        raise SchemaError(_explain(error, origin, words)) from None
    except (RecursionError, ValueError) as error:
        raise SchemaError(f"{origin}: not a {message.DESCRIPTOR.name} prototxt: {error}") from None


def to_text(message: Message) -> str:
    """Return `message` as prototxt, fields in Caffe's order, floats in their shortest form."""
    return text_format.MessageToString(message)


def read_file(path: str | Path) -> str:
    """Return the text of the prototxt at `path`, without its comments."""
    return scan(read_bytes(path), path).text


def read_text(path: str | Path, message: type[Message]) -> Any:
    """Read the prototxt at `path` as the class `message`; errors as of `parse_text`."""
    return parse_text(read_bytes(path), message, path)


def read_binary(path: str | Path, message: type[Message]) -> Any:
    """Read the binary protobuf file at `path` as the class `message`.

    Raises
    ------
    SchemaError
        It is missing, above 2 GB, or not such a message.
    """
    parsed = message()
    try:
        parsed.ParseFromString(read_bytes(path))
    except DecodeError:
        name = message.DESCRIPTOR.name
        raise SchemaError(f"{path}: truncated, or not a binary {name}") from None
    return parsed


def read_bytes(path: str | Path) -> bytes:
    """Return the bytes of the file at `path`; a SchemaError where it is missing or above 2 GB."""
    check_name(path, SchemaError)
    if not str(path):
        raise SchemaError("a file's name is empty; wanted the path of a file")
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise SchemaError(f"{path}: above 2 GB, which is the most that Caffe reads")
        return Path(path).read_bytes()
    except OSError as error:
        raise SchemaError(f"{path}: {error.strerror}") from None


def write_binary(path: str | Path, message: Message) -> None:
    """Write `message` to `path` in binary form, whole or not at all."""
    with files.atomic(path, overwrite=True) as scratch:
        scratch.write_bytes(message.SerializeToString())


def read_net(path: str | Path) -> Any:
    """Read a net's prototxt as a NetParameter, upgraded to today's form."""
    net = read_text(path, caffe_pb.NetParameter)
    upgrade_net(net, path)
    return net


def read_solver(path: str | Path) -> Any:
    """Read a solver's prototxt as a SolverParameter, upgraded; its snapshot_prefix is set."""
    solver = read_text(path, caffe_pb.SolverParameter)
    upgrade_solver(solver, path)
    upgrade_snapshot_prefix(solver, path)
    return solver


def _explain(error: text_format.ParseError, origin: str | Path, words: Words) -> str:
    line = error.GetLine()
    text = re.sub(r"^\d+:\d+ : ", "", str(error)).strip()
    text = re.sub(r"^'.*?': (?=Message type|Enum type|Expected|Couldn't)", "", text, flags=re.S)
    field = re.search(r'Message type "caffe\.(\w+)" has no field named "(\w+)"', text)
    value = re.search(r'Enum type "caffe\.([\w.]+)" has no value named (\w+)', text)
    if field:
        text = _explain_field(*field.groups())
    elif value:
        text = explain_value(value[2]) or text
    elif words.raw and "codec" in text:
        line, name = words.raw[0]
        text = f"{name}: a string that is not UTF-8; save the file as UTF-8"
    return f"{origin}:{line}: {text}" if line else f"{origin}: {text}"


def _explain_field(owner: str, name: str) -> str:
    """Return what is to say of the field `name`, which the message `owner` does not have."""
    for wanted, other, said in _MIXED_UP:
        if owner == wanted and name in getattr(caffe_pb, other).DESCRIPTOR.fields_by_name:
            return f"{name!r} is a field of {said}"
    found = explain_field(owner, name)
    if found:
        return found
    near = nearest(name, getattr(caffe_pb, owner).DESCRIPTOR.fields_by_name)
    return f"{owner} has no field {name!r}" + (f"; did you mean {near!r}?" if near else "")


#: (message wanted, message that has the field, what the latter is).
_MIXED_UP = (
    ("NetParameter", "SolverParameter", "a solver; wanted a net"),
    ("SolverParameter", "NetParameter", "a net; wanted a solver"),
    ("LayerParameter", "V1LayerParameter", "the old 'layers { }'; wanted one of 'layer { }'"),
    ("V1LayerParameter", "LayerParameter", "'layer { }'; wanted one of the old 'layers { }'"),
)
