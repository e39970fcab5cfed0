"""A deploy net in real Caffe, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import NetError
from gcnet_caffe.real_caffe import worker
from gcnet_caffe.real_caffe.tool import last_words, python_command

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RemoteNet:
    """A net of pycaffe, on the CPU.

    Its process is Python where `caffe` is on PATH, else the image's (docker/caffe). Net and weights
    go to it through its standard input: it need not see this machine's files. It ends with this
    object.

    Parameters
    ----------
    net : path
        Prototxt.
    weights : path, optional
        .caffemodel; by default the net has what its fillers give.
    told : optional
        What else `worker.open_net` reads, and the `outputs`: names of the blobs that `forward`
        gives.
    environment : dict, optional
        Variables of the process's environment.

    Raises
    ------
    GcnetError
        Caffe is not installed here.
    NetError
        Caffe cannot open the net; the message has its own words.
    """

    def __init__(
        self,
        net: str | Path,
        weights: str | Path | None,
        environment: Mapping[str, str] | None = None,
        **told: int | Sequence[str],
    ) -> None:
        self._net, command = net, python_command(worker.__name__)
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "GLOG_minloglevel": "2", **(environment or {})},
        )
        weakref.finalize(self, _close, self._process, self._log)
        files = {"net": net, "weights": weights}
        first = {name: np.fromfile(path, np.uint8) for name, path in files.items() if path}
        self._ask({**first, **{name: np.array(value) for name, value in told.items()}})

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run the net on {input blob: array} of any batch size, and return {output blob: array}.

        Raises
        ------
        NetError
            Caffe stopped; the message has its own words.
        """
        return self._ask(inputs)

    def trace(self, given: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Run the net, opened without `outputs`, as `trace.trace` does; errors as of `forward`."""
        return self._ask(given)

    def _ask(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        assert self._process.stdin and self._process.stdout
        try:
            worker.send(self._process.stdin, arrays)
            return worker.receive(self._process.stdout)
        except (BrokenPipeError, EOFError):
            self._process.wait()
            self._log.seek(0)
            words = last_words(self._log.read().decode("utf-8", "replace"))
            raise NetError(f"{self._net}: real Caffe stopped: {words}") from None


def _close(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """Let the process end, which it does when there is nothing more to read, and wait for it."""
    with log, contextlib.suppress(BrokenPipeError), process:
        pass
