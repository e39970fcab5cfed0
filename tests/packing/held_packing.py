"""`gcnet make-lmdb` whose workers stop after some shards until they are let go.

    python -m tests.packing.held_packing SHARDS GO make-lmdb ...

Each worker waits before its next shard until there is a file GO.
"""

from __future__ import annotations

import functools
import itertools
import sys
import time
from pathlib import Path
from typing import Any

from gcnet_caffe import cli
from gcnet_caffe.packing import pack as packing

_made = itertools.count()


def _held(make: Any, shards: int, go: str, task: Any) -> Any:
    while next(_made) >= shards and not Path(go).exists():
        time.sleep(0.005)
    return make(task)


if __name__ == "__main__":
    shards, go, *words = sys.argv[1:]
    packing.make_shard = functools.partial(_held, packing.make_shard, int(shards), go)
    sys.argv = ["gcnet", *words]
    sys.exit(cli.main())
