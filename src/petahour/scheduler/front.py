"""Front: whom a pass looks at next, over all lines: the most urgent of those who stand first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush

from petahour.scheduler.ask import Ask, Shape, Waiting
from petahour.scheduler.heads import Heads
from petahour.scheduler.line import Line, Rank


class Front:
    """A heap of jobs, each with the line it stands in; when it is taken, the next one comes up on demand."""

    def __init__(self, urgency: Callable[[Waiting], Rank]) -> None:
        self._urgency = urgency
        self._heap: list[tuple[Rank, int, int, Waiting]] = []
        self._lines: list[Line | None] = []
        self._followers: dict[int, Iterator[Waiting]] = {}
        self._feeds: dict[int, Shape] = {}
        self._heads: dict[Shape, Heads] = {}
        self._fed: list[Heads] = []
        self._refused: dict[Shape, set[Ask]] = {}

    def __iter__(self) -> Iterator[tuple[int, Waiting]]:
        """The most urgent job first, each with a number for ``follow``."""
        while self._heap:
            number, job = heappop(self._heap)[2:]
            yield number, job
            shape = self._feeds.pop(number, None)
            if shape is not None:  # and not before: nobody else of the shape may be wanted by now
                self._draw(shape)

    def add(self, line: Line) -> None:
        """All of one line."""
        self._push(self._urgency(line.head()), line.head(), line)

    def add_heads(self, shape: Shape, heads: Heads) -> None:
        """All lines of a shape."""
        self._heads[shape] = heads
        self._fed.append(heads)
        self._draw(shape)

    def forget(self, shape: Shape) -> None:
        """No further line of the shape comes up."""
        self._heads.pop(shape, None)

    def refuse(self, ask: Ask) -> None:
        """Nobody else of the ask is wanted: once that holds for all asks of a shape, no line of it comes up."""
        heads = self._heads.get(ask.shape)
        if heads is not None:
            refused = self._refused.setdefault(ask.shape, set())
            refused.add(ask)
            if len(refused) == heads.asks:
                self.forget(ask.shape)

    def add_first(self, job: Waiting) -> None:
        """A job that is looked at before all others, and not for its line."""
        self._push((), job, None)

    def follow(self, number: int) -> None:
        """Whoever stands behind the job that was taken with this number is looked at too."""
        line = self._lines[number]
        if line is None:
            return
        jobs = self._followers.get(number)
        if jobs is None:
            jobs = self._followers[number] = iter(line)
            next(jobs)
        following = next(jobs, None)
        if following is not None:
            heappush(self._heap, (self._urgency(following), following.seq, number, following))

    def close(self) -> None:
        """The lines are as before."""
        for heads in self._fed:
            heads.give_back()

    def _draw(self, shape: Shape) -> None:
        heads = self._heads.get(shape)
        found = heads.take() if heads is not None else None
        if found is not None:
            rank, line = found
            self._feeds[len(self._lines)] = shape
            self._push(rank, line.head(), line)

    def _push(self, rank: Rank, job: Waiting, line: Line | None) -> None:
        heappush(self._heap, (rank, job.seq, len(self._lines), job))
        self._lines.append(line)
