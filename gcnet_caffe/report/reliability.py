"""Whether a network is as often right as it says, before and after its calibration."""

from __future__ import annotations

from pathlib import Path

from gcnet_caffe.inference.model import Calibration
from gcnet_caffe.plotting import import_pyplot, save_figure
from gcnet_caffe.report.pictures import COLOURS, GREY, panels, style


def draw_reliability(found: Calibration, out: str | Path) -> None:
    """Draw accuracy over confidence, with the probabilities as they were and with the temperature.

    The area of a point shows how many predictions it has; the dotted line is the threshold.

    Parameters
    ----------
    found : Calibration
    out : path
        The picture to write, or to replace.

    Raises
    ------
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg; or Matplotlib is not installed.
    """
    import_pyplot()
    titles = "temperature 1", f"temperature {found['temperature']:.2f}"
    with style():
        figure, axes = panels(2, 2, (3.4, 3.4), legend=0.3)
        for axis, title, points, error in zip(axes, titles, found["reliability"], found["error"]):
            count, confidence, accuracy = zip(*points)
            axis.plot([0, 1], [0, 1], "--", color=GREY, lw=0.8)
            axis.plot(confidence, accuracy, color=COLOURS[5], lw=1.2)
            areas = [300 * n / found["images"] + 6 for n in count]
            axis.scatter(confidence, accuracy, areas, color=COLOURS[5])
            axis.axvline(found["threshold"], color=GREY, lw=0.8, ls=":")
            axis.set(title=f"{title}: mean distance {error:.3f}", xlabel="confidence")
            axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes[0].set_ylabel("share that is right")
        figure.suptitle(f"{found['images']} held-out images")
        save_figure(figure, out, dpi=110)
