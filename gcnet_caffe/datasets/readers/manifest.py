"""Other manifests: checks one or more, and writes them as one.

Where several data sets are joined (the column source), each subject is named SOURCE:SUBJECT: S005
of one set is not S005 of another.
"""

from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.datasets.readers.survey import Survey


def add_arguments(parser):
    """Add this reader's options."""
    parser.add_argument("manifests", nargs="+", metavar="CSV", help="manifests to read")
    parser.add_argument(
        "--keep-subjects",
        action="store_true",
        help="keep the subject ids as they are: all sources show the same people",
    )


def read(manifests, keep_subjects=False):
    """Read each of `manifests` (paths) and return (rows, `Survey`)."""
    rows = [row for path in manifests for row in read_manifest(path)]
    survey = Survey()
    if len({row.source for row in rows}) > 1 and not keep_subjects:
        rows = [row._replace(subject=_qualified(row)) for row in rows]
        survey.noted["subjects named SOURCE:SUBJECT"] = len({row.subject for row in rows} - {""})
    return rows, survey


def _qualified(row):
    prefix = f"{row.source}:"
    if not row.subject or row.subject.startswith(prefix):
        return row.subject
    return prefix + row.subject
