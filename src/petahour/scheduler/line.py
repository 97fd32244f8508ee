"""One line: jobs of one ask in order, so that a pass looks at the head alone."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator

from petahour.model.errors import InvariantError
from petahour.scheduler.ask import Ask, Waiting

Rank = tuple[float, ...]


class Line:
    """Jobs in the order of (rank, seq). Joining at the end and leaving from the head cost nothing that grows."""

    __slots__ = ("_head", "_items", "ask", "level")

    def __init__(self, ask: Ask, level: Hashable) -> None:
        self.ask, self.level = ask, level
        self._items: list[tuple[Rank, int, Waiting]] = []
        self._head = 0

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
        place = self._head
        if place >= len(self._items) or self._items[place][1] != job.seq:
            place = bisect_left(self._items, (rank, job.seq), lo=place)
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
