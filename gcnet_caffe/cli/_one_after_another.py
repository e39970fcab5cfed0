"""Run jobs, each some verbs, one after another in one process: what they import is imported once.

Standard input is a JSON list of jobs, each a list of verbs, each a list of words. Standard output
gets the time at which each job ended, in seconds of this machine's monotonic clock.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time

from gcnet_caffe.cli import exit_by_finally, main

signal.signal(signal.SIGTERM, exit_by_finally)
for job in json.load(sys.stdin):
    for words in job:
        with contextlib.redirect_stdout(sys.stderr):
            status = main(words)
        if status:
            sys.exit(status)
    print(time.monotonic(), flush=True)
