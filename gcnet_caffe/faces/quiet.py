"""Files that OpenCV cannot read are told by our errors, not by what it prints."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import cv2


@contextlib.contextmanager
def silent_opencv() -> Iterator[None]:
    """Let neither OpenCV nor its FFmpeg write to standard error."""
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
