"""End this process when the one that started the whole run was killed.

A killed `gcnet run` cannot stop its jobs any more, and a second one must not meet them. Jobs that a
cluster starts on other machines are not of that kind.
"""

import os
import platform
import select
import threading

_NAME = "GCNET_LIFELINE"


def offer():
    """Return the environment variable that ties children, and theirs, to this process."""
    return {_NAME: f"{platform.node()}:{os.getpid()}"}


def follow():
    """Watch the process that the environment names, if it is on this machine."""
    node, _, number = os.environ.get(_NAME, "").rpartition(":")
    if node != platform.node() or not hasattr(os, "pidfd_open"):
        return
    try:
        watched = os.pidfd_open(int(number))
    except ProcessLookupError:
        os._exit(1)
    threading.Thread(target=_end_after, args=[watched], daemon=True).start()


def _end_after(watched):
    select.select([watched], [], [])
    os._exit(1)
