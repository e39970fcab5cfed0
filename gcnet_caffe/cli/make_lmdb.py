"""Align, augment and pack the faces of a manifest into LMDBs that Caffe reads.

`sheet` draws the faces as they would be packed, to be looked at first.

A packing that was interrupted or killed, or that ran out of disk, keeps what is finished in the
output folder, in .packing-...: the same command goes on from there. Faces that cannot be packed
stop it (--skip-failures leaves them out); either way failures.csv lists them, and failures.png
shows them.
"""

from pathlib import Path

from gcnet_caffe.datasets.expressions import CLASS_SETS, parse_classes
from gcnet_caffe.datasets.protocols import ACROSS, PROTOCOLS, WITHIN
from gcnet_caffe.errors import UsageError
from gcnet_caffe.packing.contact_sheet import write_contact_sheet
from gcnet_caffe.packing.failures import SHEET, TABLE
from gcnet_caffe.packing.pack import pack_cross, pack_identities, pack_pairs
from gcnet_caffe.parallel import cores


def add_arguments(parser):
    """Add the subcommands pairs, identity and sheet."""
    kinds = parser.add_subparsers(title="kinds", dest="kind", required=True)

    def kind(name, text):
        sub = kinds.add_parser(
            name, help=text, description=text, formatter_class=parser.formatter_class
        )
        sub.add_argument("manifest", help="CSV written by make_manifest.py, or of that format")
        return sub

    pairs = kind("pairs", "query and reference in one Datum, labelled by expression, fold by fold")
    pairs.add_argument("-o", "--output", help="folder to write; by default data/PROTOCOL")
    pairs.add_argument(
        "--protocol",
        choices=WITHIN,
        help="classes and folds of one of the paper's protocols; --classes and --folds by default "
        "are those of ck7. " + "; ".join(f"{name}: {PROTOCOLS[name].about}" for name in WITHIN),
    )
    pairs.add_argument(
        "--classes",
        help=f"{', '.join(CLASS_SETS)}, or names in the order of their labels: happy,sad,...",
    )
    pairs.add_argument("--folds", type=int, help="folds the subjects are dealt into")
    pairs.add_argument(
        "--fold",
        type=int,
        action="append",
        metavar="K",
        help="pack this fold, counted from 0; may be repeated; all by default",
    )
    pairs.add_argument(
        "--together", action="store_true", help="make the chosen folds one test set: fold0+1/"
    )
    pairs.add_argument(
        "--fold-sheet",
        metavar="CSV",
        dest="sheet",
        help="subject,fold: use these folds instead of dealing the subjects",
    )
    pairs.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave out neutral queries, which only the pair loss uses where neutral is no class",
    )
    _add_packing(pairs, copies=10)

    cross = kind("cross", "all of the manifest to train, all of another one to test")
    cross.add_argument(
        "--test",
        required=True,
        metavar="CSV",
        help="manifest to test on; images without a reference get the query in both channels",
    )
    cross.add_argument("-o", "--output", help="folder to write; by default data/PROTOCOL")
    cross.add_argument(
        "--protocol",
        choices=ACROSS,
        help="names the output; all have the classes of cross7 and leave contempt out. "
        + "; ".join(f"{name}: {PROTOCOLS[name].about}" for name in ACROSS),
    )
    _add_packing(cross, copies=10)

    identity = kind("identity", "single faces, labelled by identity, for the pre-trainings")
    identity.add_argument("-o", "--output", default="data/webface", help="folder to write")
    identity.add_argument(
        "--held-out", type=float, default=0.1, help="share of each identity for test_lmdb"
    )
    _add_packing(identity, copies=1)

    sheet = kind("sheet", "a picture of some faces as they would be packed")
    sheet.add_argument("-o", "--output", required=True, metavar="PNG", help="picture to write")
    sheet.add_argument("--rows", type=int, default=6, help="rows of the manifest to show")
    _add_common(sheet, "pictures of each face, the first as it is", copies=6)


def _add_packing(parser, copies):
    _add_common(parser, "records per train image, the first as it is", copies)
    parser.add_argument("--workers", type=int, default=cores(), help="worker processes")
    parser.add_argument(
        "--skip-failures",
        action="store_true",
        help="leave out rows whose images are missing, broken or show no face",
    )


def _add_common(parser, what, copies):
    parser.add_argument("--copies", type=int, default=copies, help=what)
    parser.add_argument("--seed", type=int, default=0, help="of shuffle and augmentation")
    parser.add_argument(
        "--detector-model",
        metavar="FILE",
        dest="detector",
        help="YuNet model for images without landmarks; by default the landmarks extra's",
    )


def run(args):
    """Run one of the subcommands."""
    options = vars(args).copy()
    kinds = {"pairs": _pairs, "cross": _cross, "identity": _identity, "sheet": _sheet}
    kinds[options.pop("kind")](**options)


def _pairs(manifest, output, protocol, classes, folds, fold, together, **options):
    preset = PROTOCOLS[protocol or "ck7"]
    output = output or _default_output(protocol or classes or "ck7")
    options.update(
        folds=preset.folds if folds is None else folds,
        only=preset.only if fold is None else fold,
        together=together or preset.together,
    )
    names = parse_classes(classes) if classes else preset.classes
    _report(pack_pairs(manifest, output, names, **options))


def _cross(manifest, test, output, protocol, **options):
    preset = PROTOCOLS[protocol or ACROSS[0]]
    if not output and not protocol:
        raise UsageError(f"-o: wanted a folder to write, or --protocol {'|'.join(ACROSS)}")
    output = output or Path("data") / protocol
    _report(pack_cross(manifest, test, output, preset.classes, drop=preset.drop, **options))


def _identity(manifest, output, **options):
    _report(pack_identities(manifest, output, **options))


def _sheet(manifest, output, **options):
    write_contact_sheet(manifest, output, **options)
    print(output)


def _report(packed):
    for path, facts in packed.lmdbs.items():
        labels = f"labels {min(facts.labels)}..{max(facts.labels)}"
        print(f"{path}: {facts.count} records, {labels}, sha256 {facts.sha256[:16]}")
    if packed.left_out:
        print(f"left out: {len(packed.left_out)} rows, listed in {TABLE} and {SHEET}")


def _default_output(classes):
    if classes not in WITHIN:
        raise UsageError(f"-o: wanted a folder to write; only {', '.join(WITHIN)} have their own")
    return Path("data") / classes
