"""`gcnet web` as a process, and a browser whose camera may show rendered faces."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from urllib.parse import urlparse

import cv2
import numpy as np

from tests import processes
from tests.recognition.models import rendered
from tests.scratch import ROOT

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
)
LIMIT = 1  # megabyte of a picture
PATIENCE = 1000 * processes.PATIENCE  # milliseconds

HEIGHT, WIDTH = 480, 640
FRAMES = 64
_FACE = 240  # pixels
_BIT = 20  # pixels of a square of the frame's number


class Server:
    """`gcnet web` in a process of its own, with its temporary files in `temporary`."""

    def __init__(self, temporary, *words):
        command = [sys.executable, "-m", "gcnet_caffe.cli", "web", *words]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        )
        self.temporary = temporary
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.communicate()[1]

    def uploads(self):
        return [path for path in self.temporary.glob("gcnet-web-*/**/*") if path.is_file()]

    def end(self):
        """End it; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()
        return self.process.returncode


@contextlib.contextmanager
def open_browser(driver, *flags):
    """Chromium with a fake camera: its own test picture, or what `flags` say."""
    args = [*FLAGS, *(flags or ["--use-fake-device-for-media-stream"])]
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=args, timeout=PATIENCE)
    yield browser
    browser.close()


def filming(video):
    """The flags of a browser whose camera shows the file `video`."""
    return "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"


@contextlib.contextmanager
def open_page(browser, server):
    """The page as it opens; it asks this machine only."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    page.set_default_timeout(PATIENCE)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.address)
    page.wait_for_selector(".result .hint")
    yield page
    page.close()
    hosts = {urlparse(url).hostname for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}


def shot(page, name):
    """Keep a screenshot where GCNET_SCREENSHOTS says."""
    folder = os.environ.get("GCNET_SCREENSHOTS")
    if folder:
        page.screenshot(path=os.path.join(folder, f"{name}.png"), full_page=True)


def write_video(path, faces=2):
    """Write a video for the camera: a face that moves, and on the right one that does not.

    The squares in the lower left corner are the number of the frame in binary, lowest bit first.
    """
    pictures = [rendered(3), rendered(7, "surprise")][:faces]
    with open(path, "wb") as file:
        for number in range(FRAMES):
            frame = np.full((HEIGHT, WIDTH), 128, np.uint8)
            for face, left in zip(pictures, face_places(number)):
                frame[80 : 80 + _FACE, left : left + _FACE] = face
            for bit in range(6):
                frame[-_BIT:, bit * _BIT : (bit + 1) * _BIT] = 255 * (number >> bit & 1)
            file.write(cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))[1].tobytes())


def face_places(number):
    """The left edges of the two faces in a frame of the video, in pixels."""
    return round(70 * (1 + np.sin(2 * np.pi * number / FRAMES))), WIDTH - _FACE


def sent_file(request, place=0):
    """The image file in a request of the live camera: the frame, or in place 1 the neutral face."""
    return base64.b64decode(request.post_data_json["data"][place].split(",")[1])


def sent_frame(request):
    """The frame in a request of the live camera: (height, width) of grey uint8."""
    return cv2.imdecode(np.frombuffer(sent_file(request), np.uint8), cv2.IMREAD_GRAYSCALE)


def frame_number(frame):
    """The number that the squares in a frame of the video say."""
    bit = _BIT * frame.shape[1] / WIDTH
    places = [round(bit * (i + 0.5)) for i in range(6)]
    return sum(1 << i for i, x in enumerate(places) if frame[-round(bit / 2), x] > 127)
