"""Align, augment and pack the faces of a manifest into LMDBs that Caffe reads.

`gcnet make-lmdb sheet` draws some faces as they would be packed: look at them first.

If packing stops (Ctrl-C, a kill, a full disk), what is done stays in .packing-... in the output
folder. Give the same command again: it continues from there. Faces that cannot
be packed stop it; --skip-failures leaves them out. In both cases failures.csv lists them and
failures.png shows them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcnet_caffe.cli._options import add_cores_flag, add_detector_flag
from gcnet_caffe.datasets.expressions import CLASS_SETS, parse_classes
from gcnet_caffe.datasets.protocols import ACROSS, PROTOCOLS, WITHIN
from gcnet_caffe.errors import UsageError

if TYPE_CHECKING:
    from gcnet_caffe.packing.pack import Packed

OLD_SPELLINGS = {"--fold-sheet": "--fold-table"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(title="kinds", dest="kind", required=True)

    def kind(name: str, text: str) -> argparse.ArgumentParser:
        sub = kinds.add_parser(
            name, help=text, description=text, formatter_class=parser.formatter_class
        )
        sub.add_argument(
            "manifest", metavar="MANIFEST", help="CSV of `gcnet make-manifest`, or of that format"
        )
        return sub

    pairs = kind(
        "pairs", "query and reference in one Datum, labelled by expression, one folder per fold"
    )
    pairs.add_argument(
        "-o", "--output", metavar="DIR", help="folder to write; default: data/PROTOCOL"
    )
    pairs.add_argument(
        "--protocol",
        choices=WITHIN,
        help="classes and folds of one of the paper's protocols; default: ck7. "
        + "; ".join(f"{name}: {PROTOCOLS[name].about}" for name in WITHIN),
    )
    pairs.add_argument(
        "--classes",
        help="other classes than the protocol's: "
        f"{', '.join(CLASS_SETS)}, or names in the order of their labels: happy,sad,...",
    )
    pairs.add_argument("--folds", type=int, help="number of folds; default: the protocol's")
    pairs.add_argument(
        "--fold",
        type=int,
        action="append",
        metavar="K",
        help="pack this fold, counted from 0; may be repeated; default: all",
    )
    pairs.add_argument(
        "--together", action="store_true", help="make one test set of the chosen folds: fold0+1/"
    )
    pairs.add_argument(
        "--fold-table",
        metavar="CSV",
        help="take the folds from this table (subject,fold), such as `gcnet make-folds` writes",
    )
    pairs.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave out the neutral queries; where neutral is no class, only the contrastive loss "
        "uses them",
    )
    pairs.add_argument(
        "--copies-of",
        action="append",
        default=[],
        metavar="SOURCE=N",
        help="another number of records per training image of one data set, the column source of "
        "the manifest; may be repeated",
    )
    pairs.add_argument(
        "--partial",
        action="append",
        default=[],
        metavar="SOURCE",
        help="this data set, the column source of the manifest, has some of the classes only: the "
        "network compares its faces with these alone; may be repeated for others with these",
    )
    pairs.add_argument(
        "--people",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="also pack foldK-peopleN/, whose train LMDB shows N of the people of foldK/ only, "
        "chosen by --seed; the N of a smaller number are among those of a larger one; may be "
        "repeated",
    )
    pairs.add_argument(
        "--detect",
        action="store_true",
        help="detect all landmarks, also of images whose landmarks the manifest gives",
    )
    pairs.add_argument(
        "--test-only", action="store_true", help="leave the train LMDBs out, and their images"
    )
    _add_packing(pairs, copies=10)

    cross = kind("cross", "train on all of the manifest, test on all of another one")
    cross.add_argument(
        "--test",
        required=True,
        metavar="CSV",
        help="manifest to test on; an image without a reference is its own reference",
    )
    cross.add_argument(
        "-o", "--output", metavar="DIR", help="folder to write; default: data/PROTOCOL"
    )
    cross.add_argument(
        "--protocol",
        choices=ACROSS,
        help="gives the output folder its name; all have the classes of cross7 and leave out "
        "contempt. " + "; ".join(f"{name}: {PROTOCOLS[name].about}" for name in ACROSS),
    )
    _add_packing(cross, copies=10)

    identity = kind("identity", "single faces, labelled by identity, for the pre-trainings")
    identity.add_argument(
        "-o", "--output", default="data/webface", metavar="DIR", help="folder to write"
    )
    identity.add_argument(
        "--held-out", type=float, default=0.1, help="share of each identity's images for test_lmdb"
    )
    _add_packing(identity, copies=1)

    sheet = kind("sheet", "one picture of some faces as they would be packed")
    sheet.add_argument("-o", "--output", required=True, metavar="PNG", help="file to write")
    sheet.add_argument("--rows", type=int, default=6, help="rows of the manifest to show")
    sheet.add_argument(
        "--by-expression",
        action="store_true",
        help="photographs instead: a line per subject (--rows of them), a column per expression",
    )
    _add_common(sheet, "pictures per face; the first is not augmented", copies=6)


def _add_packing(parser: argparse.ArgumentParser, copies: int) -> None:
    _add_common(parser, "records per training image; the first is not augmented", copies)
    add_cores_flag(parser, "--workers", "worker processes")
    parser.add_argument(
        "--skip-failures",
        action="store_true",
        help="leave out images that are missing, broken or show no face",
    )


def _add_common(parser: argparse.ArgumentParser, what: str, copies: int) -> None:
    parser.add_argument("--copies", type=int, default=copies, help=what)
    parser.add_argument("--seed", type=int, default=0, help="random seed of order and augmentation")
    parser.add_argument(
        "--photometric",
        action="store_true",
        help="vary also light, contrast, sharpness and noise of the augmented records, and hide a "
        "part of some: for rendered faces, which are cleaner than photographs",
    )
    add_detector_flag(parser, "for images without landmarks", dest="detector")


def run(args: argparse.Namespace) -> None:
    options = vars(args).copy()
    _KINDS[options.pop("kind")](**options)


def _pairs(
    manifest: str,
    output: str | None,
    protocol: str | None,
    classes: str | None,
    folds: int | None,
    fold: list[int] | None,
    together: bool,
    copies_of: list[str],
    **options: Any,
) -> None:
    from gcnet_caffe.packing.pack import pack_pairs

    preset = PROTOCOLS[protocol or "ck7"]
    out = output or _default_output(protocol or classes or "ck7", WITHIN)
    options.update(
        folds=preset.folds if folds is None else folds,
        only=preset.only if fold is None else fold,
        together=together or preset.together,
        copies_of=dict(map(_source_and_copies, copies_of)),
    )
    names = parse_classes(classes) if classes else preset.classes
    _report(pack_pairs(manifest, out, names, **options))


def _source_and_copies(text: str) -> tuple[str, int]:
    source, _, copies = text.rpartition("=")
    if not copies.isdecimal():
        raise UsageError(f"--copies-of {text}: wanted SOURCE=N, such as London=20")
    return source, int(copies)


def _cross(
    manifest: str, test: str, output: str | None, protocol: str | None, **options: Any
) -> None:
    from gcnet_caffe.packing.pack import pack_cross

    preset = PROTOCOLS[protocol or ACROSS[0]]
    out = output or _default_output(protocol, ACROSS)
    _report(pack_cross(manifest, test, out, preset.classes, drop=preset.drop, **options))


def _identity(manifest: str, output: str, **options: Any) -> None:
    from gcnet_caffe.packing.pack import pack_identities

    _report(pack_identities(manifest, output, **options))


def _sheet(manifest: str, output: str, by_expression: bool, **options: Any) -> None:
    from gcnet_caffe.packing.contact_sheet import write_contact_sheet, write_expression_sheet

    if by_expression:
        write_expression_sheet(manifest, output, options["rows"], options["seed"])
    else:
        write_contact_sheet(manifest, output, **options)
    print(output)


_KINDS: dict[str, Callable[..., None]] = {
    "pairs": _pairs,
    "cross": _cross,
    "identity": _identity,
    "sheet": _sheet,
}


def _report(packed: Packed) -> None:
    from gcnet_caffe.packing.failures import SHEET, TABLE

    for path, facts in packed.lmdbs.items():
        labels = f"labels {min(facts.labels)}..{max(facts.labels)}"
        print(f"{path}: {facts.count} records, {labels}, sha256 {facts.sha256[:16]}")
    if packed.left_out:
        print(f"left out: {len(packed.left_out)} rows, listed in {TABLE} and {SHEET}")


def _default_output(name: str | None, known: Collection[str]) -> Path:
    if name is None or name not in known:
        raise UsageError(f"-o: wanted a folder to write; only {', '.join(known)} have their own")
    return Path("data") / name
