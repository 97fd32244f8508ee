"""Forecast: when what runs is expected to end, kept in order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.expect import Expectation

End = tuple[int, str]


class Forecast:
    """The expected end of each run by pool. Whoever outlives it is expected to run as long again as it has."""

    def __init__(self, expectation: Expectation) -> None:
        self._expectation = expectation
        self._pools: dict[int, list[End]] = {}
        self._runs: dict[str, tuple[Running, int]] = {}

    def end_ms(self, job: Waiting, now_ms: int) -> int:
        """When it is expected to end if it begins now."""
        expected_ms = self._expectation.run_ms(job, now_ms) if not job.attained_ms else job.attained_ms
        return now_ms + max(1, round(expected_ms))

    def began(self, running: Running, now_ms: int) -> None:
        """A run begins."""
        end_ms = self.end_ms(running.job, now_ms) - now_ms + running.placed_ms
        self._put(running, end_ms if running.ends_ms is None else min(end_ms, running.ends_ms))

    def left(self, running: Running) -> None:
        """It is over."""
        known = self._runs.pop(running.id, None)
        if known is not None:
            ends = self._pools[known[0].pool]
            del ends[bisect_left(ends, (known[1], running.id))]

    def ends(self, pool: int, now_ms: int) -> Sequence[End]:
        """(instant, run) of the pool, none of them past."""
        ends = self._pools.get(pool, [])
        while ends and ends[0][0] <= now_ms:
            running = self._runs.pop(ends.pop(0)[1])[0]
            self._put(running, now_ms + max(1, now_ms - running.placed_ms))
        return ends

    def _put(self, running: Running, end_ms: int) -> None:
        self._runs[running.id] = (running, end_ms)
        insort(self._pools.setdefault(running.pool, []), (end_ms, running.id))
