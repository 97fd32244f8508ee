"""Sweeps: jobs that were submitted in a row, which tend to run alike."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from petahour.model.time import MINUTE_MS, SECOND_MS

if TYPE_CHECKING:
    from petahour.scheduler.ask import Ask

GAP_MS = MINUTE_MS  # submissions of one kind further apart than this are no row
STRETCH = 8  # jobs of a sweep that stand so near to each other that they are judged by each other first
_FLOOR_MS = SECOND_MS  # below this, run times are taken for equal
Owner = tuple[str, int]


class Sweep:
    """What is known of some jobs of one row: how many ended, the sum of log2 of their run times, and who runs.

    ``wider`` is the whole row where this is a stretch of it. ``began_ms``: by job, when its present run would have
    begun if it had never been stopped.
    """

    __slots__ = ("_changed", "began_ms", "ended", "expected", "indexes", "logs", "size", "wider")

    def __init__(self, wider: Sweep | None = None, changed: dict[Sweep, None] | None = None) -> None:
        self.wider = wider
        self._changed = changed
        self.size = 0
        self.ended = 0
        self.logs = 0.0
        self.began_ms: dict[str, int] = {}
        self.expected: tuple[int, int, int, float] | None = None
        self.indexes: dict[int, tuple[int, int, float]] = {}  # these two are kept by their reader, Expectation

    def learn(self, ran_ms: int) -> None:
        """One of them ended of itself after so long."""
        log = log2(ran_ms + _FLOOR_MS)
        self._hear(log)
        if self.wider is not None:
            self.wider._hear(log)

    def begin(self, job_id: str, began_ms: int) -> None:
        """One of them runs."""
        self._tell()
        self.expected = None
        self.began_ms[job_id] = began_ms

    def leave(self, job_id: str) -> None:
        """It runs no more."""
        self._tell()
        self.expected = None
        self.began_ms.pop(job_id, None)

    def _hear(self, log: float) -> None:
        self.ended += 1
        self.logs += log
        if self._changed is not None:
            self._changed[self] = None

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed[self] = None

    def typical_log(self, now_ms: int, prior: float, belief: float, *, runs: bool) -> float:
        """log2 of the run time in ms expected of one of them, where ``prior`` weighs as much as ``belief`` ends.

        With ``runs``, those that run longer already than is typical count, as if they had run half of their time.
        """
        count, logs = float(self.ended), self.logs
        if runs and self.began_ms:
            typical = logs / count if count else prior
            for began_ms in list(self.began_ms.values()):  # another thread may look ahead meanwhile
                # A run that is taken in again is looked at as of its placement, when others had not begun.
                ran = log2(max(0, now_ms - began_ms) + _FLOOR_MS)
                if ran > typical:
                    count += 1
                    logs += ran + 1
        return (logs + belief * prior) / (count + belief)


class Sweeps:
    """The rows that may still grow: the last one of each tenant's gang size."""

    def __init__(self) -> None:
        self._last: dict[Owner, tuple[int, Sweep]] = {}
        self._changed: dict[Sweep, None] | None = None

    def watch(self) -> None:
        """Remember from now on of which sweeps more became known."""
        self._changed = {}

    def changed(self) -> list[Sweep]:
        """Sweeps of which more became known since the last call."""
        changed = list(self._changed or ())
        if self._changed:
            self._changed.clear()
        return changed

    def join(self, ask: Ask, submitted_ms: int) -> Sweep:
        """The stretch that a job of this ask belongs to, which is the last one of its kind or a new one."""
        # Not by name: those of a sweep are often told apart by theirs.
        key = (ask.tenant, ask.accelerators)
        known = self._last.get(key)
        if known is not None and 0 <= submitted_ms - known[0] <= GAP_MS:
            stretch = known[1]
            if stretch.size >= STRETCH:
                stretch = Sweep(stretch.wider, self._changed)
        else:
            stretch = Sweep(Sweep(None, self._changed), self._changed)
        stretch.size += 1
        if known is None or submitted_ms >= known[0]:
            self._last[key] = (submitted_ms, stretch)
        return stretch
