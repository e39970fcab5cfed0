"""`python -m gcnet_caffe.cli`: the same as `gcnet`, for torchrun and the like."""

import sys

from gcnet_caffe.cli import main

sys.exit(main())
