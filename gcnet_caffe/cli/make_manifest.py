"""List a data set's images, subjects, expressions and reference images in a manifest (CSV)."""

from __future__ import annotations

import argparse

from gcnet_caffe.datasets.readers import READERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    readers = parser.add_subparsers(title="readers", dest="reader", required=True)
    for name, reader in READERS.items():
        about = str(reader.__doc__)
        sub = readers.add_parser(
            name,
            description=about,
            help=about.splitlines()[0],
            formatter_class=parser.formatter_class,
        )
        reader.add_arguments(sub)
        sub.add_argument("-o", "--output", required=True, metavar="CSV", help="file to write")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.datasets.manifest import write_manifest

    options = {k: v for k, v in vars(args).items() if k not in ("reader", "output")}
    rows, survey = READERS[args.reader].read(**options)
    write_manifest(args.output, rows)
    print(f"{args.output}: {len(rows)} rows")
    print(survey.text(rows))
