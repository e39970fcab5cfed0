"""The `gcnet` command: one module per verb; each parses, calls the library, prints.

A verb's module has a docstring (the head of its --help), ``add_arguments(parser)`` and
``run(args)``, which returns an exit status or None. It may have a ``Parser`` of its own (a
`VerbParser`), and ``OLD_SPELLINGS`` of its options. What takes long to import, it imports in
``run``: --help is quick.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from gcnet_caffe import __version__, ends_with_parent
from gcnet_caffe.cli import _old_spellings
from gcnet_caffe.cli._verb_parser import VerbParser, did_you_mean
from gcnet_caffe.errors import GcnetError, UsageError, shortened, shown

#: verb -> one line for `gcnet --help`; the verb lives in the module of that name.
VERBS = {
    "make-net": "write network prototxts",
    "make-solver": "write solver prototxts",
    "make-faces": "render synthetic faces in CK+'s layout",
    "make-manifest": "list a data set's images, subjects, expressions, references",
    "make-folds": "divide a manifest's subjects into folds, as a table that you can cite",
    "describe": "count and draw what a manifest holds",
    "make-lmdb": "align, augment and pack the faces of a manifest",
    "train": "train a net from Caffe's files, in PyTorch",
    "test": "run a net's TEST phase, like caffe test, in PyTorch",
    "time": "measure how long each layer of a net takes, in PyTorch",
    "diff": "compare a net with real Caffe, layer by layer",
    "python": "run a script written for pycaffe, in PyTorch",
    "device-query": "show the GPUs that PyTorch sees",
    "run": "run a whole experiment: pack, pre-train, train every fold, evaluate, report",
    "train-folder": "train the net of a folder, or resume it (a step of run)",
    "check": "check that LMDBs match their net",
    "evaluate": "measure accuracy and image quality of a deploy net",
    "baseline": "train and test a linear SVM on the LMDBs of a fold, for comparison",
    "summarize": "collect the evaluations of a run into one table",
    "plot": "draw a Caffe training log",
    "draw-net": "draw the data flow of a net",
    "package": "write a trained network as a folder that you can pass on",
    "predict": "recognise the expressions of the faces in pictures and videos",
    "export-onnx": "write a trained network as an ONNX file",
    "web": "recognise the expressions of the faces in a picture, on a page in your browser",
    "report": "write a run's report: tables beside the paper's, curves, pictures",
    "demo": "run a small complete experiment on synthetic faces, in a few minutes",
}


_USAGE = "usage: gcnet VERB [options]\n\nverbs (gcnet VERB --help shows the options):"


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Show each option's default, except where there is none; keep the docstrings' lines."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        nothing = isinstance(default, bool) or default in (None, "", [], argparse.SUPPRESS)
        if nothing or not action.option_strings:
            return action.help
        return super()._get_help_string(action)


def _parser(verb: str, module: ModuleType) -> VerbParser:
    make: type[VerbParser] = getattr(module, "Parser", VerbParser)
    parser = make(prog=f"gcnet {verb}", description=module.__doc__, formatter_class=_Help)
    module.add_arguments(parser)
    return parser


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join([_USAGE, *lines])


def exit_by_finally(number: int, _frame: object) -> None:
    """Handle a signal: end by way of the `finally`s, so that scratch files go."""
    sys.exit(128 + number)


def _run(verb: str, words: Sequence[str]) -> int:
    for word in words:
        if "\0" in word:  # only Python can pass such a word
            raise UsageError(f"{shown(word)} contains NUL (U+0000)")
    module = importlib.import_module(f"gcnet_caffe.cli.{verb.replace('-', '_')}")
    old = getattr(module, "OLD_SPELLINGS", {})
    args = _parser(verb, module).parse_args(_old_spellings.replaced(f"gcnet {verb}", words, old))
    return module.run(args) or 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : sequence of str, optional
        The verb and its options; by default those of this process.

    Returns
    -------
    int
        The exit status: 0 done, 1 failed, 2 misused.
    """
    ends_with_parent.follow()
    if argv is None:
        argv = sys.argv[1:]
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
                signal.signal(number, exit_by_finally)
    if argv[:1] in (["-h"], ["--help"]):
        print(_usage())
        return 0
    if argv[:1] == ["--version"]:
        print(f"gcnet-caffe {__version__}")
        return 0
    if not argv or argv[0].replace("_", "-") not in VERBS:
        found = "no verb given"
        if argv:
            found = f"unknown verb {shown(argv[0])}{did_you_mean(argv[0], VERBS)}"
        print(f"gcnet: error: {found} (gcnet --help lists the verbs)", file=sys.stderr)
        return 2
    verb = argv[0].replace("_", "-")
    try:
        return _run(verb, argv[1:])
    except GcnetError as error:
        status, message = error.exit_code, str(error)
    except BrokenPipeError:  # the reader of our stdout (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status, message = 1, f"{where}{error.strerror or error}"
    except KeyboardInterrupt:
        status, message = 130, "interrupted"
    print(f"gcnet {verb}: error: {shortened(message)}", file=sys.stderr)
    return status
