"""Lines in the format of Caffe 1.0's log (glog's), which Caffe's own parsers read."""

import sys
import threading
import time


class Log:
    """Writes lines to a stream; a silent one (rank 1 and up) writes only errors.

    Parameters
    ----------
    stream : text stream, optional
        Default: stderr, as glog.
    silent : bool
    on_iteration : callable, optional
        Told the number of each iteration that is over.
    speaker : str
        Who speaks, before each text, where several solvers write one log.
    """

    def __init__(self, stream=None, silent=False, on_iteration=None, speaker=""):
        self._stream, self._silent = stream, silent
        self._speaker = f"{speaker}: " if speaker else ""
        self.iteration_done = on_iteration or (lambda iteration: None)

    def __call__(self, text):
        """Write `text` as an information."""
        if not self._silent:
            self._write("I", text)

    def warning(self, text):
        """Write `text` as a warning."""
        if not self._silent:
            self._write("W", text)

    def of(self, speaker):
        """Return a log on the same stream, each text of which starts with `speaker`."""
        return Log(self._stream, self._silent, speaker=speaker)

    def _write(self, severity, text):
        frame = sys._getframe(2)
        where = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
        now = time.time()
        date = time.strftime("%m%d %H:%M:%S", time.localtime(now))
        thread = threading.get_native_id()
        header = f"{severity}{date}.{int(now % 1 * 1e6):06d} {thread:5d} {where}]"
        print(f"{header} {self._speaker}{text}", file=self._stream or sys.stderr, flush=True)


def number(value):
    """Return `value` as C++ streams print a float: six significant digits."""
    return f"{float(value):.6g}"


def output_lines(phase, outputs, loss_weights):
    """Return the lines of a net's outputs, one a value, numbered through.

    Parameters
    ----------
    phase : str
        'Train net' or 'Test net'; empty for the form of `caffe test`.
    outputs : dict
        Blob name -> iterable of values.
    loss_weights : dict
        Blob name -> weight of those outputs that are losses.
    """
    lines = []
    for name, values in outputs.items():
        for value in values:
            line = f"{name} = {number(value)}"
            if phase:
                line = f"    {phase} output #{len(lines)}: {line}"
            weight = loss_weights.get(name)
            if weight:
                line += f" (* {number(weight)} = {number(weight * value)} loss)"
            lines.append(line)
    return lines
