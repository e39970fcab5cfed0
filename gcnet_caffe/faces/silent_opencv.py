"""OpenCV without its own messages: our errors say which files it cannot read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import cv2

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read once
_LOGGING = getattr(getattr(cv2, "utils", None), "logging", None)  # OpenCV 4.6 and newer


@contextlib.contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to standard error while the body runs."""
    if _LOGGING is None:
        yield
        return
    level = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(_LOGGING.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        _LOGGING.setLogLevel(level)
