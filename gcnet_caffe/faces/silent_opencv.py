"""OpenCV without its own messages: our errors say which files it cannot read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import cv2


@contextlib.contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to standard error while the body runs."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read once
    logging = getattr(getattr(cv2, "utils", None), "logging", None)  # OpenCV 4.6 and newer
    if logging is None:
        yield
        return
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)
