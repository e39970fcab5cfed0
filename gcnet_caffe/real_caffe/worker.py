"""What runs beside pycaffe for the back end `caffe`: images come in, blobs go out.

Runs where pycaffe is. Each message is its length, 8 bytes, and an .npz of arrays.
"""

import io
import os
import sys
import tempfile

import numpy as np


def send(stream, arrays):
    """Write {name: array} to a binary stream."""
    data = io.BytesIO()
    np.savez(data, **arrays)
    stream.write(len(data.getvalue()).to_bytes(8, "little") + data.getvalue())
    stream.flush()


def receive(stream):
    """Read what `send` wrote.

    Raises
    ------
    EOFError
        The other side has gone.
    """
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    data = stream.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(data) < size:
        raise EOFError
    with np.load(io.BytesIO(data)) as found:
        return {name: found[name] for name in found.files}


def main():
    """Open the net of the first message, and answer the others, until there are no more."""
    from gcnet_caffe.real_caffe.forward import open_net

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Caffe prints is not for the other side
    given = receive(sys.stdin.buffer)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: os.path.join(folder, name) for name in given}
        for name, path in paths.items():
            given[name].tofile(path)
        net = open_net(paths["net"], paths["weights"])
    send(answers, {})
    while True:
        try:
            given = receive(sys.stdin.buffer)
        except EOFError:
            return
        net.blobs["query"].reshape(*given["query"].shape)
        net.blobs["query"].data[...] = given["query"]
        net.forward()
        send(answers, {name: net.blobs[name].data for name in given["outputs"].tolist()})


if __name__ == "__main__":
    main()
