"""Write a run's report: one HTML page that needs no network, and its numbers as CSV and JSON.

The page is about the first run. Further runs fill tables II to VI of the paper, figure 11 and the
comparison of settings; a run on synthetic faces never fills a table of the paper. Where a run lacks
something, the page says why.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run")
    parser.add_argument(
        "-o", "--output", metavar="HTML", help="file to write; default: RUN/report.html"
    )


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.report import write_report

    print(write_report(args.runs, args.output))
