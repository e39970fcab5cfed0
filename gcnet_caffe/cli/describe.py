"""Count and draw what a manifest holds: classes, folds, image sizes, landmarks."""

from __future__ import annotations

import argparse
from pathlib import Path

OLD_SPELLINGS = {"--fold-sheet": "--fold-table"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifest", metavar="MANIFEST", help="CSV of `gcnet make-manifest`, or of that format"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="picture file to write: .png, .jpg, .pdf or .svg"
    )
    parser.add_argument("--folds", type=int, default=10, help="number of folds")
    parser.add_argument(
        "--fold-table",
        metavar="CSV",
        help="check and show the folds of this table (`gcnet make-folds`) instead",
    )
    parser.add_argument("--sample", type=int, default=500, help="images to open for their sizes")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.datasets.statistics import count_manifest, draw_statistics, statistics_text

    found = count_manifest(args.manifest, args.folds, args.sample, args.fold_table)
    print(statistics_text(found))
    if args.output:
        draw_statistics(found, args.output, Path(args.manifest).name)
        print(args.output)
