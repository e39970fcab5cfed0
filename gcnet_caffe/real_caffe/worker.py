"""The process that runs a deploy net in pycaffe: input blobs come in, output blobs go out.

`remote.py` starts it where pycaffe is. A message is its length, 8 bytes, and an .npz of arrays. The
first has the files `net` and `weights` as bytes, and the names of the `outputs`; its answer is
empty. Each further one has the input blobs; its answer has the outputs.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.real_caffe import import_caffe

if TYPE_CHECKING:
    from numpy.typing import NDArray


def send(stream: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write {name: array} to a binary stream."""
    data = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(data, **named)
    stream.write(len(data.getvalue()).to_bytes(8, "little") + data.getvalue())
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Read what `send` wrote.

    Raises
    ------
    EOFError
        The other process has ended.
    """
    size = int.from_bytes(stream.read(8), "little")
    data = stream.read(size)
    if not data or len(data) < size:  # no message is empty
        raise EOFError
    with np.load(io.BytesIO(data)) as found:
        return {name: found[name] for name in found.files}


def _open_net(net: NDArray[np.uint8], weights: NDArray[np.uint8]) -> Any:
    """Return pycaffe's net of the contents of a deploy prototxt and a .caffemodel: TEST phase."""
    caffe = import_caffe()
    with tempfile.NamedTemporaryFile() as net_file, tempfile.NamedTemporaryFile() as weights_file:
        net.tofile(net_file.name)
        weights.tofile(weights_file.name)
        return caffe.Net(net_file.name, weights_file.name, caffe.TEST)


def main() -> None:
    """Open the net of the first message, and answer the others, until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Caffe prints is not for the other side
    first = receive(sys.stdin.buffer)
    try:
        net = _open_net(first["net"], first["weights"])
    except GcnetError as error:
        sys.exit(str(error))
    send(answers, {})
    with contextlib.suppress(EOFError):
        while True:
            for name, array in receive(sys.stdin.buffer).items():
                net.blobs[name].reshape(*array.shape)
                net.blobs[name].data[...] = array
            net.forward()
            send(answers, {name: net.blobs[name].data for name in first["outputs"].tolist()})


if __name__ == "__main__":
    main()
