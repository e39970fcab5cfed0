"""What SIGINT and SIGHUP ask of a running solver.

Source: Caffe src/caffe/util/signal_handler.cpp and tools/caffe.cpp (-sigint_effect,
-sighup_effect).
"""

import contextlib
import signal

from gcnet_caffe.errors import UsageError

STOP, SNAPSHOT, NONE = "stop", "snapshot", "none"
EFFECTS = (STOP, SNAPSHOT, NONE)


class Requests:
    """Remembers the signals that have come; calling it returns one effect and forgets it."""

    def __init__(self, effects=None):
        self._effects = effects or {}
        self._come = set()

    def receive(self, number, _frame=None):
        """Note that signal `number` has come (it is a signal handler)."""
        self._come.add(number)

    def __call__(self):
        """Return the effect of a signal that has come since the last call, or 'none'."""
        for number, effect in self._effects.items():
            if number in self._come:
                self._come.discard(number)
                return effect
        return NONE


@contextlib.contextmanager
def listening(sigint_effect=STOP, sighup_effect=SNAPSHOT):
    """Handle SIGINT and SIGHUP inside the block; yield the `Requests`.

    Raises
    ------
    UsageError
        An effect is not one of stop, snapshot, none.
    """
    effects = {signal.SIGINT: sigint_effect, signal.SIGHUP: sighup_effect}
    for effect in effects.values():
        if effect not in EFFECTS:
            raise UsageError(
                f'Invalid signal effect "{effect}" was specified; wanted {", ".join(EFFECTS)}'
            )
    requests = Requests(effects)
    before = {number: signal.signal(number, requests.receive) for number in effects}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
