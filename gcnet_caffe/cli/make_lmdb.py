"""Align, augment and pack the faces of a manifest into LMDBs that Caffe reads.

`sheet` draws the faces as they would be packed, to be looked at first.
"""

from pathlib import Path

from gcnet_caffe.data.contact_sheet import write_contact_sheet
from gcnet_caffe.data.expressions import CLASS_SETS, parse_classes
from gcnet_caffe.data.pack import pack_identities, pack_pairs
from gcnet_caffe.data.parallel import cores
from gcnet_caffe.errors import UsageError


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
    pairs.add_argument("-o", "--output", help="folder to write; by default data/CLASSES")
    pairs.add_argument(
        "--classes",
        default="ck7",
        help=f"{', '.join(CLASS_SETS)}, or names in the order of their labels: happy,sad,...",
    )
    pairs.add_argument("--folds", type=int, default=10, help="folds the subjects are dealt into")
    pairs.add_argument(
        "--fold",
        type=int,
        action="append",
        metavar="K",
        help="pack this fold, counted from 0; may be repeated; all by default",
    )
    pairs.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave out neutral queries, which only the pair loss uses where neutral is no class",
    )
    _add_packing(pairs, copies=10)

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
    {"pairs": _pairs, "identity": _identity, "sheet": _sheet}[options.pop("kind")](**options)


def _pairs(manifest, output, classes, fold, **options):
    output = output or _default_output(classes)
    _report(pack_pairs(manifest, output, parse_classes(classes), only=fold, **options))


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
        print(f"left out: {len(packed.left_out)} rows, listed in packed.json")


def _default_output(classes):
    if classes not in CLASS_SETS:
        raise UsageError("-o: wanted a folder to write; only ck7 and ck8 have one of their own")
    return Path("data") / classes
