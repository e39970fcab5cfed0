"""The options that make-net and make-solver share: which network, which fold, which test set."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from gcnet_caffe import nets
from gcnet_caffe.cli._options import check_least
from gcnet_caffe.errors import UsageError
from gcnet_caffe.files import write_text
from gcnet_caffe.nets import names

#: The end of a file's name -> its name with --short-names; all others are solvers.
_SHORT = {
    "discriminator_train_test": "discriminator_train_test",
    "train_test": "train_test",
    "deploy_reconstruction": "deploy_reconstruction",
    "deploy": "deploy",
    "discriminator": "discriminator_solver",
}


def add_target_flags(parser: argparse.ArgumentParser, *folders: str) -> None:
    """Add --variant, --fold, --name, --all, --fit-test, --short-names and -o.

    Parameters
    ----------
    parser : ArgumentParser
    folders : str
        The folders whose files --all writes; without -o, other files go to the first of them.
    """
    parser.add_argument(
        "--variant", default="S1R1", help=f"network: {', '.join(nets.ALL_VARIANTS)}", metavar="NAME"
    )
    parser.add_argument("--fold", type=int, default=0, help="test fold, 0 or more", metavar="K")
    parser.add_argument("--name", default="ck", help="data set: the first word of the file names")
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"write all committed files again: those of {' and '.join(folders)}",
    )
    parser.add_argument(
        "--fit-test",
        action="store_true",
        help="count the images of the test LMDB, and use each exactly once per test",
    )
    parser.add_argument(
        "--short-names",
        action="store_true",
        help="call the files train_test, deploy and solver: for a folder with one network only",
    )
    parser.add_argument(
        "-o", "--output", help=f"folder to write; default: {folders[0]}", metavar="DIR"
    )
    parser.set_defaults(folders=folders)


def check_target(args: argparse.Namespace) -> None:
    """Check --variant, --fold and --generator.

    Raises
    ------
    UsageError
        There is no such variant, the fold is below 0, or the variant has no generator to choose.
    """
    if args.variant not in nets.ALL_VARIANTS:
        raise UsageError(
            f"--variant: found {args.variant!r}, wanted one of {', '.join(nets.ALL_VARIANTS)}"
        )
    check_least(args, fold=0)
    generator = getattr(args, "generator", None)
    if generator and not names.generates(args.variant):
        raise UsageError(f"--generator {generator}: {args.variant} has no generator")


def exact_test(data: str) -> tuple[int, int]:
    """Return test_batch_size and test_iter that test each image of an LMDB once (--fit-test).

    Parameters
    ----------
    data : str
        Folder of ``test_lmdb``.

    Raises
    ------
    LmdbError
        There is no such LMDB, or it cannot be read.
    """
    from gcnet_caffe.formats.lmdb_file import count_records

    return nets.exact_test(count_records(Path(data) / "test_lmdb"))


def write_files(texts: Mapping[str, str], args: argparse.Namespace) -> None:
    """Write generated files, {name: text}, to the folder of -o, and print their paths."""
    for name, text in texts.items():
        path = Path(args.output or args.folders[0]) / (_short(name) if args.short_names else name)
        write_text(path, text)
        print(path)


def _short(name: str) -> str:
    short = (short for end, short in _SHORT.items() if name.endswith(f"_{end}.prototxt"))
    return f"{next(short, 'solver')}.prototxt"


def write_all(args: argparse.Namespace) -> None:
    """Write the committed files of the verb's folders again.

    Raises
    ------
    UsageError
        -o is given: these files have their own folders.
    """
    folders = args.folders
    if args.output:
        raise UsageError(f"-o {args.output}: --all writes to {' and '.join(folders)}; drop -o")
    texts = {
        path: text for path, text in nets.committed().items() if Path(path).parts[0] in folders
    }
    for path, text in texts.items():
        write_text(path, text)
    print(f"{', '.join(folders)}: {len(texts)} files")
