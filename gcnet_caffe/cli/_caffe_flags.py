"""The flags of Caffe's own tool, and glog's, in gflags' spellings: -solver X, --solver=X, ..."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn

from gcnet_caffe.cli._options import given_options
from gcnet_caffe.cli._verb_parser import VerbParser
from gcnet_caffe.engine.log import LogFlags
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import UsageError, shown
from gcnet_caffe.text import read

_HELP = {
    "solver": "solver prototxt",
    "discriminator_solver": "solver prototxt of a second player: the two train in turns "
    "(docs/adversarial.md); -snapshot then needs two files, separated by ','",
    "model": "net prototxt",
    "weights": ".caffemodel files, separated by ','",
    "snapshot": ".solverstate to resume from",
    "gpu": "GPU numbers separated by ',', or 'all'; default: the CPU",
    "level": "level of the NetState",
    "stage": "stages of the NetState, separated by ','",
    "phase": "phase of the net",
    "iterations": "how many iterations to run",
    "sigint_effect": "what SIGINT (Ctrl-C) does",
    "sighup_effect": "what SIGHUP does",
}
_DEFAULTS: dict[str, int | str] = {
    "level": 0,
    "phase": "TRAIN",
    "iterations": 50,
    "sigint_effect": "stop",
    "sighup_effect": "snapshot",
}
_EFFECTS = "{stop,snapshot,none}"
_CHOICES = {"phase": "{TRAIN,TEST}", "sigint_effect": _EFFECTS, "sighup_effect": _EFFECTS}
#: glog's flags with an effect: the fields of LogFlags.
_GLOG_HELP = {
    "minloglevel": "write no line below this level: 0 all, 1 warnings, 2 errors",
    "logtostderr": "write the log to stderr and not to the files of --log_dir",
    "alsologtostderr": "write it to stderr, too",
    "stderrthreshold": "with --noalsologtostderr: the lowest level that goes to stderr",
    "log_prefix": "begin each line with level, date, time, thread and source line",
    "colorlogtostderr": "colour the warnings where stderr is a terminal",
    "log_dir": "write log files, as glog does, into the folder DIR; default: none are written",
    "log_link": "a second folder with links to these files",
    "logfile_mode": "permissions of these files, as a decimal number",
}
#: glog's flags that mean nothing here (there is no VLOG, no mail, ...), and `lt`, which the image's
#: caffe refuses.
_NO_EFFECT = {
    "alsologtoemail": "",
    "drop_log_memory": True,
    "log_backtrace_at": "",
    "logbuflevel": 0,
    "logbufsecs": 30,
    "logemaillevel": 999,
    "logmailer": "/bin/mail",
    "lt": False,
    "max_log_size": 1800,
    "stop_logging_if_full_disk": False,
    "symbolize_stacktrace": True,
    "v": 0,
    "vmodule": "",
}
_UNLISTED = sorted(set(_NO_EFFECT) - {"lt"})
_GLOG = {**LogFlags()._asdict(), **_NO_EFFECT}
_VALUES = {**dict.fromkeys(_HELP, ""), **_DEFAULTS, **_GLOG}
#: What gflags reads other flags from.
_SOURCES = ("flagfile", "fromenv", "tryfromenv", "undefok")
_TRUE, _FALSE = ("1", "t", "true", "y", "yes"), ("0", "f", "false", "n", "no")


class CaffeParser(VerbParser):
    """Reads the flags of Caffe and glog as gflags does, and other options as argparse does.

    gflags: one dash or two, ``-x=1`` or ``-x 1``; a flag that is true or false is ``-x``, ``-nox``
    or ``-x=false``, never ``-x false``; the last one counts; ``-flagfile FILE``, ``-fromenv NAMES``
    and ``-undefok NAMES``.
    """

    def parse_known_args(  # type: ignore[override]  # one signature instead of argparse's overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse `args` after they are written as argparse reads them."""
        words = _as_argparse_reads(sys.argv[1:] if args is None else args)
        return super().parse_known_args(words, namespace)

    def refuse(self, word: str) -> NoReturn:
        """Raise the UsageError for a word that no option or argument takes."""
        for name in ("-solver", "-model"):
            if not word.startswith("-") and name in self._option_string_actions:
                self.error(f"found {shown(word)}, wanted options only, such as {name} FILE")
        super().refuse(word)


def add_caffe_flags(
    parser: argparse.ArgumentParser, *names: str, writes_log: bool = True, **more: str
) -> None:
    """Add the flags `names` with Caffe's defaults, and glog's.

    Parameters
    ----------
    parser : ArgumentParser
    names : str
        Names of flags of Caffe's tool.
    writes_log : bool
        Whether --help shows glog's flags; they are taken in any case.
    more : str
        Flag -> what its help says in place of the usual.
    """
    for name in names:
        default = _DEFAULTS.get(name, "")
        parser.add_argument(
            f"-{name}",
            f"--{name}",
            default=default,
            type=_type(default),
            help=more.get(name, _HELP[name]),
            metavar=_CHOICES.get(name, name.upper()),
        )
    group = parser.add_argument_group()
    if writes_log:
        group.title = "glog's flags"
        group.description = (
            "As in Caffe; the environment variable GLOG_name gives another default. Without effect:"
            + textwrap.indent("\n" + textwrap.fill(", ".join(_UNLISTED), 78), "  ")
        )
    for name, default in _GLOG.items():
        group.add_argument(
            f"--{name}",
            default=_from_environment(name, default),
            type=_type(default),
            help=_GLOG_HELP.get(name, argparse.SUPPRESS) if writes_log else argparse.SUPPRESS,
            metavar="DIR" if isinstance(default, str) else "N",
        )


