"""Where the time comes from: passed in, so that a simulation can own it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """``now_ms``: milliseconds since the epoch, UTC; never goes backwards."""

    def now_ms(self) -> int: ...


class SystemClock:
    """The host's clock, held still while it is set back.

    Prevents that time that was recorded comes a second time, in which an accelerator would be given again.
    ``read_ms`` is the host's clock.
    """

    def __init__(self, read_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._read_ms = read_ms
        self._latest_ms = 0

    def now_ms(self) -> int:
        self._latest_ms = max(self._latest_ms, self._read_ms())
        return self._latest_ms

    def not_before(self, recorded_ms: int) -> int:
        """What a store remembers is past: by how many milliseconds the host's clock is behind it, zero if not."""
        behind_ms = max(0, recorded_ms - self._read_ms())
        self._latest_ms = max(self._latest_ms, recorded_ms)
        return behind_ms
