"""Lines: queued jobs in order, so that a pass looks at the heads alone."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator
from heapq import heappop, heappush

from petahour.model.errors import InvariantError
from petahour.scheduler.ask import Ask, Shape, Waiting

Rank = tuple[float, ...]
SPREAD = 8


class Line:
    """Jobs in the order of (rank, seq). Joining at the end and leaving from the head cost nothing that grows."""

    __slots__ = ("_head", "_items", "_kept", "ask", "level")

    def __init__(self, ask: Ask, level: Hashable) -> None:
        self.ask, self.level = ask, level
        self._items: list[tuple[Rank, int, Waiting]] = []
        self._head = 0
        self._kept: tuple[int, int, int, Rank] | None = None

    def urgency(self, head: Waiting, of: Callable[[Waiting], Rank], now_ms: int, keeps_ms: int) -> Rank:
        """The head's urgency, found anew after one to ``SPREAD`` times ``keeps_ms``, or when its sweep knows more."""
        sweep = head.sweep
        if not keeps_ms or sweep is None or sweep.wider is None:
            return of(head)
        version = sweep.version + sweep.wider.version
        kept = self._kept
        if kept is None or kept[0] != head.seq or kept[1] != version or kept[2] <= now_ms:
            # Not all at once: passes cost alike when every one of them finds a few anew.
            until_ms = now_ms + keeps_ms * (1 + head.seq % SPREAD)
            kept = self._kept = (head.seq, version, until_ms, of(head))
        return kept[3]

    def __len__(self) -> int:
        return len(self._items) - self._head

    def add(self, rank: Rank, job: Waiting) -> None:
        item = (rank, job.seq, job)
        if not self._items or self._items[-1] < item:
            self._items.append(item)
        else:
            insort(self._items, item, lo=self._head)

    def drop(self, rank: Rank, job: Waiting) -> None:
        """The job no longer waits."""
        place = bisect_left(self._items, (rank, job.seq), lo=self._head)
        if place >= len(self._items) or self._items[place][1] != job.seq:
            raise InvariantError(rule="a job that leaves its line stood in it", value=job.id)
        if place == self._head:
            self._head += 1
        else:
            del self._items[place]
        if self._head > 64 and self._head * 2 > len(self._items):
            del self._items[: self._head]
            self._head = 0

    def head(self) -> Waiting:
        """The first in line."""
        return self._items[self._head][2]

    def __iter__(self) -> Iterator[Waiting]:
        for place in range(self._head, len(self._items)):
            yield self._items[place][2]


class Lines:
    """All queued jobs. ``line_of`` and ``rank_of`` are the policy's: which line a job joins and where in it.

    Lines of different asks never mix unless the policy says so by giving them one level and ``shared``.
    """

    def __init__(
        self, line_of: Callable[[Waiting], Hashable], rank_of: Callable[[Waiting], Rank], *, shared: bool
    ) -> None:
        self._line_of, self._rank_of, self._shared = line_of, rank_of, shared
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
        if line is None:
            line = self._lines[key] = Line(job.ask, level)
            self._shapes.setdefault(job.ask.shape, {})[id(line)] = line
        rank = self._rank_of(job)
        line.add(rank, job)
        self._places[job.id] = (line, rank, job)
        heappush(self._oldest, (job.submitted_ms, job.id))

    def drop(self, job_id: str) -> Waiting | None:
        """The job no longer waits; None when it did not."""
        found = self._places.pop(job_id, None)
        if found is None:
            return None
        line, rank, job = found
        line.drop(rank, job)
        if not len(line):
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

    def oldest(self) -> Waiting | None:
        """Who was submitted first of all that wait."""
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
