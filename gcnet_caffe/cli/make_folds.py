"""Divide a manifest's subjects into folds; write a table (CSV: subject,fold) that you can cite.

The subjects are sorted by ID; of F folds, fold k gets the subjects k, k+F, k+2F, ...
`gcnet make-lmdb pairs --fold-table` packs a table's folds; `gcnet describe --fold-table` checks it.
"""

from __future__ import annotations

import argparse

from gcnet_caffe.datasets.expressions import labels_of
from gcnet_caffe.datasets.folds import assign_folds, fold_table_text, subjects_of
from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.datasets.protocols import PROTOCOLS, WITHIN
from gcnet_caffe.files import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifest", metavar="MANIFEST", help="CSV of `gcnet make-manifest`, or of that format"
    )
    parser.add_argument(
        "--protocol",
        choices=WITHIN,
        default="ck7",
        help="; ".join(f"{name}: {PROTOCOLS[name].about}" for name in WITHIN),
    )
    parser.add_argument("--folds", type=int, help="number of folds; default: the protocol's")
    parser.add_argument(
        "-o", "--output", required=True, metavar="CSV", help="file to write, such as folds/ck7.csv"
    )


def run(args: argparse.Namespace) -> None:
    protocol = PROTOCOLS[args.protocol]
    rows = read_manifest(args.manifest)
    subjects = subjects_of(rows, args.manifest)
    labels = labels_of(rows, protocol.classes, args.manifest)
    table = assign_folds(subjects, protocol.folds if args.folds is None else args.folds)
    write_text(args.output, fold_table_text(table))
    scored = [label < len(protocol.classes) for label in labels]
    print(
        f"{args.output}: {len(table)} subjects, {sum(scored)} images to test on, "
        f"{len(rows) - sum(scored)} neutral queries for training only"
    )
    for fold in range(max(table.values()) + 1):
        members = [subject for subject, of in table.items() if of == fold]
        tested = sum(score and table[subject] == fold for score, subject in zip(scored, subjects))
        print(f"fold {fold}: {len(members)} subjects, {tested} images: {' '.join(members)}")
