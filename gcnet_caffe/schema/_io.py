"""Read and write Caffe's messages as text (prototxt) and binary (caffemodel, solverstate)."""

import difflib
import re
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from gcnet_caffe import files
from gcnet_caffe.errors import SchemaError
from gcnet_caffe.schema._messages import caffe_pb
from gcnet_caffe.schema.blobs import MAX_BYTES
from gcnet_caffe.schema.upgrade import upgrade_net, upgrade_snapshot_prefix, upgrade_solver


def parse_text(text, message, origin="text"):
    """Parse prototxt `text` into a new instance of the class `message`.

    Raises
    ------
    SchemaError
        The message gives `origin`, the line, what was found, and the nearest field that exists.
    """
    try:
        return text_format.Parse(text, message())
    except text_format.ParseError as error:
        raise SchemaError(_explain(error, origin)) from None
    except (RecursionError, ValueError) as error:
        raise SchemaError(f"{origin}: not a {message.DESCRIPTOR.name} prototxt: {error}") from None


def to_text(message):
    """Return `message` as prototxt, fields in Caffe's order, floats in their shortest form."""
    return text_format.MessageToString(message)


def read_file(path):
    """Return the text of the file at `path`."""
    try:
        return Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise SchemaError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SchemaError(f"{path}: not text; wanted a prototxt") from None


def read_text(path, message):
    """Read the prototxt at `path` as the class `message`."""
    return parse_text(read_file(path), message, path)


def read_binary(path, message):
    """Read the binary protobuf file at `path` as the class `message`."""
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise SchemaError(f"{path}: above 2 GB, which is the most that Caffe reads")
        data = Path(path).read_bytes()
    except OSError as error:
        raise SchemaError(f"{path}: {error.strerror}") from None
    parsed = message()
    try:
        parsed.ParseFromString(data)
    except DecodeError:
        name = message.DESCRIPTOR.name
        raise SchemaError(f"{path}: truncated, or not a binary {name}") from None
    return parsed


def write_binary(path, message):
    """Write `message` to `path` in binary form, whole or not at all."""
    with files.atomic(path, overwrite=True) as scratch:
        scratch.write_bytes(message.SerializeToString())


def read_net(path):
    """Read a net's prototxt, upgraded to today's form."""
    net = read_text(path, caffe_pb.NetParameter)
    upgrade_net(net, path)
    return net


def read_solver(path):
    """Read a solver's prototxt, upgraded to today's form; its snapshot_prefix is set."""
    solver = read_text(path, caffe_pb.SolverParameter)
    upgrade_solver(solver, path)
    upgrade_snapshot_prefix(solver, path)
    return solver


def read_weights(path):
    """Read a .caffemodel: a NetParameter whose layers carry blobs, upgraded to today's form."""
    net = read_binary(path, caffe_pb.NetParameter)
    upgrade_net(net, path)
    return net


def _explain(error, origin):
    line = error.GetLine()
    text = re.sub(r"^\d+:\d+ : ", "", str(error)).strip()
    text = re.sub(r"^'.*?': (?=Message type|Enum type|Expected|Couldn't)", "", text, flags=re.S)
    found = re.search(r'Message type "caffe\.(\w+)" has no field named "(\w+)"', text)
    if found:
        owner, name = found.groups()
        text = f"{owner} has no field {name!r}"
        known = getattr(caffe_pb, owner).DESCRIPTOR.fields_by_name
        near = difflib.get_close_matches(name, known, n=1)
        text += f"; did you mean {near[0]!r}?" if near else ""
        if owner == "V1LayerParameter" and name == "layer":
            text = "the V0 syntax; upgrade it with Caffe's upgrade_net_proto_text first"
    return f"{origin}:{line}: {text}" if line else f"{origin}: {text}"
