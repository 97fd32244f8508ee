"""Lines: all that wait, by what their gangs look like and in which line they stand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from heapq import heappop, heappush

from petahour.scheduler.ask import Ask, Shape, Waiting
from petahour.scheduler.heads import Heads
from petahour.scheduler.line import Line, Rank
from petahour.scheduler.sweeps import Sweep


class Lines:
    """All queued jobs. ``line_of`` and ``rank_of`` are the policy's: which line a job joins and where in it.

    Lines of different asks never mix unless the policy says so by giving them one level and ``shared``. Where
    urgencies are ``kept``, the jobs of a line are of one sweep, and ``heads`` has the lines of a shape in order.
    """

    def __init__(
        self,
        line_of: Callable[[Waiting], Hashable],
        rank_of: Callable[[Waiting], Rank],
        *,
        shared: bool,
        kept: bool = False,
        dated: bool = True,
    ) -> None:
        self._line_of, self._rank_of = line_of, rank_of
        self._shared, self._kept, self._dated = shared, kept, dated
        self._heads: dict[Shape, Heads] = {}
        self._of_sweep: dict[Sweep, dict[Line, None]] = {}
        self._stale: dict[Line, None] = {}  # in the order in which they became so
        self._lines: dict[tuple[Ask | None, Hashable], Line] = {}
        self._places: dict[str, tuple[Line, Rank, Waiting]] = {}
        self._shapes: dict[Shape, dict[int, Line]] = {}
        self._oldest: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._places

    def add(self, job: Waiting) -> None:
        level = self._line_of(job)
        key = (None if self._shared else job.ask, level)
        line = self._lines.get(key)
        rank = self._rank_of(job)
        if line is None:
            line = self._lines[key] = Line(job.ask, level)
            self._shapes.setdefault(job.ask.shape, {})[id(line)] = line
            line.add(rank, job)
            if self._kept:
                self._open(line, job)
        else:
            line.add(rank, job)
            if self._kept and line.head() is job:
                self._stale[line] = None
        self._places[job.id] = (line, rank, job)
        if self._dated and job.ask.limit_micros is None:
            # Who waits for a price may wait for ever, and would keep from others what is kept for the oldest.
            heappush(self._oldest, (job.submitted_ms, job.id))

    def drop(self, job_id: str) -> Waiting | None:
        """The job no longer waits; None when it did not."""
        found = self._places.pop(job_id, None)
        if found is None:
            return None
        line, rank, job = found
        headed = self._kept and line.head() is job
        line.drop(rank, job)
        if headed and len(line):
            self._stale[line] = None
        if not len(line):
            if self._kept:
                self._shut(line, job)
            del self._lines[None if self._shared else line.ask, line.level]
            lines = self._shapes[line.ask.shape]
            del lines[id(line)]
            if not lines:
                del self._shapes[line.ask.shape]
        return job

    def waiting(self) -> list[Line]:
        """Every line somebody stands in."""
        return list(self._lines.values())

    def by_shape(self) -> list[tuple[Shape, Iterable[Line]]]:
        """The lines by what their gangs look like: those of one shape fit, or do not, alike."""
        return [(shape, lines.values()) for shape, lines in self._shapes.items()]

    def heads(self, shape: Shape) -> Heads:
        """The lines of a shape by urgency, where urgencies are kept."""
        return self._heads[shape]

    def renew(self, sweeps: Iterable[Sweep], urgency: Callable[[Waiting], Rank], now_ms: int, keeps_ms: int) -> None:
        """Find urgencies anew where the head is another one, or more is known of its sweep: of these, it is."""
        for sweep in sweeps:
            self._stale.update(self._of_sweep.get(sweep, {}))
        for line in self._stale:
            heads = self._heads.get(line.ask.shape)
            if heads is None:
                heads = self._heads[line.ask.shape] = Heads()
            heads.put(line, urgency, now_ms, keeps_ms)
        self._stale.clear()

    def oldest(self) -> Waiting | None:
        """Who was submitted first of all that wait and have no limit."""
        while self._oldest:
            found = self._places.get(self._oldest[0][1])
            if found is not None:
                return found[2]
            heappop(self._oldest)
        return None

    def line_of(self, job_id: str) -> Line | None:
        """Where a job stands."""
        found = self._places.get(job_id)
        return found[0] if found else None

    def job(self, job_id: str) -> Waiting | None:
        """A queued job by its id."""
        found = self._places.get(job_id)
        return found[2] if found else None

    def every(self) -> list[Waiting]:
        """Every queued job, in no order that is promised."""
        return [job for _, _, job in list(self._places.values())]

    def _open(self, line: Line, job: Waiting) -> None:
        self._stale[line] = None
        for sweep in (job.sweep, job.sweep and job.sweep.wider):
            if sweep is not None:
                self._of_sweep.setdefault(sweep, {})[line] = None

    def _shut(self, line: Line, job: Waiting) -> None:
        self._stale.pop(line, None)
        heads = self._heads.get(line.ask.shape)
        if heads is not None:
            heads.leave(line)
        for sweep in (job.sweep, job.sweep and job.sweep.wider):
            if sweep is not None:
                lines = self._of_sweep[sweep]
                del lines[line]
                if not lines:
                    del self._of_sweep[sweep]
