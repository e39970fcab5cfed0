"""Lines in the format of Caffe 1.0's log (glog's), which Caffe's own parsers read."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO

_LEVELS = ("INFO", "WARNING")


class LogFlags(NamedTuple):
    """glog's flags, with the values that `caffe train` starts with.

    Attributes
    ----------
    minloglevel : int
        0, 1 or 2: lines of a lower level (INFO, WARNING, ERROR) are not written at all.
    logtostderr : bool
        Write to stderr only, and to no file.
    alsologtostderr : bool
        Write to stderr, too.
    stderrthreshold : int
        Lines of this level and above are written to stderr in any case.
    log_prefix : bool
        Whether a line starts with its level, time, thread and place.
    colorlogtostderr : bool
        Warnings and errors on a terminal have a colour.
    log_dir : str
        Folder of the log files; empty: there are none.
    log_link : str
        A further folder with links to the newest log files.
    logfile_mode : int
        Permissions of a log file.
    """

    minloglevel: int = 0
    logtostderr: bool = False
    alsologtostderr: bool = True
    stderrthreshold: int = 2
    log_prefix: bool = True
    colorlogtostderr: bool = False
    log_dir: str = ""
    log_link: str = ""
    logfile_mode: int = 0o664


class LogFiles:
    """The log files of one program, one for each level, with the lines of that level and above.

    A file is named ``gcnet.HOST.USER.log.LEVEL.DATE-TIME.PROCESS``, made with its first line, and
    ``gcnet.LEVEL`` links to it.

    Source: glog, logging.cc, LogFileObject.
    """

    def __init__(self, flags: LogFlags) -> None:
        self._flags = flags
        self._files: dict[str, Path | None] = {}

    def write(self, level: int, line: str) -> None:
        """Add `line` to the files of `level` and below; where there is no file, say so once."""
        for name in _LEVELS[: level + 1]:
            if name not in self._files:
                self._files[name] = self._create(name)
            if path := self._files[name]:
                with open(path, "a", encoding="utf-8") as stream:
                    stream.write(f"{line}\n")

    def _create(self, level: str) -> Path | None:
        now, host = datetime.now(), socket.gethostname()
        name = f"gcnet.{host}.{_user()}.log.{level}.{now:%Y%m%d-%H%M%S}.{os.getpid()}"
        path = Path(self._flags.log_dir, name)
        try:
            with open(path, "a", encoding="utf-8") as stream:
                path.chmod(self._flags.logfile_mode)
                stream.write(
                    f"Log file created at: {now:%Y/%m/%d %H:%M:%S}\n"
                    f"Running on machine: {host}\n"
                    "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n"
                )
            for folder in filter(None, {self._flags.log_dir, self._flags.log_link}):
                link = Path(folder, f"gcnet.{level}")
                link.unlink(missing_ok=True)
                same = folder == self._flags.log_dir
                link.symlink_to(path.name if same else path.absolute())
        except OSError as error:
            print(f"gcnet: no log file {path}: {error.strerror}", file=sys.stderr)
            return None
        return path


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a process without a name, as in a container
        return "invalid-user"


class Log:
    """Writes lines to a stream; a silent one (rank 1 and up) writes none.

    Parameters
    ----------
    stream : text stream, optional
        Default: stderr, as glog.
    silent : bool
    on_iteration : callable, optional
        Called with the number of each iteration that is over.
    speaker : str
        Which solver writes, before each text, where several solvers write one log.
    flags : LogFlags
        Which lines are written, and where else.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        silent: bool = False,
        on_iteration: Callable[[int], object] | None = None,
        speaker: str = "",
        flags: LogFlags | None = None,
    ) -> None:
        self._stream, self._silent = stream, silent
        self._flags = flags or LogFlags()
        self._files = LogFiles(self._flags)
        self._speaker = f"{speaker}: " if speaker else ""
        self.iteration_done = on_iteration or (lambda iteration: None)

    def __call__(self, text: str) -> None:
        """Write `text` as an information."""
        self._write(0, text)

    def warning(self, text: str) -> None:
        """Write `text` as a warning."""
        self._write(1, text)

    def of(self, speaker: str) -> Log:
        """Return a log on the same stream, each text of which starts with `speaker`."""
        other = Log(self._stream, self._silent, speaker=speaker, flags=self._flags)
        other._files = self._files
        return other

    def _write(self, level: int, text: str) -> None:
        flags = self._flags
        if self._silent or level < flags.minloglevel:
            return
        line = f"{self._header(level) if flags.log_prefix else ''}{self._speaker}{text}"
        if self._stream:
            print(line, file=self._stream, flush=True)
        elif flags.logtostderr or flags.alsologtostderr or level >= flags.stderrthreshold:
            coloured = flags.colorlogtostderr and level > 0 and sys.stderr.isatty()
            print(f"\033[0;33m{line}\033[m" if coloured else line, file=sys.stderr, flush=True)
        if flags.log_dir and not flags.logtostderr:
            self._files.write(level, line)

    @staticmethod
    def _header(level: int) -> str:
        frame = sys._getframe(3)
        where = f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
        date = f"{datetime.now():%m%d %H:%M:%S.%f}"
        return f"{_LEVELS[level][0]}{date} {threading.get_native_id():5d} {where}] "
