"""Write a run's report: one HTML page that needs no network, its numbers as CSV and JSON beside it.

The page is the first run's. Further runs fill tables II to VI of the paper, figure 11 and the
comparison of settings; a synthetic run never fills a table of the paper. Pieces that a run lacks
are explained in their place.
"""

from gcnet_caffe.report import write_report


def add_arguments(parser):
    """Add the runs and the page."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run: its results.json")
    parser.add_argument("-o", "--output", metavar="HTML", help="page to write; RUN/report.html")


def run(args):
    """Write the page and print its path."""
    print(write_report(args.runs, args.output))
