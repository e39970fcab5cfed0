"""Real Caffe as a subprocess: `caffe` on PATH, or the image's through docker/caffe."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.log import fatal_message, parse_progress
from gcnet_caffe.formats.snapshots import snapshot_files

#: Of the checkout that this package is in, if it is in one.
_LAUNCHER = Path(__file__).resolve().parents[2] / "docker" / "caffe"


def launcher() -> list[str]:
    """Return the words of a command line before a program's name: none where `caffe` is on PATH.

    Raises
    ------
    GcnetError
        There is neither `caffe` nor docker/caffe of a checkout: that of this package, or one that
        the current folder is in.
    """
    if shutil.which("caffe"):
        return []
    here = Path.cwd()
    for path in (_LAUNCHER, *(folder / "docker" / "caffe" for folder in (here, *here.parents))):
        # what others left in a folder above, such as /tmp, is not run
        if path.is_file() and (path == _LAUNCHER or path.stat().st_uid in (0, os.getuid())):
            return [str(path)]
    raise GcnetError(
        "Caffe not found: put `caffe` on PATH, or run in a checkout after `make image`"
    )


def train(
    solver: str | Path,
    log: str | Path,
    weights: Sequence[str | Path] = (),
    snapshot: str = "",
    gpu: int | None = None,
    discriminator_solver: str | None = None,
) -> Path:
    """Run `caffe train`.

    Parameters
    ----------
    solver : path
        The solver's prototxt.
    log : path
        File to write what Caffe prints to.
    weights : sequence of path
        .caffemodel files to start from; layers take theirs by name.
    snapshot : str
        .solverstate to resume from; the log is then appended to.
    gpu : int, optional
        Number of the GPU; by default the CPU.
    discriminator_solver : str, optional
        The solver of a second net: the two train in turns (two_players.py), and `snapshot` is two
        files, separated by a comma.

    Returns
    -------
    Path
        The weights of the last iteration.

    Raises
    ------
    GcnetError
        Caffe failed; the message has its own last words.
    """
    settings = read_solver(solver)
    flags: dict[str, object] = {
        "-solver": solver,
        "-discriminator_solver": discriminator_solver,
        "-weights": ",".join(map(str, weights)),
        "-snapshot": snapshot,
        "-gpu": gpu,
    }
    given = [str(word) for flag in flags.items() if flag[1] not in (None, "") for word in flag]
    if discriminator_solver:
        command = python_command("gcnet_caffe.real_caffe.two_players", *given)
    else:
        command = [*launcher(), "caffe", "train", *given]
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a" if snapshot else "w", encoding="utf-8") as lines:
        with subprocess.Popen(
            command,
            encoding="utf-8",
            errors="replace",  # Caffe prints the bytes of a prototxt as they are
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout
            _follow(process.stdout, lines, settings.max_iter)
    if process.returncode:
        words = last_words(Path(log).read_text(encoding="utf-8", errors="replace"))
        raise GcnetError(f"caffe train -solver {solver}: {words} (log: {log})")
    return Path(snapshot_files(settings, settings.max_iter).model)


def python_command(module: str, *args: object) -> list[str]:
    """Return the command line of `python3 -m module args` where pycaffe is.

    Raises
    ------
    GcnetError
        As `launcher`.
    """
    return [*launcher(), "python3", "-m", module, *map(str, args)]


def last_words(printed: str) -> str:
    """Return the line that says why a program stopped, of all that it printed."""
    lines = printed.strip().splitlines() or ["no output"]
    return next(filter(None, map(fatal_message, lines)), lines[-1])


def mounted(folder: Path) -> dict[str, str]:
    """Return the environment variable that makes programs of the image see `folder`, too."""
    before = os.environ.get("GCNET_MOUNT")
    return {"GCNET_MOUNT": f"{before}:{folder}" if before else str(folder)}


def _follow(stream: Iterable[str], lines: TextIO, max_iter: int) -> None:
    with tqdm(total=max_iter, unit="it", disable=None, leave=False) as bar:
        for line in stream:
            lines.write(line)
            lines.flush()
            found = parse_progress(line)
            if found and found.loss is not None:
                bar.update(found.iteration - bar.n)
                bar.set_postfix_str(f"loss {found.loss:g}")
