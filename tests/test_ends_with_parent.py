"""Processes that end with the one that started them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import Any

import pytest

from gcnet_caffe import ends_with_parent


def test_a_signal_while_a_process_starts_does_not_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    begin = subprocess.Popen.__init__

    def begin_and_be_ended(self: Any, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        started.append(self)
        signal.raise_signal(signal.SIGTERM)

    def end(*_: Any) -> None:
        sys.exit(143)

    monkeypatch.setattr(subprocess.Popen, "__init__", begin_and_be_ended)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(SystemExit), contextlib.ExitStack() as stack:
            ends_with_parent.start(stack, ["sleep", "1000"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [process.returncode for process in started] == [-signal.SIGTERM]
