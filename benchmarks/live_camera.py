"""Frames a second of the live camera of `gcnet web`, on two cores, in Chromium with a fake camera.

The camera gives 30 frames of 640x480 a second, with one or two rendered faces. The program that
serves the page and the browser share the cores. A frame counts when its answer has arrived; the
longest pause is that between two answers. CPU time is that of the program and of the browser.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import sync_playwright

from tests.web.browser import Server, filming, open_browser, write_video


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long each row is measured")
    parser.add_argument("--cores", type=int, default=2, help="cores for all processes together")
    parser.add_argument("--model", help="a model folder; default: the one of the package")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[: args.cores]
    os.sched_setaffinity(0, cores)
    print(f"{len(cores)} cores; load before: {os.getloadavg()[0]:.1f}")
    print("faces  frames/s  longest pause, ms  CPU ms/frame: program  browser")
    words = ["--model", args.model] if args.model else []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), *words)
        for faces in (1, 2):
            video = Path(folder) / f"{faces}.mjpeg"
            write_video(video, faces)
            times, program, browser = _measure(server, video, args.seconds)
            pause = max(later - earlier for earlier, later in zip(times, times[1:]))
            frames = len(times) - 1
            cells = [f"{faces:5} {frames / (times[-1] - times[0]):9.1f} {1e3 * pause:18.0f}"]
            cells += [f"{1e3 * program / frames:22.0f} {1e3 * browser / frames:8.0f}"]
            print(" ".join(cells), flush=True)
        server.end()


def _measure(server, video, seconds):
    """When the answers came, in seconds; CPU seconds of the program and of the browser."""
    times = []
    with sync_playwright() as driver, open_browser(driver, *filming(video)) as browser:
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.goto(server.address)
        page.get_by_role("tab", name="Live camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.wait_for_selector(".live .face")

        def answered(response):
            if "component_server" in response.url:
                times.append(time.perf_counter())

        page.on("response", answered)
        before = _cpu_seconds(server)
        page.wait_for_timeout(1e3 * seconds)
        return times, *(_cpu_seconds(server) - before)


def _cpu_seconds(server):
    """Of the program, and of the other processes that were started from here."""
    ours = psutil.Process(server.process.pid)
    others = [each for each in psutil.Process().children(recursive=True) if each != ours]
    return np.array([sum(_spent(each) for each in some) for some in ([ours], others)])


def _spent(process):
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
