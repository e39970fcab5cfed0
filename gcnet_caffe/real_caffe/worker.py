"""The process that runs a net in pycaffe: input blobs come in, output blobs go out.

`remote.py` starts it where pycaffe is. A message is its length, 8 bytes, and an .npz of arrays. The
first says which net, as `open_net` reads it; its answer is empty. Each further one has the input
blobs; its answer has the `outputs` that the first one names or, where it names none, the trace.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.real_caffe import import_caffe
from gcnet_caffe.real_caffe.trace import fill, trace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]


def send(stream: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write {name: array} to a binary stream."""
    data = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(data, **named)
    stream.write(len(data.getvalue()).to_bytes(8, "little") + data.getvalue())
    stream.flush()


def receive(stream: IO[bytes]) -> Arrays:
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


def open_net(caffe: Any, told: Mapping[str, NDArray[Any]]) -> Any:
    """Return a net of pycaffe.

    Parameters
    ----------
    caffe : module
    told : dict
        `net` and, if it has, `weights`: contents of files, as bytes. `phase` (default: TEST),
        `level`, `stages`, and the `seed` of its random numbers.
    """
    if "seed" in told:
        caffe.set_random_seed(int(told["seed"]))
    phase, level = int(told.get("phase", caffe.TEST)), int(told.get("level", 0))
    stages = [str(stage) for stage in told.get("stages", ())]
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: f"{folder}/{name}" for name in ("net", "weights") if name in told}
        for name, path in paths.items():
            told[name].tofile(path)
        weights = paths.get("weights")
        return caffe.Net(paths["net"], phase, level=level, stages=stages, weights=weights)


def forward(net: Any, inputs: Mapping[str, NDArray[Any]], outputs: Iterable[str]) -> Arrays:
    """Run a net of pycaffe on {input blob: array} of any batch size; return {output: array}."""
    for name, array in inputs.items():
        fill(net.blobs[name], array)
    net.forward()
    return {name: net.blobs[name].data for name in outputs}


def main() -> None:
    """Open the net of the first message, and answer the others, until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Caffe prints is not for the other side
    first = receive(sys.stdin.buffer)
    try:
        net = open_net(import_caffe(), first)
    except GcnetError as error:
        sys.exit(str(error))
    send(answers, {})
    with contextlib.suppress(EOFError):
        while True:
            given = receive(sys.stdin.buffer)
            if "outputs" in first:
                send(answers, forward(net, given, first["outputs"].tolist()))
            else:
                send(answers, trace(net, given))


if __name__ == "__main__":
    main()
