"""Shared by the scripts beside it: run a verb of the `gcnet` command."""

import sys

try:
    from gcnet_caffe.cli import main
except ModuleNotFoundError as error:
    sys.exit(f"{error}: run `make setup` and `. .venv/bin/activate`, or `pip install -e .`")


def run(verb):
    """Run `gcnet VERB` with this script's arguments."""
    sys.exit(main([verb, *sys.argv[1:]]))
