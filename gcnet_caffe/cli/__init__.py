"""The `gcnet` command: one verb a module; each parses, calls the library, prints."""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from gcnet_caffe import __version__, lifeline
from gcnet_caffe.errors import GcnetError, shortened, shown

#: verb -> one line for `gcnet --help`; the verb lives in the module of that name.
VERBS = {
    "make-net": "write network prototxts",
    "make-solver": "write solver prototxts",
    "make-faces": "render synthetic faces in CK+'s layout",
    "make-manifest": "list a data set's images, subjects, expressions, references",
    "make-folds": "deal a manifest's subjects into folds, as a sheet to cite",
    "describe": "count and draw what a manifest holds",
    "make-lmdb": "align, augment and pack the faces of a manifest",
    "train": "train a net by PyTorch, from Caffe's files",
    "test": "score a net on its own test data by PyTorch",
    "time": "measure the layers of a net by PyTorch",
    "device-query": "show the GPUs that PyTorch sees",
    "run": "run a whole experiment: pack, pre-train, train every fold, evaluate, report",
    "train-folder": "train the net of a folder, or go on after a kill (a step of run)",
    "check": "hold a net's LMDBs against the net that will read them",
    "evaluate": "score a trained net on its test LMDB",
    "baseline": "score HOG or LBP with a linear SVM on the same LMDBs",
    "summarize": "collect the evaluations of a run into one table",
    "plot": "draw a Caffe training log",
    "draw-net": "draw the data flow of a net",
    "package": "write a trained network as a folder that can be passed on",
    "predict": "tell the expressions of the faces in pictures and videos",
    "export-onnx": "write a trained network as an ONNX file",
    "web": "serve a page that tells the expressions of the faces in a picture",
    "report": "write a run's page: tables beside the paper's, curves, pictures",
    "demo": "do all of it on synthetic faces",
}


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Show each option's default, except where there is none; keep the docstrings' lines."""

    def _get_help_string(self, action):
        if action.default in (None, False, True, argparse.SUPPRESS) or not action.option_strings:
            return action.help
        return super()._get_help_string(action)


def _parser(verb, module):
    parser_class = getattr(module, "Parser", argparse.ArgumentParser)
    parser = parser_class(prog=f"gcnet {verb}", description=module.__doc__, formatter_class=_Help)
    module.add_arguments(parser)
    return parser


def _usage():
    width = max(map(len, VERBS))
    lines = [f"  {verb:{width}}  {text}" for verb, text in VERBS.items()]
    return "\n".join(
        ["usage: gcnet VERB [options]", "", "verbs (gcnet VERB --help tells more):", *lines]
    )


def _exit(number: int, _frame: object) -> None:
    """End by way of the `finally`s, so that scratch files go."""
    sys.exit(128 + number)


def _word_with_nul(argv: Sequence[str]) -> str:
    """What is to say of a word with a NUL character, which only Python can hand over; or ""."""
    for before, word in zip(["", *argv], argv):
        if "\0" in word:
            option = word.split("=")[0] if word.startswith("-") else before
            where = f"{option}: " if option.startswith("-") else ""
            return f"{where}{shown(word)} holds NUL (U+0000)"
    return ""


def main(argv=None):
    """Run one verb; return the exit status (0 done, 1 failed, 2 misused)."""
    lifeline.follow()
    if argv is None:
        argv = sys.argv[1:]
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
                signal.signal(number, _exit)
    if argv[:1] in (["-h"], ["--help"]):
        print(_usage())
        return 0
    if argv[:1] == ["--version"]:
        print(f"gcnet-caffe {__version__}")
        return 0
    if not argv or argv[0].replace("_", "-") not in VERBS:
        found = f"unknown verb {argv[0]!r}" if argv else "no verb given"
        print(f"gcnet: error: {found}; wanted one of {', '.join(VERBS)}", file=sys.stderr)
        return 2
    verb = argv[0].replace("_", "-")
    broken = _word_with_nul(argv)
    if broken:
        print(f"gcnet {verb}: error: {broken}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"gcnet_caffe.cli.{verb.replace('-', '_')}")
    args = _parser(verb, module).parse_args(argv[1:])
    try:
        return module.run(args) or 0
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
