"""What SIGINT and SIGHUP ask of a running solver.

Source: Caffe src/caffe/util/signal_handler.cpp and tools/caffe.cpp (-sigint_effect,
-sighup_effect).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType

from gcnet_caffe.errors import UsageError

STOP, SNAPSHOT, NONE = "stop", "snapshot", "none"
EFFECTS = (STOP, SNAPSHOT, NONE)


class Requests:
    """Remembers the signals that have come; calling it returns one effect and forgets it.

    Parameters
    ----------
    effects : dict, optional
        Number of a signal -> one of EFFECTS.
    """

    def __init__(self, effects: Mapping[int, str] | None = None) -> None:
        self._effects = effects or {}
        self._come: set[int] = set()

    def receive(self, number: int, _frame: FrameType | None = None) -> None:
        """Note that signal `number` has come (it is a signal handler)."""
        self._come.add(number)

    def __call__(self) -> str:
        """Return the effect of a signal that has come since the last call, or 'none'."""
        for number, effect in self._effects.items():
            if number in self._come:
                self._come.discard(number)
                return effect
        return NONE


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
def listening(sigint_effect: str = STOP, sighup_effect: str = SNAPSHOT) -> Iterator[Requests]:
    """Handle SIGINT and SIGHUP inside the block; yield the `Requests` (see `handled`).

    Parameters
    ----------
    sigint_effect, sighup_effect : str
        ``stop``, ``snapshot`` or ``none``.

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
    requests = Requests(effects)
    with handled(effects, requests.receive):
        yield requests
