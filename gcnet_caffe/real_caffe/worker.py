"""The process that runs a deploy net in pycaffe: input blobs come in, output blobs go out.

`remote.py` starts it where pycaffe is. A message is its length, 8 bytes, and an .npz of arrays. The
first has the files `net` and `weights` as bytes, and the names of the `outputs`; its answer is
empty. Each further one has the input blobs; its answer has the outputs.
"""

from __future__ import annotations

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
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    data = stream.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(data) < size:
        raise EOFError
    with np.load(io.BytesIO(data)) as found:
        return {name: found[name] for name in found.files}


def _open_net(net: NDArray[np.uint8], weights: NDArray[np.uint8]) -> Any:
    """Return pycaffe's net of the contents of a deploy prototxt and a .caffemodel: TEST phase."""
    caffe = import_caffe()
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("net", "weights")]
        for path, data in zip(paths, (net, weights)):
            data.tofile(path)
        return caffe.Net(*paths, caffe.TEST)


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
    while True:
        try:
            inputs = receive(sys.stdin.buffer)
        except EOFError:
            return
        for name, array in inputs.items():
            net.blobs[name].reshape(*array.shape)
            net.blobs[name].data[...] = array
        net.forward()
        send(answers, {name: net.blobs[name].data for name in first["outputs"].tolist()})


if __name__ == "__main__":
    main()
