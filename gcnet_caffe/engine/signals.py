"""What SIGINT and SIGHUP ask of a running solver.

Source: Caffe src/caffe/util/signal_handler.cpp and tools/caffe.cpp (-sigint_effect,
-sighup_effect).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from gcnet_caffe.errors import UsageError

STOP, SNAPSHOT, NONE = "stop", "snapshot", "none"
EFFECTS = (STOP, SNAPSHOT, NONE)


@contextlib.contextmanager
def handled(
    numbers: Iterable[int], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Call `handler` for the signals `numbers` inside the block.

    Only a program's main thread can handle signals: in another thread the block just runs.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


@contextlib.contextmanager
def listening(
    sigint_effect: str = STOP, sighup_effect: str = SNAPSHOT
) -> Iterator[Callable[[], str]]:
    """Handle SIGINT and SIGHUP inside the block (see `handled`).

    Parameters
    ----------
    sigint_effect, sighup_effect : str
        ``stop``, ``snapshot`` or ``none``.

    Yields
    ------
    callable
        Returns the effect of a signal that has come since it was last called, or ``none``.

    Raises
    ------
    UsageError
        An effect is not one of stop, snapshot, none.
    """
    effects: dict[int, str] = {signal.SIGINT: sigint_effect, signal.SIGHUP: sighup_effect}
    for effect in effects.values():
        if effect not in EFFECTS:
            raise UsageError(
                f'Invalid signal effect "{effect}" was specified; wanted {", ".join(EFFECTS)}'
            )
    come: set[int] = set()

    def requested() -> str:
        for number, effect in effects.items():
            if number in come:
                come.discard(number)
                return effect
        return NONE

    with handled(effects, lambda number, _frame: come.add(number)):
        yield requested
