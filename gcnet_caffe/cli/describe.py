"""Count and draw what a manifest holds: classes, folds, image sizes, landmarks."""

from pathlib import Path

from gcnet_caffe.datasets.statistics import count_manifest, draw_statistics, statistics_text


def add_arguments(parser):
    """Add the manifest and what to write."""
    parser.add_argument("manifest", help="CSV written by make_manifest.py, or of that format")
    parser.add_argument("-o", "--output", metavar="PNG", help="draw them too")
    parser.add_argument("--folds", type=int, default=10, help="folds the subjects are dealt into")
    parser.add_argument(
        "--fold-sheet", metavar="CSV", help="check and show these folds (make_folds.py's) instead"
    )
    parser.add_argument("--sample", type=int, default=500, help="images to open for their sizes")


def run(args):
    """Print the counts, draw them."""
    found = count_manifest(args.manifest, args.folds, args.sample, args.fold_sheet)
    print(statistics_text(found))
    if args.output:
        draw_statistics(found, args.output, Path(args.manifest).name)
        print(args.output)
