"""Declared: what a tenant's declared walltimes tell of run times, learned from what has ended."""

from __future__ import annotations

from petahour.model.time import HOUR_MS
from petahour.scheduler.near import SPREAD, Told, log_of

ENDS = 4  # as many ends as what is believed at first counts
OVER, ALIKE = 2.0, 0.5  # at first: doublings by which walltimes exceed run times, and their correlation with them
MEMORY = 512  # ends after which what was learned counts for a third, as people change their habits
SURE = 0.995  # no correlation is taken to be closer, so that one surprise is no impossibility


class Declared:
    """One tenant's walltimes beside run times, as logarithms to base 2.

    A walltime is taken for an observation of the run time: a linear function of it, with an error as large as it was
    until now. Where everybody declares the same, or anything, it tells nothing; where walltimes are exact, or twice
    the run time, it tells all.
    """

    __slots__ = ("_both", "_count", "_run", "_runs", "_wall", "_walls")

    def __init__(self) -> None:
        variance, run = SPREAD**2, log_of(HOUR_MS)
        wall = run + OVER
        self._count = float(ENDS)
        self._run, self._wall = ENDS * run, ENDS * wall
        self._runs, self._walls = ENDS * (variance + run**2), ENDS * (variance + wall**2)
        self._both = ENDS * (ALIKE * variance + run * wall)

    def apart(self) -> Declared:
        """A copy that learns apart from this one."""
        other = Declared()
        other._count, other._run, other._wall = self._count, self._run, self._wall
        other._runs, other._walls, other._both = self._runs, self._walls, self._both
        return other

    def learn(self, ran: float, declared: float) -> None:
        """A job ended of itself after so long, and had declared so much: ``log_of`` both."""
        kept = 1 - 1 / MEMORY
        self._count = kept * self._count + 1
        self._run = kept * self._run + ran
        self._wall = kept * self._wall + declared
        self._runs = kept * self._runs + ran * ran
        self._walls = kept * self._walls + declared * declared
        self._both = kept * self._both + ran * declared

    def heard(self, told: Told, declared: float) -> Told:
        """What is expected of a job once its walltime is heard too; ``declared``: ``log_of`` it."""
        run, wall = self._run / self._count, self._wall / self._count
        runs = self._runs / self._count - run * run
        walls = self._walls / self._count - wall * wall
        both = self._both / self._count - run * wall
        if both <= 0 or runs <= 0 or walls <= 0:
            return told
        slope = both / walls
        alike = min(SURE, slope * both / runs)  # the part of the variance that walltimes explain
        value = run + (declared - wall) * runs / both
        error = runs * (1 / alike - 1)
        weight = told.variance / (told.variance + error)
        return Told(told.mean + weight * (value - told.mean), told.variance * (1 - weight), told.holds_ms)
