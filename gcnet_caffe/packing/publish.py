"""Moving LMDBs from the work folder to their places; after a kill the same command continues."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gcnet_caffe.errors import UsageError
from gcnet_caffe.files import write_text
from gcnet_caffe.formats.lmdb_file import LmdbFacts
from gcnet_caffe.packing.shards import shards_digest


class Publication:
    """The LMDBs of a packing, first in the work folder, then at their places.

    A file in the work folder says that all of them were written and verified. From then on each is
    either in the work folder or at its place; before, LMDBs in the work folder are incomplete.

    Parameters
    ----------
    folder : Path
        The work folder.
    out : Path
        The output folder.
    paths : sequence of str
        The LMDBs, relative to `out`.
    """

    def __init__(self, folder: Path, out: Path, paths: Sequence[str]) -> None:
        self._folder, self._verified = Path(folder, "lmdbs"), Path(folder, "verified.json")
        self._out, self._paths = Path(out), paths

    def check_free(self) -> None:
        """Check that no LMDB exists yet, unless a packing was cut off while it moved them.

        Raises
        ------
        UsageError
        """
        if not self._verified.exists():
            for path in self._paths:
                self._check_free(path)

    def facts(self, shards: Sequence[Path]) -> dict[str, LmdbFacts] | None:
        """Return the facts of the LMDBs that were written and verified.

        Parameters
        ----------
        shards : sequence of Path
            The shards that the LMDBs must have been made from.

        Returns
        -------
        dict of str to LmdbFacts, or None
            By path; None if there are no such LMDBs.
        """
        try:
            known = json.loads(self._verified.read_text())
        except FileNotFoundError:
            return None
        here = (self.scratch(path).exists() != (self._out / path).exists() for path in self._paths)
        if known["shards"] == shards_digest(shards) and all(here):
            return {path: _facts(**known["lmdbs"][path]) for path in self._paths}
        self._verified.unlink()
        self.check_free()
        return None

    def scratch(self, path: str) -> Path:
        """Return where to write the LMDB that will be at `path`."""
        return self._folder / path

    def verified(self, shards: Sequence[Path], facts: Mapping[str, LmdbFacts]) -> None:
        """Record that all LMDBs, of these shards, are written and verified.

        Parameters
        ----------
        shards : sequence of Path
            What they were made from.
        facts : dict of str to LmdbFacts
            By path.
        """
        lmdbs = {path: asdict(facts[path]) for path in self._paths}
        write_text(self._verified, json.dumps({"shards": shards_digest(shards), "lmdbs": lmdbs}))

    def move(self) -> None:
        """Move the LMDBs to their places.

        Raises
        ------
        UsageError
            Another LMDB is there.
        """
        for path in self._paths:
            if self.scratch(path).exists():
                self._check_free(path)
                (self._out / path).parent.mkdir(parents=True, exist_ok=True)
                os.rename(self.scratch(path), self._out / path)

    def _check_free(self, path: str) -> None:
        if (self._out / path).exists():
            raise UsageError(f"{self._out / path}: exists already; remove it or give another path")


def _facts(count: int, shapes: Any, labels: Mapping[str, int], sha256: str) -> LmdbFacts:
    """`LmdbFacts` from JSON, which has lists, and text as keys."""
    numbers = {int(label): number for label, number in labels.items()}
    return LmdbFacts(count, tuple(map(tuple, shapes)), numbers, sha256)
