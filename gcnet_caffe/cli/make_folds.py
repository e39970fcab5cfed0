"""Deal a manifest's subjects into folds and write them as a sheet (CSV: subject,fold) to cite.

Subjects in ascending ID order; fold k takes the subjects k, k+F, k+2F, ... of F folds.
`make_lmdb.py pairs --fold-sheet` packs a sheet's folds; `describe.py --fold-sheet` checks one.
"""

from gcnet_caffe.datasets.expressions import labels_of
from gcnet_caffe.datasets.folds import assign_folds, fold_sheet, subjects_of
from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.datasets.protocols import PROTOCOLS, WITHIN
from gcnet_caffe.files import write_text


def add_arguments(parser):
    """Add the manifest, the protocol, and where to write."""
    parser.add_argument("manifest", help="CSV written by make_manifest.py, or of that format")
    parser.add_argument(
        "--protocol",
        choices=WITHIN,
        default="ck7",
        help="; ".join(f"{name}: {PROTOCOLS[name].about}" for name in WITHIN),
    )
    parser.add_argument("--folds", type=int, help="another number of folds than the protocol's")
    parser.add_argument("-o", "--output", required=True, metavar="CSV", help="folds/ck7.csv, say")


def run(args):
    """Write the sheet, print what each fold tests on."""
    protocol = PROTOCOLS[args.protocol]
    rows = read_manifest(args.manifest)
    subjects = subjects_of(rows, args.manifest)
    labels = labels_of(rows, protocol.classes, args.manifest)
    sheet = assign_folds(subjects, protocol.folds if args.folds is None else args.folds)
    write_text(args.output, fold_sheet(sheet))
    scored = [label < len(protocol.classes) for label in labels]
    print(
        f"{args.output}: {len(sheet)} subjects, {sum(scored)} images to test on, "
        f"{len(rows) - sum(scored)} neutral queries to train only"
    )
    for fold in range(max(sheet.values()) + 1):
        members = [subject for subject, of in sheet.items() if of == fold]
        tested = sum(score and sheet[subject] == fold for score, subject in zip(scored, subjects))
        print(f"fold {fold}: {len(members)} subjects, {tested} images: {' '.join(members)}")