def command_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that `train`, `test` and `time` of engine.commands share."""
    return {
        "gpus": gpu_numbers(args.gpu),
        "options": EngineOptions(**given_options(args, EngineOptions)),
        "level": args.level,
        "stages": split_stages(args.stage),
    }


def log_flags(args: argparse.Namespace) -> LogFlags:
    """Return the flags about the log."""
    return LogFlags(**{name: getattr(args, name) for name in LogFlags._fields})


def _type(default: bool | int | str) -> Any:
    return {bool: _boolean, int: _integer, str: str}[type(default)]


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted true or false")
    return text.lower() in _TRUE


def _integer(text: str) -> int:
    try:
        return int(text, 16 if text.lower().startswith(("0x", "-0x")) else 10)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, wanted an integer") from None


def _from_environment(name: str, default: bool | int | str) -> bool | int | str:
    """The default of a flag of glog's: GLOG_name, but Caffe itself sets alsologtostderr."""
    text = os.environ.get(f"GLOG_{name}")
    if text is None or name == "alsologtostderr":
        return default
    if isinstance(default, bool):
        return text[:1] in ("", "t", "T", "y", "Y", "1")
    return text  # argparse applies the type


def _as_argparse_reads(words: Sequence[str]) -> list[str]:
    """Return `words` with each flag of Caffe or glog as ``--name=value``.

    Source: gflags, gflags.cc, CommandLineFlagParser.
    """
    found: list[str] = []
    unknown: dict[int, set[str]] = {}
    allowed: set[str] = set()
    files: set[str] = set()
    left = deque(words)
    while left:
        word = left.popleft()
        name, equals, value = word[2 if word.startswith("--") else 1 :].partition("=")
        name = name.replace("-", "_")
        plain = name[2:] if name.startswith("no") and name not in _VALUES else name
        if word == "--":
            found += [word, *left]
            break
        if not word.startswith("-"):
            found.append(word)
        elif isinstance(_VALUES.get(plain), bool):
            value = "0" if plain != name else value if equals else "1"
            found.append(f"--{plain}={value}")
        elif name in _VALUES or name in _SOURCES:
            if not equals and not left:
                raise UsageError(f"-{name}: wanted a value")
            value = value if equals else left.popleft()
            if name == "undefok":
                allowed.update(value.replace("-", "_").split(","))
            elif name in _SOURCES:
                left.extendleft(reversed(_flags_from(name, value, files)))
            else:
                found.append(f"--{name}={value}")
        else:
            unknown[len(found)] = {name, plain}
            found.append(word)
    return [word for i, word in enumerate(found) if not unknown.get(i, set()) & allowed]


def _flags_from(source: str, value: str, files: set[str]) -> list[str]:
    """Return the flags that ``-flagfile`` or ``-fromenv`` stands for."""
    if source != "flagfile":
        given = {name: os.environ.get(f"FLAGS_{name}") for name in value.split(",")}
        missing = [name for name, text in given.items() if text is None]
        if missing and source == "fromenv":
            raise UsageError(f"-fromenv: FLAGS_{missing[0]} is not in the environment")
        return [f"-{name}={text}" for name, text in given.items() if text is not None]
    flags: list[str] = []
    for path in value.split(","):
        if path in files:
            raise UsageError(f"-flagfile: {path} is read a second time")
        files.add(path)
        flags += _lines_of(path)
    return flags


def _lines_of(path: str) -> list[str]:
    try:
        lines = read(path, UsageError, wanted="a file of flags").splitlines()
    except OSError as error:
        raise UsageError(f"-flagfile: {path}: {error.strerror}") from None
    flags: list[str] = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line and not line.startswith(("#", "-")):
            raise UsageError(f"{path}: line {number}: found {line[:40]!r}, wanted -flag=value")
        flags += [line] if line.startswith("-") else []
    return flags


def gpu_numbers(text: str) -> list[int] | None:
    """Return the GPU numbers of the flag -gpu, or None where none are given.

    Parameters
    ----------
    text : str
        Numbers separated by ',', ``all``, or nothing.

    Raises
    ------
    UsageError
        `text` is neither 'all' nor different numbers from 0 on.
    """
    if not text:
        return None
    if text == "all":
        import torch

        return list(range(torch.cuda.device_count()))
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words) or len(set(map(int, words))) < len(words):
        raise UsageError(
            f"-gpu: found {text!r}, wanted different numbers, separated by ',', or 'all'"
        )
    return [int(word) for word in words]


def split_stages(text: str) -> list[str]:
    """Return the stages of the flag -stage."""
    return [word for word in text.split(",") if word]


def require(value: str, message: str) -> None:
    """Raise the refusal `message` of Caffe's tool unless a flag was given."""
    if not value:
        raise UsageError(message)
