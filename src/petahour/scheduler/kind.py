"""Kind: how long jobs of one kind ran, and what that tells of one that has run for so long."""

from __future__ import annotations

from functools import lru_cache
from math import log2

import numpy as np
from numpy.typing import NDArray

from petahour.model.time import DAY_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.near import SPREAD, Usual, log_of

STEPS = 2  # bins per doubling of run time
BINS = 36 * STEPS  # up to 2^36 ms, some two years
BELIEF = 4.0  # ends that a narrower kind must have seen to weigh as much as the wider kind it belongs to
SHORTEST_MS, LONGEST_MS = SECOND_MS, 32 * DAY_MS  # where nothing has ended yet, any order of magnitude is as likely
SETTLED_MS = 10 * MINUTE_MS  # nothing is concluded from having run for less
RISK = 0.15  # the mean run time is so many doublings above the middle one, for each doubling squared of variance
UNHEARD = 1e-6  # the chance of ending in a bin in which nothing ever ended
GROWTH = 1.2  # the tables of a kind are made anew when it has seen so many times as many ends

Counts = NDArray[np.float64]


class Kind:
    """One kind's ends, and the tables made of them: per bin of attained time, looked up at its lower edge.

    A histogram of run times over logarithmic bins, in which the ``wider`` kind counts as ``BELIEF`` ends, so that a
    new kind resembles what it belongs to; the widest begins as uniform over orders of magnitude. ``name``: of its
    jobs, where it is that of jobs of one name.
    """

    __slots__ = ("_gittins", "_made_at", "_remaining", "_share", "_usual", "ended", "name", "weight", "wider")

    def __init__(self, wider: Kind | None, name: str = "") -> None:
        self.wider = wider
        self.name = name
        self._usual: Usual | None = None
        self.ended = [0.0] * BINS
        self.weight = 0.0
        self._made_at = -1.0
        self._share: Counts = np.zeros(BINS)
        self._remaining: list[float] = []
        self._gittins: list[float] = []

    def apart(self, wider: Kind | None) -> Kind:
        """A copy below another wider kind; tables are replaced, never changed, and may be shared."""
        other = Kind(wider, self.name)
        other.ended, other.weight, other._made_at = self.ended.copy(), self.weight, self._made_at
        other._share, other._remaining, other._gittins = self._share, self._remaining, self._gittins
        return other

    def learn(self, place: int) -> None:
        """A job of this kind ended of itself in this bin of run time."""
        self.ended[place] += 1.0
        self.weight += 1.0

    def remaining_ms(self, attained_ms: int) -> float:
        """Expected run time still to come."""
        if self._stale():
            self._make()
        if not self._remaining:
            self._remaining = _remaining(self._share)
        return self._remaining[level_of(attained_ms)]

    def tells(self, place: int) -> float:
        """How much more likely an end in this bin was by this kind than by the wider one, in doublings."""
        if self._stale():
            self._make()
        wider = self.wider or self
        return log2((float(self._share[place]) + UNHEARD) / (float(wider._share[place]) + UNHEARD))

    @property
    def usual(self) -> Usual:
        """Of a name, what its ends were like; else, from the mean, as what was measured of all work is told by it."""
        mean_ms = self.remaining_ms(0)
        if self._usual is None:
            if self.name:
                self._usual = Usual(self.name, *_moments(self._share))
            else:
                self._usual = Usual("", log_of(mean_ms) - RISK * SPREAD**2, SPREAD)
        return self._usual

    def quantile_ms(self, attained_ms: int, part: float) -> float:
        """Run time still to come that in ``part`` (0..1) of all cases is not exceeded.

        Beyond all that ended, run times are taken to be Pareto's of index one, whose median is twice the age.
        """
        if self._stale():
            self._make()
        edges, first = _edges(), bin_of(attained_ms)
        low, high = edges[first:-1].copy(), edges[first + 1 :]
        chance = self._share[first:].copy()
        chance[0] *= (high[0] - attained_ms) / (high[0] - low[0])
        low[0] = attained_ms
        ended = chance.cumsum()
        if ended[-1] < 1e-12:
            return (attained_ms + 1) * part / max(1e-3, 1 - part)
        place = min(int(np.searchsorted(ended, part * ended[-1])), len(ended) - 1)
        before = ended[place] - chance[place]
        within = (part * ended[-1] - before) / chance[place] if chance[place] > 0 else 0.0
        return max(1.0, float((low[place] + 1) * ((high[place] + 1) / (low[place] + 1)) ** within) - attained_ms)

    def gittins_ms(self, level: int) -> float:
        """Over quanta from a level of attained time on: the least of time spent over the chance to end within."""
        if self._stale():
            self._make()
        if not self._gittins:
            self._gittins = _gittins(self._share)
        return self._gittins[level]

    def _stale(self) -> bool:
        # The widest kind has seen every end, so that it tells for all of them when much is new.
        return self._made_at < 0 or self.weight > self._made_at * GROWTH + 1

    def _make(self) -> None:
        self._made_at = self.weight
        self._share = self._shares()
        self._usual = None
        self._remaining, self._gittins = [], []  # when somebody asks: wider kinds are mostly asked for shares alone

    def _shares(self) -> Counts:
        if self.wider is None:
            prior = _log_uniform()
        else:
            if self.wider._stale():
                self.wider._make()
            prior = self.wider._share
        counts = np.array(self.ended) + BELIEF * prior
        return np.asarray(counts / counts.sum())


