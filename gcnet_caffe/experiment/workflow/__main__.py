"""Snakemake that ends when the `gcnet run` that started it is killed."""

import sys

from snakemake.cli import main

from gcnet_caffe import lifeline

lifeline.follow()
sys.exit(main())
