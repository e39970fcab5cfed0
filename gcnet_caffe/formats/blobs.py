"""The numbers of BlobProtos, to and from arrays, in blocks.

Protobuf's messages take and give numbers one by one: 22 seconds for a net of 54 million. In binary
form a packed field is its key, its length in bytes, and the numbers as they are in memory. A
message in a message is its key, its length and its own fields (protobuf's "Encoding" page). So the
blobs of a file are written straight from the arrays; the bytes are those of SerializeToString. A
field of bytes has that form, too: the BlobProto of `raw_pb` has such fields for the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gcnet_caffe.formats._messages import caffe_pb, raw_pb

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Protobuf, and so Caffe, reads no message of more bytes.
MAX_BYTES = 2**31 - 1

#: The fields that BlobProto had before `shape`.
OLD_AXES = ("num", "channels", "height", "width")

_LENGTH = 2  # the kind of a field that begins with its length
_TYPES = {"data": "<f4", "diff": "<f4", "double_data": "<f8", "double_diff": "<f8"}
#: Of NVIDIA's raw_data_type.
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}


class Blob(NamedTuple):
    """What a BlobProto holds: float32 arrays, the gradient `diff` of the shape of `data`."""

    data: NDArray[np.float32]
    diff: NDArray[np.float32] | None = None


def blob_from_proto(blob: Any) -> NDArray[np.float32]:
    """Return a BlobProto as a float32 array, in the shape that it says.

    Raises
    ------
    ValueError
        The number of values does not fit the shape.

    References
    ----------
    Caffe src/caffe/blob.cpp, FromProto. `raw_data`: NVIDIA/caffe src/caffe/blob.cpp.
    """
    if blob.HasField("raw_data"):
        data = np.frombuffer(blob.raw_data, _RAW_TYPES[blob.raw_data_type]).astype(np.float32)
    else:
        data = numbers(blob, "double_data" if blob.double_data else "data")
    if any(blob.HasField(axis) for axis in OLD_AXES):
        return data.reshape([getattr(blob, axis) for axis in OLD_AXES])
    return data.reshape(list(blob.shape.dim))


def numbers(blob: Any, field: str) -> NDArray[np.float32]:
    """Return the `field` of a BlobProto (``"data"``, ``"double_data"``, ...) as float32, 1-d."""
    values = getattr(blob, field)
    if hasattr(values, "__array__"):  # today's protobuf: one copy
        return np.array(values, np.float32)
    return _from_raw(blob, field)


def _from_raw(blob: Any, field: str) -> NDArray[np.float32]:
    """As `numbers`, with every protobuf."""
    raw = raw_pb.BlobProto.FromString(blob.SerializeToString())
    return np.array(np.frombuffer(getattr(raw, field), _TYPES[field]), np.float32)


def set_numbers(blob: Any, field: str, values: NDArray[np.float32]) -> None:
    """Set the `field` of a BlobProto (``"data"`` or ``"diff"``) to `values`, of any shape."""
    blob.ClearField(field)
    blob.MergeFromString(b"".join(_packed(_number(blob, field), values)))


def with_blobs(message: Any, field: str, blobs: Iterable[Blob]) -> list[Any]:
    """Return the binary form of `message` with `blobs` in its repeated BlobProto `field`.

    Parameters
    ----------
    message : LayerParameter, SolverState, ...
        Its own blobs are left out. It has no fields that caffe.proto does not know.
    field : str
    blobs : iterable of Blob

    Returns
    -------
    list of bytes-like
        To be written one after the other; the arrays of `blobs` are among them, not copied.
    """
    place = _number(message, field)
    before, after = type(message)(), type(message)()
    before.CopyFrom(message)
    after.CopyFrom(message)
    for one, _ in message.ListFields():
        if one.number >= place:
            before.ClearField(one.name)
        if one.number <= place:
            after.ClearField(one.name)
    pieces = [before.SerializeToString()]
    for blob in blobs:
        pieces += embedded(place, _blob(blob))
    return [*pieces, after.SerializeToString()]


def embedded(number: int, pieces: Sequence[Any]) -> list[Any]:
    """Return a message in binary form, the bytes-like `pieces`, as field `number` of another."""
    size = sum(memoryview(piece).nbytes for piece in pieces)
    return [_to_varint(number << 3 | _LENGTH) + _to_varint(size), *pieces]


def fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield (number, the whole field, what is in it) of each field of a message in binary form.

    Raises
    ------
    IndexError, ValueError
        `data` is no whole message.
    """
    place = 0
    while place < len(data):
        key, inside = _from_varint(data, place)
        kind = key & 7
        if kind == _LENGTH:
            size, inside = _from_varint(data, inside)
            end = inside + size
        elif kind == 0:
            end = _from_varint(data, inside)[1]
        else:
            end = inside + {1: 8, 5: 4}.get(kind, len(data))
        if end > len(data):
            raise ValueError(f"a field ends at {end} of {len(data)} bytes")
        yield key >> 3, data[place:end], data[inside:end]
        place = end


def _from_varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number that begins at `place`, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _blob(blob: Blob) -> list[Any]:
    proto = caffe_pb.BlobProto()
    pieces = _packed(_number(proto, "data"), blob.data)
    if blob.diff is not None:
        pieces += _packed(_number(proto, "diff"), blob.diff)
    proto.shape.dim.extend(blob.data.shape)  # a later field than the numbers
    return [*pieces, proto.SerializeToString()]


def _packed(number: int, values: NDArray[np.float32]) -> list[Any]:
    """Return the pieces of a packed field of float32; one without numbers is left out."""
    values = np.ascontiguousarray(values, "<f4").reshape(-1)
    return embedded(number, [values.data.cast("B")]) if values.size else []


def _number(message: Any, field: str) -> int:
    return int(message.DESCRIPTOR.fields_by_name[field].number)


def _to_varint(value: int) -> bytes:
    """Return `value` in groups of seven bits, the lowest first, each but the last plus 128."""
    groups = bytearray()
    while value >= 128:
        groups.append(value & 127 | 128)
        value >>= 7
    groups.append(value)
    return bytes(groups)
