"""LMDBs from the work folder to their places, so that a kill in between can be made good."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from gcnet_caffe.errors import UsageError
from gcnet_caffe.files import write_text
from gcnet_caffe.formats.lmdb_file import LmdbFacts


class Publication:
    """The LMDBs `paths` (relative to `out`) on their way out of the work folder.

    A file in the work folder tells that all of them were written and verified. From then on each of
    them is either there or at its place; before, all that lies there is worthless.
    """

    def __init__(self, folder, out, paths):
        self._folder, self._verified = Path(folder, "lmdbs"), Path(folder, "verified.json")
        self._out, self._paths = Path(out), paths

    def check_free(self):
        """Raise a UsageError if an LMDB exists, and not because this was cut off while moving."""
        if not self._verified.exists():
            for path in self._paths:
                self._check_free(path)

    def facts(self, shards):
        """The `LmdbFacts` by path, where the LMDBs of just these shards are verified, or None."""
        try:
            known = json.loads(self._verified.read_text())
        except FileNotFoundError:
            return None
        here = (self.scratch(path).exists() != (self._out / path).exists() for path in self._paths)
        if known["shards"] == _digest(shards) and all(here):
            return {path: _facts(**known["lmdbs"][path]) for path in self._paths}
        self._verified.unlink()
        self.check_free()
        return None

    def scratch(self, path):
        """Where to write the LMDB that will be at `path`."""
        return self._folder / path

    def verified(self, shards, facts):
        """Note that all LMDBs are written and verified."""
        lmdbs = {path: asdict(facts[path]) for path in self._paths}
        write_text(self._verified, json.dumps({"shards": _digest(shards), "lmdbs": lmdbs}))

    def move(self):
        """Move the LMDBs to their places."""
        for path in self._paths:
            if self.scratch(path).exists():
                self._check_free(path)
                (self._out / path).parent.mkdir(parents=True, exist_ok=True)
                os.rename(self.scratch(path), self._out / path)

    def _check_free(self, path):
        if (self._out / path).exists():
            raise UsageError(f"{self._out / path}: exists already; remove it or give another path")


def _digest(shards):
    return hashlib.sha256("\n".join(path.name for path in shards).encode()).hexdigest()


def _facts(count, shapes, labels, sha256):
    labels = {int(label): number for label, number in labels.items()}
    return LmdbFacts(count, tuple(map(tuple, shapes)), labels, sha256)
