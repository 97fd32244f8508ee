"""Sweeps: jobs that were submitted in a row, which tend to run alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from petahour.model.time import MINUTE_MS
from petahour.scheduler.likeness import Likeness
from petahour.scheduler.near import Near, Told, Usual, log_of

if TYPE_CHECKING:
    from petahour.scheduler.ask import Ask, Waiting

GAP_MS = MINUTE_MS  # submissions of one kind further apart than this are no row
STRETCH = 8  # jobs of a sweep that stand so near to each other that they are judged by each other first
Owner = tuple[str, int]


class Sweep:
    """What is known of some jobs of one row: how many ended, the sum of log2 of their run times, and who runs.

    ``wider`` is the whole row where this is a stretch of it. ``near`` and ``likeness``: of all jobs of the tenant's
    gang size.
    """

    __slots__ = ("_changed", "ended", "expected", "indexes", "likeness", "logs", "near", "running", "size", "wider")

    def __init__(
        self, near: Near, likeness: Likeness, wider: Sweep | None = None, changed: dict[Sweep, None] | None = None
    ) -> None:
        self.near = near
        self.likeness = likeness
        self.wider = wider
        self._changed = changed
        self.size = 0
        self.ended = 0
        self.logs = 0.0
        self.running: set[str] = set()
        # By the name of a kind: until when, what is told, and the ms that are expected without a walltime.
        self.expected: dict[str, tuple[int, Told, float]] = {}
        self.indexes: dict[int, tuple[int, int, float]] = {}  # these two are kept by their reader, Expectation

    def learn(self, job: Waiting, ran_ms: int, usual: Usual) -> None:
        """One of them ended of itself after so long."""
        self.near.learn(job.id, job.submitted_ms, ran_ms, usual)
        self.expected.clear()
        log = log_of(ran_ms)
        if self.ended:
            self.likeness.learn(log - usual.mean, self.logs / self.ended - usual.mean)
        self._hear(log)
        if self.wider is not None:
            self.wider._hear(log)

    def begin(self, job: Waiting, began_ms: int, usual: Usual) -> None:
        """One of them runs, and would have begun then if it had never been stopped."""
        self.near.begin(job.id, job.submitted_ms, began_ms, usual)
        self._tell()
        self.running.add(job.id)

    def leave(self, job: Waiting) -> None:
        """It runs no more."""
        self.near.leave(job.id, job.submitted_ms)
        self._tell()
        self.running.discard(job.id)

    def _hear(self, log: float) -> None:
        self.ended += 1
        self.logs += log
        if self._changed is not None:
            self._changed[self] = None

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed[self] = None


class Sweeps:
    """The rows that may still grow: the last one of each tenant's gang size."""

    def __init__(self) -> None:
        self._last: dict[Owner, tuple[int, Sweep]] = {}
        self._near: dict[Owner, tuple[Near, Likeness]] = {}
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
                stretch = Sweep(stretch.near, stretch.likeness, stretch.wider, self._changed)
        else:
            near = self._near.get(key)
            if near is None:
                near = self._near[key] = Near(), Likeness()
            stretch = Sweep(*near, Sweep(*near, None, self._changed), self._changed)
        stretch.size += 1
        if known is None or submitted_ms >= known[0]:
            self._last[key] = (submitted_ms, stretch)
        return stretch
