"""Real Caffe as a back end: pycaffe with our plug-in, in a process of its own.

The process is Python where `caffe` is on PATH, else the image's (docker/caffe). Net and weights go
to it through its standard input, so that it need not see this machine's files.
"""

import contextlib
import os
import subprocess
import tempfile
import weakref

import numpy as np

from gcnet_caffe.errors import NetError
from gcnet_caffe.real_caffe import tool as caffe_tool
from gcnet_caffe.real_caffe import worker as caffe_worker


def open_backend(model):
    """Open the `TrainedModel` in real Caffe, on the CPU."""
    return _RealCaffe(model)


class _RealCaffe:
    def __init__(self, model):
        self._model = model
        command = caffe_tool.python_command(caffe_worker.__name__)
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "GLOG_minloglevel": "2"},
        )
        weakref.finalize(self, _close, self._process, self._said)
        files = {"net": model.net, "weights": model.weights}
        self._ask(**{name: np.fromfile(path, np.uint8) for name, path in files.items()})

    def forward(self, query):
        """As the package's docstring says."""
        return self._ask(query=query, outputs=np.array(self._model.outputs))

    def _ask(self, **arrays):
        try:
            caffe_worker.send(self._process.stdin, arrays)
            return caffe_worker.receive(self._process.stdout)
        except (BrokenPipeError, EOFError):
            self._process.wait()
            self._said.seek(0)
            words = caffe_tool.last_words(self._said.read().decode("utf-8", "replace"))
            raise NetError(f"{self._model.net}: real Caffe stopped: {words}") from None


def _close(process, said):
    """Let the process end, which it does when there is nothing more to read."""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    process.wait()
    said.close()
