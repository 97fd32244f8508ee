"""Where the time comes from: passed in, so that a simulation can own it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """``now_ms``: milliseconds since the epoch, UTC; never goes backwards."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The host's clock, held still while it is set back."""

    def __init__(self) -> None:
        self._latest_ms = 0

    def now_ms(self) -> int:
        self._latest_ms = max(self._latest_ms, time.time_ns() // 1_000_000)
        return self._latest_ms
