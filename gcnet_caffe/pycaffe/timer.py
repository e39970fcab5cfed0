"""pycaffe's Timer."""

from __future__ import annotations

import time


class Timer:
    """Measures the time between `start` and `stop`."""

    def __init__(self) -> None:
        self._start = self._stop = 0.0

    def start(self) -> None:
        """Start to measure."""
        self._start = self._stop = time.perf_counter()

    def stop(self) -> None:
        """Stop to measure."""
        self._stop = time.perf_counter()

    @property
    def ms(self) -> float:
        """Milliseconds from `start` to `stop`."""
        return (self._stop - self._start) * 1e3
