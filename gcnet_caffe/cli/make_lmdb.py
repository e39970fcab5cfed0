"""Align, augment and pack the faces of a manifest into LMDBs that Caffe reads."""

from pathlib import Path

from gcnet_caffe.data.expressions import CLASS_SETS, parse_classes
from gcnet_caffe.data.pack import pack_identities, pack_pairs
from gcnet_caffe.data.parallel import cores
from gcnet_caffe.errors import UsageError


def add_arguments(parser):
    """Add the subcommands pairs and identity."""
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
    _add_common(pairs, copies=10)

    identity = kind("identity", "single faces, labelled by identity, for the pre-trainings")
    identity.add_argument("-o", "--output", default="data/webface", help="folder to write")
    identity.add_argument(
        "--held-out", type=float, default=0.1, help="share of each identity for test_lmdb"
    )
    _add_common(identity, copies=1)


def _add_common(parser, copies):
    parser.add_argument(
        "--copies", type=int, default=copies, help="records per train image, the first as it is"
    )
    parser.add_argument("--seed", type=int, default=0, help="of shuffle and augmentation")
    parser.add_argument("--workers", type=int, default=cores(), help="worker processes")
    parser.add_argument(
        "--detector-model",
        metavar="FILE",
        help="YuNet model for images without landmarks; by default the landmarks extra's",
    )
    parser.add_argument(
        "--skip-failures",
        action="store_true",
        help="leave out rows whose images are missing, broken or show no face",
    )


def run(args):
    """Pack, and print what each LMDB holds."""
    common = {
        "copies": args.copies,
        "seed": args.seed,
        "workers": args.workers,
        "detector": args.detector_model,
        "skip_failures": args.skip_failures,
    }
    if args.kind == "identity":
        packed = pack_identities(args.manifest, args.output, held_out=args.held_out, **common)
    else:
        packed = pack_pairs(
            args.manifest,
            args.output or _default_output(args.classes),
            parse_classes(args.classes),
            folds=args.folds,
            only=args.fold,
            neutral_queries=args.neutral_queries,
            **common,
        )
    for path, facts in packed.lmdbs.items():
        labels = f"labels {min(facts.labels)}..{max(facts.labels)}"
        print(f"{path}: {facts.count} records, {labels}, sha256 {facts.sha256[:16]}")
    if packed.left_out:
        print(f"left out: {len(packed.left_out)} rows, listed in packed.json")


def _default_output(classes):
    if classes not in CLASS_SETS:
        raise UsageError("-o: wanted a folder to write; only ck7 and ck8 have one of their own")
    return Path("data") / classes
