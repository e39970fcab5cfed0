"""Caffe 1.0's training log, read into series."""

import re
from collections import defaultdict

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.text import refuse_wide

_ITERATION = re.compile(
    r"(?:\] (\w+): )?Iteration (\d+)(?: \(.*?\))?, (?:loss = (\S+)|Testing net)"
)
_OUTPUT = re.compile(r"(Train|Test) net output #\d+: (\S+) = (\S+)")


def read_log(path):
    """Return {(phase, name): [(iteration, value), ...]} of the log at `path`.

    `phase` is 'Train' or 'Test'; `name` is an output of the net, or 'total loss'; where two solvers
    train in turns (engine/alternation.py), also 'discriminator total loss'.

    Raises
    ------
    GcnetError
        The file holds no line of a training log.
    """
    series, iteration = defaultdict(list), 0
    refuse_wide(path, GcnetError)
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = _ITERATION.search(line)
            if found:
                speaker, iteration = found[1], int(found[2])
                if found[3]:
                    name = f"{speaker} total loss" if speaker else "total loss"
                    series["Train", name].append((iteration, float(found[3])))
            found = _OUTPUT.search(line)
            if found:
                series[found[1], found[2]].append((iteration, float(found[3])))
    if not series:
        raise GcnetError(f"{path}: holds no line of a Caffe training log")
    return dict(series)


def draw_log(path, out):
    """Draw every series of the log at `path` into the picture `out`: losses, then the rest."""
    plt = import_pyplot()
    series = read_log(path)
    losses = [key for key in series if "loss" in key[1]]
    others = [key for key in series if key not in losses]
    panels = [keys for keys in (losses, others) if keys]
    figure, axes = plt.subplots(1, len(panels), figsize=(7 * len(panels), 4), squeeze=False)
    for axis, keys in zip(axes[0], panels):
        names = sorted({name for _, name in keys})
        for phase, name in sorted(keys, key=lambda key: (key[1], key[0])):
            style = "--o" if phase == "Test" else "-"
            colour, label = f"C{names.index(name)}", f"{name} ({phase.lower()})"
            axis.plot(*zip(*series[phase, name]), style, color=colour, ms=3, lw=1, label=label)
        if keys is losses:
            axis.set_yscale("log")
        axis.set_xlabel("iteration")
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    figure.savefig(out, dpi=100)
    plt.close(figure)


def import_pyplot():
    """Return matplotlib.pyplot without a screen, or say how to get it."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise GcnetError("drawing needs Matplotlib: pip install 'gcnet-caffe[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
