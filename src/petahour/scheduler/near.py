"""Near: what jobs submitted near to a job tell of how long it will run."""

from __future__ import annotations

from bisect import bisect_left
from functools import reduce
from math import erfc, exp, log2, pi, sqrt
from operator import add, mul
from typing import NamedTuple

from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS

# As measured on four Philly clusters, of the logarithm to base 2 of run times in ms.
SPREAD = 4.5  # doublings, the standard deviation
HALF_MS, POWER = 30 * MINUTE_MS, 0.6  # jobs submitted so far apart are half as alike as those of one instant
OWN = 0.1  # of the variance is each job's own, however near others were submitted

HEARD = 4  # neighbours, those that were submitted nearest
KEPT = 4_096  # of one tenant's gang size are remembered
_FLOOR_MS = SECOND_MS  # below this, run times are taken for equal
_SILENT = 0.1  # a run takes so much of the variance away before it tells anything
_EXPECTED = -2.1  # standard deviations below the mean: what has lasted so long takes even less away
_FAR, _FAR_VARIANCE = 0.7 / SPREAD, 0.5 / SPREAD**2  # how much further what lasted far beyond its mean will go
_LEAST = 0.05  # of the variance is left at least
_ALIKE = 1 - OWN
_ROOT_2, _ROOT_2_PI = sqrt(2), sqrt(2 * pi)

HOLDS_MS = 10 * MINUTE_MS  # what is told holds for so long at least, while nothing happens to those told of,
AGES = 8  # or an eighth of how long the youngest run near has lasted


class Usual(NamedTuple):
    """Of a kind of work, its neighbours left aside: mean and standard deviation of ``log_of`` its run times.

    ``name``: of the jobs, where theirs tell how long they run; else, all of a tenant's gang size are of one kind.
    """

    name: str
    mean: float
    spread: float


# Submitted at, job, began at, log2 of its run time once it ended, and what was usual then.
One = tuple[int, str, int, float | None, Usual]


def log_of(ran_ms: float) -> float:
    """A run time on the scale on which neighbours are compared."""
    return log2(ran_ms + _FLOOR_MS)


class Told(NamedTuple):
    """Mean and variance of ``log_of`` a run time, and for how many ms they change little by themselves."""

    mean: float
    variance: float
    holds_ms: int


class Near:
    """The jobs of one tenant and gang size that run or ran, by when they were submitted.

    Run times are taken to be a Gaussian process over the time of submission: the nearer two jobs were submitted, the
    more alike they run, each against what is usual for its kind. What ended is an observation; what runs is one of
    "at least so long", taken for the normal one of the same mean and variance.

    Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1 and section 3.6.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: list[One] = []

    def begin(self, job_id: str, submitted_ms: int, began_ms: int, usual: Usual) -> None:
        """It runs, and would have begun then if it had never been stopped."""
        self._put((submitted_ms, job_id, began_ms, None, usual))

    def leave(self, job_id: str, submitted_ms: int) -> None:
        """It runs no more: nothing is known of it until it runs again or is known to have ended of itself."""
        place = bisect_left(self._known, (submitted_ms, job_id))
        if place < len(self._known) and self._known[place][1] == job_id and self._known[place][3] is None:
            del self._known[place]

    def learn(self, job_id: str, submitted_ms: int, ran_ms: int, usual: Usual) -> None:
        """It ended of itself after so long."""
        self._put((submitted_ms, job_id, 0, log_of(ran_ms), usual))

    def expected(self, submitted_ms: int, usual: Usual, now_ms: int) -> Told:
        """What is expected of a job submitted then. ``usual``: where nothing near is known."""
        # One slice: another thread may look ahead while this one learns.
        place = bisect_left(self._known, (submitted_ms,))
        around = self._known[max(0, place - HEARD) : place + HEARD]
        if not around:
            return Told(usual.mean, usual.spread**2, HOUR_MS)
        around.sort(key=lambda one: abs(one[0] - submitted_ms))
        field, running, youngest_ms = _Field(), [], AGES * HOUR_MS
        for at_ms, _, began_ms, log, then in around[:HEARD]:
            kind = usual if then.name == usual.name else then
            if log is None:
                running.append((at_ms, began_ms, kind))
            else:
                row, mean, variance = field.told(at_ms)
                field.see(at_ms, row, (log - kind.mean) / kind.spread - mean, variance)
        for at_ms, began_ms, kind in running:
            # A run that is taken in again is looked at as of its placement, when others had not begun.
            ran_ms = max(0, now_ms - began_ms)
            youngest_ms = min(youngest_ms, ran_ms)
            row, mean, variance = field.told(at_ms)
            heard = _at_least((log_of(ran_ms) - kind.mean) / kind.spread, mean, variance)
            if heard is not None:
                value, error = heard
                field.see(at_ms, row, value - mean, variance + error)
        _, mean, variance = field.told(submitted_ms)
        told = usual.mean + mean * usual.spread
        return Told(told, variance * usual.spread**2, max(HOLDS_MS, youngest_ms // AGES))

    def _put(self, one: One) -> None:
        known = self._known
        place = bisect_left(known, one[:2])
        if place < len(known) and known[place][1] == one[1]:
            known[place] = one
            return
        known.insert(place, one)
        if len(known) > KEPT:
            del known[: KEPT // 4]


class _Field:
    """Observations of the process, as the rows of their covariance's Cholesky factor, in standard deviations."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: list[tuple[int, list[float], float, float]] = []  # instant, row, the row's last, weight

    def told(self, at_ms: int) -> tuple[list[float], float, float]:
        """How an instant is bound to what was seen, and the mean and variance there."""
        row: list[float] = []
        moved = known = 0.0
        for other_ms, other, own, weight in self._seen:
            alike = _ALIKE / (1 + (abs(at_ms - other_ms) / HALF_MS) ** POWER)
            # Term by term: ``sum`` rounds otherwise from Python 3.12 on, and a recording replays bit for bit on any.
            bound = (alike - reduce(add, map(mul, row, other)) if row else alike) / own
            row.append(bound)
            moved += bound * weight
            known += bound * bound
        return row, moved, 1 - known

    def see(self, at_ms: int, row: list[float], beyond: float, variance: float) -> None:
        """An observation at the instant of the row, so far from the mean told there; its variance from that mean."""
        own = sqrt(variance)
        self._seen.append((at_ms, row, own, beyond / own))


def _at_least(least: float, mean: float, variance: float) -> tuple[float, float] | None:
    """Of a normal variable it became known that it is ``least`` or more: as an observation with a normal error.

    None where that was to be expected and tells next to nothing.
    """
    spread = sqrt(variance)
    beyond = (least - mean) / spread
    if beyond < _EXPECTED:
        return None
    chance = erfc(beyond / _ROOT_2) / 2
    if chance < 1e-6:
        value, left = least + _FAR, min(_FAR_VARIANCE, variance / 2)
    else:
        hazard = exp(-beyond * beyond / 2) / _ROOT_2_PI / chance
        value, left = mean + spread * hazard, max(_LEAST, 1 - hazard * (hazard - beyond)) * variance
    if variance - left < _SILENT * variance:
        return None
    error = 1 / (1 / left - 1 / variance)
    return (value / left - mean / variance) * error, error
