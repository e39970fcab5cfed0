"""The options that make-net and make-solver share: which network, which fold, which test set."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from gcnet_caffe import nets
from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets import names

#: NetOptions or SolverOptions.
_Options = TypeVar("_Options", nets.NetOptions, nets.SolverOptions)


def add_target_flags(parser: argparse.ArgumentParser, writes: str) -> None:
    """Add --variant, --fold, --name, --all, --fit-test, --short-names and -o.

    Parameters
    ----------
    parser : ArgumentParser
    writes : str
        The default of -o.
    """
    parser.add_argument(
        "--variant", default="S1R1", help=f"network: {', '.join(nets.VARIANTS)}", metavar="NAME"
    )
    parser.add_argument("--fold", type=int, default=0, help="test fold, 0 to 9", metavar="K")
    parser.add_argument("--name", default="ck", help="data set: the first word of the file names")
    parser.add_argument("--all", action="store_true", help="write all committed files again")
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
    parser.add_argument("-o", "--output", default=writes, help="folder to write to", metavar="DIR")


def check_target(args: argparse.Namespace) -> None:
    """Raise a UsageError if there is no such variant or fold, or the variant has no generator."""
    if args.variant not in nets.VARIANTS:
        raise UsageError(
            f"--variant: found {args.variant!r}, wanted one of {', '.join(nets.VARIANTS)}"
        )
    if args.fold < 0:
        raise UsageError(f"--fold: found {args.fold}, wanted 0 or more")
    generator = getattr(args, "generator", None)
    if generator and not names.generates(args.variant):
        raise UsageError(f"--generator {generator}: {args.variant} has no generator")


def fitted(options: _Options, args: argparse.Namespace, field: str, data: str) -> _Options:
    """Set one of the options so that a test covers each image of the test LMDB once.

    Parameters
    ----------
    options : NetOptions or SolverOptions
    args : Namespace
        Without --fit-test, `options` are returned as they are.
    field : str
        ``test_batch_size`` or ``test_iter``.
    data : str
        Folder of ``test_lmdb``.

    Raises
    ------
    LmdbError
        There is no such LMDB, or it cannot be read.
    """
    if not args.fit_test:
        return options
    from gcnet_caffe.formats.lmdb_file import count_records

    schedule = nets.exact_test(count_records(Path(data) / "test_lmdb"))
    value = dict(zip(("test_batch_size", "test_iter"), schedule))[field]
    changes: dict[str, Any] = {field: value}
    return dataclasses.replace(options, **changes)


def fitted_classes(options: nets.NetOptions, args: argparse.Namespace) -> nets.NetOptions:
    """Set the classes to those of the data's packed.json.

    Parameters
    ----------
    options : NetOptions
    args : Namespace
        Without --fit-classes, `options` are returned as they are.

    Raises
    ------
    UsageError
        There is no packed.json.
    """
    if not args.fit_classes:
        return options
    path = Path(options.data) / "packed.json"
    try:
        packed = json.loads(path.read_text(encoding="utf-8"))["options"]
    except FileNotFoundError:
        what = "--fit-classes needs LMDBs of `gcnet make-lmdb`"
        raise UsageError(f"{path}: no such file; {what}") from None
    if "identities" in packed:
        return dataclasses.replace(options, num_classes=packed["identities"])
    return dataclasses.replace(
        options,
        num_classes=len(packed["classes"]),
        neutral_class=packed["classes"][-1] == NEUTRAL,
        neutral_queries=packed.get("neutral_queries", True),
    )


def file_name(name: str, args: argparse.Namespace) -> str:
    """Return the name of a generated file: the given one, or with --short-names the short one."""
    kinds = ("discriminator_train_test", "train_test", "deploy_reconstruction", "deploy")
    second = "discriminator_" if name.endswith("_discriminator.prototxt") else ""
    kind = next((kind for kind in kinds if name.endswith(f"_{kind}.prototxt")), f"{second}solver")
    return f"{kind}.prototxt" if args.short_names else name


def write_all(folder: str) -> None:
    """Write the committed files of `folder` (``prototxt`` or ``solvers``) again."""
    from gcnet_caffe.files import write_text

    texts = {path: text for path, text in nets.committed().items() if path.startswith(folder)}
    for path, text in texts.items():
        write_text(path, text)
    print(f"{folder}: {len(texts)} files")
