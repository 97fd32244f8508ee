"""Declared: what a tenant's declared walltimes tell of run times, learned from what has ended."""

from __future__ import annotations

from petahour.scheduler.near import SPREAD, Told

ENDS = 4  # as many ends as what is believed at first counts
OVER, ALIKE = 2.0, 0.5  # at first: doublings by which walltimes exceed run times, and their correlation with them
SURE = 0.995  # no correlation is taken to be closer, so that one surprise is no impossibility


class Declared:
    """One tenant's walltimes beside run times, both as logarithms against what is usual for a job's kind.

    A walltime is taken for an observation of the run time, as far as the two went together until now: where everybody
    declares the same, or anything, it tells nothing; where walltimes are exact, or twice the run time, it tells all.
    """

    __slots__ = ("_both", "_count", "_run", "_runs", "_wall", "_walls")

    def __init__(self) -> None:
        variance = SPREAD**2
        self._count = float(ENDS)
        self._run, self._wall = 0.0, ENDS * OVER
        self._runs, self._walls = ENDS * variance, ENDS * (variance + OVER**2)
        self._both = ENDS * ALIKE * variance

    def apart(self) -> Declared:
        """A copy that learns apart from this one."""
        other = Declared()
        other._count, other._run, other._wall = self._count, self._run, self._wall
        other._runs, other._walls, other._both = self._runs, self._walls, self._both
        return other

    def learn(self, ran: float, declared: float) -> None:
        """A job ended of itself: its run time and its walltime, in doublings beyond the usual run time."""
        self._count += 1
        self._run += ran
        self._wall += declared
        self._runs += ran * ran
        self._walls += declared * declared
        self._both += ran * declared

    def heard(self, told: Told, usual: float, declared: float) -> Told:
        """What is expected of a job once its walltime is heard too; ``declared``: on the same scale as ``told``.

        The normal variable ``told`` with one more observation, whose error is independent of it.
        """
        run, wall = self._run / self._count, self._wall / self._count
        runs = self._runs / self._count - run * run
        walls = self._walls / self._count - wall * wall
        both = self._both / self._count - run * wall
        if both <= 0 or runs <= 0 or walls <= 0:
            return told
        slope = both / walls
        alike = min(SURE, slope * both / runs)  # the part of the variance that walltimes explain
        value = usual + run + (declared - usual - wall) * runs / both
        error = runs * (1 / alike - 1)
        weight = told.variance / (told.variance + error)
        return Told(told.mean + weight * (value - told.mean), told.variance * (1 - weight), told.holds_ms)
