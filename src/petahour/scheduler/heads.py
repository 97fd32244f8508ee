"""Heads: the lines of one shape by the urgency of who stands first, kept so that a pass looks at what changed."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from petahour.scheduler.ask import Ask, Waiting
from petahour.scheduler.line import Line, Rank

SPREAD = 8
AT_ONCE, PART = 64, 16  # in one look at most so many, or one in so many, of those whose time is over are found anew

Entry = tuple[Rank, int, int, Line]  # urgency, the head's number, the line's version, the line


class Heads:
    """The lines of one shape. An urgency is found anew when the head changes or more is known of its sweep, and some
    time after one to ``SPREAD`` times ``keeps_ms``; until then it is taken to hold.

    Entries of the heaps are valid while they name the line's present version; others are dropped when they come up.
    """

    def __init__(self) -> None:
        self._lines: dict[Line, int] = {}  # and the version of each
        self._asks: dict[Ask, int] = {}  # and how many lines each has
        self._entries: list[Entry] = []
        self._due: list[tuple[int, int, int, Line]] = []  # when an urgency is found anew, as entries
        self._out: list[Entry] = []
        self._version = 0

    @property
    def asks(self) -> int:
        """Of how many asks the lines are."""
        return len(self._asks)

    def put(self, line: Line, urgency: Callable[[Waiting], Rank], now_ms: int, keeps_ms: int) -> None:
        """The line is new, or its head's urgency another one."""
        if line not in self._lines:
            self._asks[line.ask] = self._asks.get(line.ask, 0) + 1
        self._version += 1
        version = self._lines[line] = self._version
        head = line.head()
        heappush(self._entries, (urgency(head), head.seq, version, line))
        # Not all at once: passes cost alike when every one of them finds a few anew.
        heappush(self._due, (now_ms + keeps_ms * (1 + head.seq % SPREAD), head.seq, version, line))

    def leave(self, line: Line) -> None:
        """Nobody stands in the line any more."""
        if self._lines.pop(line, None) is None:
            return
        left = self._asks[line.ask] = self._asks[line.ask] - 1
        if not left:
            del self._asks[line.ask]

    def look(self, urgency: Callable[[Waiting], Rank], now_ms: int, keeps_ms: int) -> None:
        """Before a pass takes heads: find anew some of those whose time is over."""
        due, left = self._due, max(AT_ONCE, len(self._lines) // PART)
        while due and due[0][0] <= now_ms and left:
            _, _, version, line = heappop(due)
            if self._lines.get(line) == version:
                self.put(line, urgency, now_ms, keeps_ms)
                left -= 1
        if len(self._entries) > 2 * len(self._lines) + 64:
            self._entries = [entry for entry in self._entries if self._lines.get(entry[3]) == entry[2]]
            heapify(self._entries)

    def take(self) -> tuple[Rank, Line] | None:
        """The line with the most urgent head of those not taken yet."""
        while self._entries:
            entry = heappop(self._entries)
            if self._lines.get(entry[3]) == entry[2]:
                self._out.append(entry)
                return entry[0], entry[3]
        return None

    def give_back(self) -> None:
        """The pass is over: nothing is taken."""
        for entry in self._out:
            heappush(self._entries, entry)
        self._out.clear()
