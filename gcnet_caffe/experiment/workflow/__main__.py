"""Snakemake that ends when its work is done, or when the `gcnet run` that started it is killed."""

import os
import sys

from snakemake.cli import main

from gcnet_caffe import ends_with_parent

ends_with_parent.follow()
try:
    status = main()
except SystemExit as end:
    status = end.code
sys.stdout.flush()
sys.stderr.flush()
os._exit(int(status or 0))  # without waiting for Snakemake's timers, which have nothing to do
