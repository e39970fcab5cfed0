"""Other manifests: checks one or more, and writes them as one."""

from gcnet_caffe.data.manifest import read_manifest
from gcnet_caffe.data.readers.survey import Survey


def add_arguments(parser):
    """Add this reader's options."""
    parser.add_argument("manifests", nargs="+", metavar="CSV", help="manifests to read")


def read(manifests):
    """Read each of `manifests` (paths) and return (rows, `Survey`)."""
    return [row for path in manifests for row in read_manifest(path)], Survey()