def bin_of(ran_ms: float) -> int:
    """The bin a run time falls into."""
    place = int(log2(ran_ms + 1) * STEPS)
    return place if place < BINS else BINS - 1


def level_of(attained_ms: int) -> int:
    """Attained time as a level: what is expected of a job is the same throughout one."""
    return bin_of(attained_ms) if attained_ms >= SETTLED_MS else 0


def lower_edge_ms(level: int) -> float:
    """The attained time, in ms, at which a level begins."""
    return float(2 ** (level / STEPS) - 1)


def next_edge_ms(attained_ms: int) -> int:
    """The attained time at which what is expected of a run next changes."""
    if attained_ms < SETTLED_MS:
        return SETTLED_MS
    return max(attained_ms + 1, int(2 ** ((bin_of(attained_ms) + 1) / STEPS)))


@lru_cache(maxsize=1)
def _edges() -> Counts:
    return np.asarray(2 ** (np.arange(BINS + 1) / STEPS) - 1)


@lru_cache(maxsize=1)
def _log_uniform() -> Counts:
    low, high = bin_of(SHORTEST_MS), bin_of(LONGEST_MS)
    share = np.zeros(BINS)
    share[low : high + 1] = 1 / (high + 1 - low)
    return share


@lru_cache(maxsize=1)
def _later() -> tuple[Counts, Counts, Counts]:
    """By [attained, end]: 1 where the end is in this bin or a later one, what is left until then in ms; and ages."""
    edges = _edges()
    middle = np.sqrt((edges[:-1] + 1) * (edges[1:] + 1)) - 1
    later = np.triu(np.ones((BINS, BINS)))
    return later, np.where(later > 0, middle[None, :] - edges[:-1, None], 0.0), edges[:-1] + 1


def _moments(share: Counts) -> tuple[float, float]:
    """Mean and standard deviation of ``log_of`` the run times; the latter at most what was measured of all work."""
    logs = _middles()
    mean = float((share * logs).sum())
    return mean, float(min(SPREAD, max(1 / STEPS, np.sqrt((share * (logs - mean) ** 2).sum()))))


@lru_cache(maxsize=1)
def _middles() -> Counts:
    edges = _edges() + 1
    return np.asarray(np.log2(np.sqrt(edges[:-1] * edges[1:]) + SECOND_MS))


def _remaining(share: Counts) -> list[float]:
    """Expected remaining time in ms for each bin's lower edge."""
    later, left, age = _later()
    chance = share * later
    alive = chance.sum(axis=1)
    # Older than all that ended: it is expected to take as long again.
    remaining = np.where(alive < 1e-12, age, (chance * left).sum(axis=1) / np.maximum(alive, 1e-300))
    return list(np.maximum(remaining, 1.0).tolist())


def _gittins(share: Counts) -> list[float]:
    """Gittins' time per end in ms for each bin's lower edge."""
    later, left, age = _later()
    chance = share * later
    alive = chance.sum(axis=1)
    ended = chance.cumsum(axis=1)
    spent = (chance * left).cumsum(axis=1) + (np.maximum(alive, 1e-300)[:, None] - ended) * left
    ratio = np.where((later > 0) & (ended > 0), spent / np.maximum(ended, 1e-300), np.inf)
    return list(np.maximum(np.where(alive < 1e-12, age, ratio.min(axis=1)), 1.0).tolist())
