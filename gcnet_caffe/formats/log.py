"""The lines of Caffe's training log: written, read into series, drawn.

Source: Caffe src/caffe/solver.cpp (Step, Test). The lines of NVCaffe and of Windows are read too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat

from gcnet_caffe.errors import GcnetError, UsageError, extra
from gcnet_caffe.files import atomic
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
    try:
        return float(text)
    except ValueError:
        pass
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
        raise GcnetError(f"{path}: holds no line of a Caffe training log")
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


#: Line and marker of a test net, by its number.
_TEST_STYLES = (("--", "o"), (":", "s"), ("-.", "^"), ("--", "v"), (":", "D"))
_MANY = 10  # values of one output, above which they share a colour and an entry of the legend


def draw_log(path: str | Path, out: str | Path) -> None:
    """Draw every series of the log at `path` into the picture `out`: losses, then the rest.

    A value that is not a number leaves a gap.

    Raises
    ------
    GcnetError
        The file has no line of a training log.
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg; or Matplotlib is not installed.
    """
    plt = import_pyplot()
    series = read_log(path)
    losses = [key for key in series if "loss" in key[1]]
    panels = [keys for keys in (losses, [k for k in series if k not in losses]) if keys]
    labels = [_labels(keys) for keys in panels]
    height = max(4.0, 1 + 0.16 * max(len(set(each.values())) for each in labels))
    figure, axes = plt.subplots(1, len(panels), figsize=(7 * len(panels), height), squeeze=False)
    for axis, keys, names in zip(axes[0], panels, labels):
        _draw_panel(axis, {key: series[key] for key in keys}, names, keys is losses)
    figure.tight_layout()
    save_figure(figure, out, dpi=100)


def _labels(keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the legend's entry of each key; many values of one output share theirs."""
    groups: dict[tuple[str, str], list[str]] = {}
    for phase, name in keys:
        groups.setdefault((phase, re.sub(r"\[\d+\]$", "", name)), []).append(name)
    found = {}
    for (phase, _), names in groups.items():
        for name in names:
            shown = f"{names[0]} to {names[-1]}" if len(names) > _MANY else name
            found[phase, name] = f"{shown} ({phase.lower()})"
    return found


def _draw_panel(
    axis: Any, series: Series, labels: dict[tuple[str, str], str], is_loss: bool
) -> None:
    colours: dict[str, int] = {}
    seen: set[str] = set()
    for key in sorted(series, key=lambda key: (_by_number(key[1]), _by_number(key[0]))):
        phase, name = key
        values = [value if math.isfinite(value) else math.nan for _, value in series[key]]
        many = " to " in labels[key]
        colour = colours.setdefault(labels[key].rsplit(" (", 1)[0], len(colours))
        marked: list[int] | None = _alone(values)
        line, marker = "-", "o"
        if phase != "Train":
            number = int("".join(re.findall(r"\d+", phase)) or 0)
            line, marker = _TEST_STYLES[number % len(_TEST_STYLES)]
            marked = None
        axis.plot(
            [iteration for iteration, _ in series[key]],
            values,
            line,
            color=f"C{colour}",
            marker=marker,
            markevery=marked,
            ms=3,
            lw=0.5 if many else 1,
            label="_" if labels[key] in seen else labels[key],
        )
        seen.add(labels[key])
    shown = [v for points in series.values() for _, v in points if math.isfinite(v)]
    if is_loss and shown and min(shown) >= 0 and max(shown) > 0:
        axis.set_yscale("log")
    iterations = [iteration for points in series.values() for iteration, _ in points]
    first, last = min(iterations), max(iterations)
    if first < last:  # also where gaps are
        axis.set_xlim(first - 0.05 * (last - first), last + 0.05 * (last - first))
    axis.set_xlabel("iteration")
    axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))


def _by_number(name: str) -> list[Any]:
    """Return a key that sorts 'a[2]' before 'a[10]'."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _alone(values: list[float]) -> list[int]:
    """Return the places of numbers without a number beside them: no line would show them."""
    numbers = [False, *map(math.isfinite, values), False]
    return [i for i in range(len(values)) if numbers[i : i + 3] == [False, True, False]]


def import_pyplot() -> Any:
    """Return matplotlib.pyplot without a screen; a UsageError where it is not installed."""
    with extra("plot", "drawing"):
        import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def save_figure(figure: Any, out: str | Path, dpi: int) -> None:
    """Write a Matplotlib `figure` to `out` (replacing it), whole or not at all, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    out : str or Path
    dpi : int
        Pixels per inch.

    Raises
    ------
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg.
    """
    kind = Path(out).suffix.lower().lstrip(".")
    try:
        if kind not in ("png", "jpg", "pdf", "svg"):
            raise UsageError(f"{out}: wanted a name that ends in .png, .jpg, .pdf or .svg")
        with atomic(out, overwrite=True) as scratch:
            figure.savefig(scratch, dpi=dpi, format=kind)
    finally:
        import_pyplot().close(figure)
