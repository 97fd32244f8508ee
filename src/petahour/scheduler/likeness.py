"""Likeness: how far jobs that were submitted in a row run alike, learned from what has ended."""

from __future__ import annotations

from petahour.scheduler.near import SPREAD

FIRST, ENDS = 0.7, 10  # how alike they are taken to be at first, and as many ends as that counts


class Likeness:
    """Of one tenant's gang size: how much of what sets a job's stretch apart from its kind is true of the job itself.

    The slope of the least-squares line through the origin of a job's run time on the mean of those of its stretch
    that ended before it, both as logarithms against what is usual for the kind. A first belief counts as ``ENDS``
    ends that were one standard deviation away. It keeps those from being judged by each other who were submitted
    together by chance, as where many people share one queue.
    """

    __slots__ = ("_both", "_others")

    def __init__(self) -> None:
        self._others = ENDS * SPREAD**2
        self._both = FIRST * self._others

    def learn(self, own: float, others: float) -> None:
        """A job's run time, and the mean of those of its stretch that ended before: in doublings beyond the usual."""
        self._both += own * others
        self._others += others * others

    @property
    def slope(self) -> float:
        """0: not at all; 1: they run just as the others of their stretch did."""
        return min(1.0, max(0.0, self._both / self._others))
