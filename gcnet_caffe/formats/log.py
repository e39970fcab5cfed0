"""The lines of Caffe's training log: written, and read into series.

Source: Caffe src/caffe/solver.cpp (Step, Test). The lines of NVCaffe and of Windows are read too.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, SupportsFloat

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.text import check_name, wide_encoding

_ITERATION = re.compile(r"(?:(?:^|\] )(\w+): )?\bIteration (\d+)\b(.*)")
_LOSS = re.compile(r"^[^=]*\bloss = ([^\s,;]+)")
_TESTING = re.compile(r"^[^=]*\bTesting net(?: \(#(\d+)\))?")
_OUTPUT = re.compile(r"(Train|Test) net output #(\d+): (.+?) = (\S+)")
_DISPLAYED = re.compile(r"^I\d{4} (\S+) .*\] Iteration \d+ \(.*loss = ", re.M)
_FATAL = re.compile(r"F\d{4} .*?\] (.*)")

Series = dict[tuple[str, str], list[tuple[int, float]]]


def number(value: SupportsFloat) -> str:
    """Return `value` as C++ streams print a float: six significant digits."""
    return f"{float(value):.6g}"


def loss_line(iteration: int, loss: SupportsFloat) -> str:
    """Return the line of the last iteration's loss."""
    return f"Iteration {iteration}, loss = {number(loss)}"


def display_line(
    iteration: int, loss: SupportsFloat, rate: float, seconds: float, display: int
) -> str:
    """Return the line that comes every `display` iterations.

    Parameters
    ----------
    iteration : int
    loss : float
        The smoothed one.
    rate : float
        Iterations per second.
    seconds : float
        Since the last such line.
    display : int
    """
    pace = f"{number(rate)} iter/s, {number(seconds)}s/{display} iters"
    return f"Iteration {iteration} ({pace}), loss = {number(loss)}"


def rate_line(iteration: int, rate: SupportsFloat) -> str:
    """Return the line of an iteration's learning rate."""
    return f"Iteration {iteration}, lr = {number(rate)}"


def before_test_line(iteration: int, index: int) -> str:
    """Return the line before the outputs of test net `index`."""
    return f"Iteration {iteration}, Testing net (#{index})"


def output_lines(
    phase: str, outputs: Mapping[str, Iterable[float]], loss_weights: Mapping[str, float]
) -> list[str]:
    """Return the lines of a net's outputs, one per value, numbered through.

    Parameters
    ----------
    phase : str
        'Train net' or 'Test net'; empty for the form of `caffe test`.
    outputs : dict
        Blob name -> its values, in the order that Caffe prints them.
    loss_weights : dict
        Blob name -> weight of those outputs that are losses.
    """
    lines: list[str] = []
    for name, values in outputs.items():
        for value in values:
            line = f"{name} = {number(value)}"
            if phase:
                line = f"    {phase} output #{len(lines)}: {line}"
            weight = loss_weights.get(name)
            if weight:
                line += f" (* {number(weight)} = {number(weight * value)} loss)"
            lines.append(line)
    return lines


class Progress(NamedTuple):
    """What a line says of an iteration.

    Attributes
    ----------
    iteration : int
    speaker : str
        The solver that writes, where two train in turns; else empty.
    loss : float or None
        None where the line has no loss.
    test_net : int or None
        The number of the test net whose outputs follow.
    """

    iteration: int
    speaker: str
    loss: float | None
    test_net: int | None


def parse_progress(line: str) -> Progress | None:
    """Return what a log's `line` says of an iteration, or None where it has none."""
    found = _ITERATION.search(line)
    if not found:
        return None
    speaker, iteration, rest = found.groups()
    loss, testing = _LOSS.search(rest), _TESTING.search(rest)
    return Progress(
        int(iteration),
        speaker or "",
        parse_number(loss[1]) if loss else None,
        int(testing[1] or 0) if testing else None,
    )


def text_before(text: str, iteration: int) -> str:
    """Return the whole lines of a log before the first one of `iteration` or a later one."""
    kept = []
    for line in text.splitlines(keepends=True):
        progress = parse_progress(line)
        if (progress and progress.iteration >= iteration) or not line.endswith("\n"):
            break
        kept.append(line)
    return "".join(kept)


def display_times(text: str) -> list[str]:
    """Return the times of day (``"23:59:59.123456"``) of the lines of `display_line` in a log."""
    return _DISPLAYED.findall(text)


def fatal_message(line: str) -> str | None:
    """Return what glog's `line` of a fatal error says, or None where it is no such line."""
    found = _FATAL.match(line)
    return found[1] if found else None


def parse_number(text: str) -> float | None:
    """Return the number that a C++ stream printed as `text`, or None where it is not one.

    Values that are not a number are printed as nan, -nan, -nan(ind), and by Windows as 1.#QNAN,
    -1.#IND, 1.#INF.
    """
    with contextlib.suppress(ValueError):
        return float(text)
    if re.match(r"[+-]?\d\.#INF", text):
        return -math.inf if text.startswith("-") else math.inf
    return math.nan if re.match(r"[+-]?(\d\.#|nan\()", text, re.I) else None


def read_log(path: str | Path) -> Series:
    """Return {(phase, name): [(iteration, value), ...]} of the log at `path`.

    `phase` is 'Train' or 'Test', 'Test net #1' for the second test net and so on. `name` is
    'total loss' or an output of the net, followed by '[0]', '[1]' where it has several values (one
    per class); where two solvers train in turns (engine/alternation.py), also 'discriminator total
    loss'. Values may be nan or inf. The iterations rise: where training was resumed or started
    again, the new values replace the old ones from that iteration on. A last line without its end
    is left out: it is still being written.

    Raises
    ------
    GcnetError
        The file has no line of a training log; or its name has a NUL character.
    """
    found: dict[tuple[str, str, int], list[tuple[int, float]]] = {}
    iteration, test, seen = 0, "Test", dict[str, int]()

    def add(phase: str, name: str, index: int, value: float | None) -> None:
        points = found.setdefault((phase, name, index), [])
        while points and points[-1][0] >= iteration:
            points.pop()
        if value is not None:
            points.append((iteration, value))

    for line in _lines(path):
        progress = parse_progress(line)
        if progress:
            iteration = progress.iteration
            if progress.test_net is not None:
                test = f"Test net #{progress.test_net}" if progress.test_net else "Test"
            if progress.loss is not None:
                add("Train", f"{progress.speaker} total loss".lstrip(), 0, progress.loss)
        output = _OUTPUT.search(line)
        if output:
            phase, place, name, value = output.groups()
            if place == "0":
                seen.clear()
            seen[name] = seen.get(name, -1) + 1
            add(test if phase == "Test" else phase, name, seen[name], parse_number(value))
    if not any(found.values()):
        raise GcnetError(f"{path}: has no line of a Caffe training log")
    several = {(phase, name) for phase, name, index in found if index}
    return {
        (phase, f"{name}[{index}]" if (phase, name) in several else name): points
        for (phase, name, index), points in found.items()
        if points
    }


def _lines(path: str | Path) -> Iterator[str]:
    """Yield the whole lines of a text file: UTF-8, or UTF-16 as PowerShell's `>` writes it."""
    check_name(path, GcnetError)
    with open(path, "rb") as stream:
        start = stream.read(4)
    encoding = wide_encoding(start).lower() or "utf-8-sig"
    if encoding == "utf-16" and 0 in start[:2]:  # without a byte-order mark
        encoding += "-be" if start[0] == 0 else "-le"
    with open(path, encoding=encoding, errors="replace") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield line
