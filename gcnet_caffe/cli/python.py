"""Run a Python script in which `import caffe` is gcnet_caffe.pycaffe.

gcnet python [--summation ORDER] SCRIPT [WORD ...]
gcnet python [--summation ORDER] -m MODULE [WORD ...]
gcnet python [--summation ORDER] -c CODE [WORD ...]

The script, module or code runs as under python, with the words as its arguments.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback
from collections.abc import Sequence

from gcnet_caffe.cli._verb_parser import VerbParser
from gcnet_caffe.engine.options import SUMMATIONS
from gcnet_caffe.errors import NO_FILE, UsageError

#: How newer Pythons call the file of runpy.
_FROZEN = "<frozen runpy>"


class Parser(VerbParser):
    """Takes its own options up to the script; what follows is the script's."""

    def parse_args(  # type: ignore[override]  # see VerbParser
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse `args`; `what` is what to run, in python's words."""
        words, own = list(args or ()), 0
        while own < len(words) and words[own].startswith("--"):
            own += 1 if "=" in words[own] or words[own] == "--help" else 2
        if words[own : own + 1] == ["-h"]:
            own += 1
        found = super().parse_args(words[:own], namespace)
        found.what = words[own:]
        return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--summation",
        choices=SUMMATIONS,
        default="torch",
        help="order of summation: torch (the fastest) or caffe (CPU Caffe's: the same numbers)",
    )


def run(args: argparse.Namespace) -> int:
    how, words = "", list(args.what)
    if words[:1] in (["-m"], ["-c"]):
        how = words.pop(0)
    if not words:
        raise UsageError(f"{how or 'script'}: found nothing to run; wanted SCRIPT, -m or -c")
    what = words[0]
    if not how and not os.path.exists(what):
        raise UsageError(f"{what}: {NO_FILE}")
    from gcnet_caffe import pycaffe

    pycaffe.provide()
    pycaffe.set_summation(args.summation)
    sys.argv = [how or what, *words[1:]]
    sys.path[0] = os.getcwd() if how else os.path.dirname(os.path.abspath(what))
    try:
        if how == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        elif how == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_path(what, run_name="__main__")
    except Exception as error:  # main's one line would hide where it came from
        _print_as_python_does(error)
        return 1
    return 0


def _print_as_python_does(error: Exception) -> None:
    """Print the traceback, without the frames that lead to the script."""
    place = error.__traceback__
    while place and place.tb_frame.f_code.co_filename in (__file__, runpy.__file__, _FROZEN):
        place = place.tb_next
    traceback.print_exception(type(error), error, place)
