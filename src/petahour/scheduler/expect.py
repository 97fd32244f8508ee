"""Expect: how long work of a kind runs, learned from what has ended."""

from __future__ import annotations

from functools import lru_cache
from math import log2

import numpy as np
from numpy.typing import NDArray

from petahour.model.time import DAY_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.near import SPREAD, Usual, log_of
from petahour.scheduler.sweeps import Sweep, Sweeps

STEPS = 2  # bins per doubling of run time
BINS = 36 * STEPS  # up to 2^36 ms, some two years
BELIEF = 4.0  # ends that a narrower kind must have seen to weigh as much as the wider kind it belongs to
SHORTEST_MS, LONGEST_MS = SECOND_MS, 32 * DAY_MS  # where nothing has ended yet, any order of magnitude is as likely
SETTLED_MS = 10 * MINUTE_MS  # nothing is concluded from having run for less
NEAR, ROW = 0.3, 1.0  # ends that what is known otherwise weighs as, against those of a job's stretch and of its row
RISK = 0.15  # the mean run time is so many doublings above the middle one, for each doubling squared of variance
DOUBT, DOUBTED_MS = 0.3, 10 * MINUTE_MS  # the latter in accelerator time: what is not told apart in attained service
UNHEARD = 1e-6  # the chance of ending in a bin in which nothing ever ended
CONVINCED = 64.0  # doublings for or against names beyond which nothing is added, as tenants change their habits
GROWTH = 1.2  # the tables of a kind are made anew when it has seen so many times as many ends

Counts = NDArray[np.float64]


class Expectation:
    """Run times by kind of job, from wide to narrow: all, gang size, tenant's gang size, tenant's job of one name.

    A kind's distribution is a histogram over logarithmic bins in which the wider kind counts as ``BELIEF`` ends,
    so that a new kind resembles what it belongs to, and the first of all is uniform over orders of magnitude. Beside
    its kind speak the jobs that were submitted in a row with it.

    Some tenants name jobs after what they do, others after nothing. A tenant's names count once what ended was, all
    in all, more likely by their names than without: the Bayes factor of one model over the other.
    Source: Kass & Raftery, Bayes Factors, JASA 90 (1995).
    """

    def __init__(self) -> None:
        self.sweeps = Sweeps()
        self._all = _Kind(None)
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._once: set[tuple[str, str, int]] = set()
        self._told: dict[str, float] = {}  # by tenant: what its jobs' names told of their run times, in doublings
        self._ended, self._ran_ms = 0, 0
        self.mean_ms = 0.0  # the mean run time of all that ended; 0 before anything did

    def know(self, other: Expectation) -> None:
        """Know what the other has learned of kinds so far, and learn apart from it from now on.

        The other may learn in another thread meanwhile; what it knows of rows of jobs is not taken over. Nothing that
        is asked of this one shows in the other: when tables are made anew is part of what decisions come from.
        """
        self._all = other._all.apart(None)
        copies, self._kinds = {id(other._all): self._all}, {}
        for key, kind in other._kinds.copy().items():  # wider ones come first
            wider = None if kind.wider is None else copies[id(kind.wider)]
            self._kinds[key] = copies[id(kind)] = kind.apart(wider)
        self._told = other._told.copy()
        self._ended, self._ran_ms, self.mean_ms = other._ended, other._ran_ms, other.mean_ms

    def share(self, other: Expectation) -> None:
        """Know what the other knows of kinds, as one of several that learn nothing."""
        self._all, self._kinds, self._told = other._all, other._kinds.copy(), other._told.copy()
        self._ended, self._ran_ms, self.mean_ms = other._ended, other._ran_ms, other.mean_ms

    def began(self, running: Running) -> None:
        """A run begins."""
        job = running.job
        if job.sweep is not None:
            job.sweep.begin(job, running.placed_ms - job.attained_ms, self._of(job).usual)

    def left(self, running: Running) -> None:
        """A run is over, for whatever reason."""
        if running.job.sweep is not None:
            running.job.sweep.leave(running.job)

    def learn(self, job: Waiting, ran_ms: int) -> None:
        """A job of this kind ended of itself after running so long in all."""
        self._ended += 1
        self._ran_ms += ran_ms
        self.mean_ms = self._ran_ms / self._ended
        if job.sweep is not None:
            job.sweep.learn(job, ran_ms, self._of(job).usual)
        kind: _Kind | None = self._named(job)
        place = bin_of(ran_ms)
        if kind is not None and kind.name:
            told = self._told.get(job.ask.tenant, 0.0) + kind.tells(place)
            self._told[job.ask.tenant] = max(-CONVINCED, min(CONVINCED, told))
        while kind is not None:
            kind.ended[place] += 1.0
            kind.weight += 1.0
            kind = kind.wider

    def name(self, job: Waiting) -> str:
        """The job's name where it tells how long the job runs, else nothing."""
        if not job.name or self._told.get(job.ask.tenant, 0.0) <= 0:
            return ""
        return job.name if (job.ask.tenant, job.name, job.ask.accelerators) in self._kinds else ""

    def remaining_ms(self, job: Waiting, attained_ms: int) -> float:
        """Expected run time still to come after ``attained_ms``, within the declared walltime."""
        expected = self._of(job).remaining_ms(attained_ms)
        if job.walltime_ms is None:
            return expected
        return min(expected, max(1.0, job.walltime_ms - attained_ms))

    def run_ms(self, job: Waiting, now_ms: int) -> float:
        """Expected run time of a job that has not run, within the declared walltime."""
        sweep = job.sweep
        if sweep is None:
            expected = self._of(job).remaining_ms(0)
        else:
            name = self.name(job)
            kept = sweep.expected.get(name)
            if kept is None or kept[0] < now_ms:
                expected, holds_ms = _expect(job, self._of(job), sweep, now_ms)
                kept = sweep.expected[name] = (now_ms + holds_ms, expected)
            expected = kept[1]
        return expected if job.walltime_ms is None else min(expected, job.walltime_ms)

    def quantile_ms(self, job: Waiting, attained_ms: int, part: float, now_ms: int) -> float:
        """Run time still to come that in ``part`` (0..1) of all cases is not exceeded, within the declared walltime.

        What is known of jobs submitted near it, beside its kind, stretches or shrinks the distribution of the kind.
        """
        kind = self._of(job)
        left_ms = kind.quantile_ms(attained_ms, part)
        if not attained_ms and job.sweep is not None:
            # Not kept: the sweep is the live one's.
            left_ms *= _expect(job, kind, job.sweep, now_ms)[0] / kind.remaining_ms(0)
        if job.walltime_ms is None:
            return left_ms
        return min(left_ms, max(1.0, job.walltime_ms - attained_ms))

    def index_ms(self, job: Waiting, attained_ms: int) -> float:
        """Gittins' index inverted: over quanta, the least of expected time spent over the chance to end within.

        What ended of the job's row speaks too, as long as the job has not outlived it and no name tells. As
        distributions are learned from few ends, the index is drawn by ``DOUBT`` to what needs none: the least
        attained service. Constant between the edges of ``next_edge_ms``.

        Source: Gittins, Glazebrook & Weber, Multi-armed Bandit Allocation Indices, 2nd ed. (2011).
        """
        level = level_of(attained_ms)
        sweep, kind = job.sweep, self._of(job)
        own_ms = _lower_edge_ms(level) + DOUBTED_MS / job.ask.accelerators
        return float(self._gittins_ms(kind, sweep, level) ** (1 - DOUBT) * own_ms**DOUBT)

    def _gittins_ms(self, kind: _Kind, sweep: Sweep | None, level: int) -> float:
        # Where a name tells how long its jobs run, others of the row, of whatever names, add nothing.
        if kind.name or sweep is None or sweep.wider is None or not sweep.wider.ended:
            return kind.gittins_ms(level)
        kept = sweep.indexes.get(level)
        if kept is None or kept[0] != sweep.ended or kept[1] != sweep.wider.ended:
            kept = (sweep.ended, sweep.wider.ended, _within(sweep, sweep.wider, level, kind.gittins_ms(level)))
            sweep.indexes[level] = kept
        return kept[2]

    def _of(self, job: Waiting) -> _Kind:
        """The narrowest kind that has seen more than one end; by its name where the tenant's names tell."""
        name = self.name(job)
        return self._kinds[job.ask.tenant, name, job.ask.accelerators] if name else self._unnamed(job)

    def _unnamed(self, job: Waiting) -> _Kind:
        ask = job.ask
        kind = self._kinds.get((ask.tenant, "", ask.accelerators))
        if kind is None:
            kind = self._wider((ask.tenant, "", ask.accelerators), self._wider((ask.accelerators,), self._all))
        return kind

    def _named(self, job: Waiting) -> _Kind:
        """The kind to learn for: a name has one of its own from its second end, as many names never come again."""
        if not job.name:
            return self._unnamed(job)
        key = (job.ask.tenant, job.name, job.ask.accelerators)
        if key in self._kinds:
            return self._kinds[key]
        if key in self._once:
            self._once.discard(key)
            return self._wider(key, self._unnamed(job), job.name)
        self._once.add(key)
        return self._unnamed(job)

    def _wider(self, key: tuple[object, ...], wider: _Kind, name: str = "") -> _Kind:
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(wider, name)
        return kind


def _expect(job: Waiting, kind: _Kind, sweep: Sweep, now_ms: int) -> tuple[float, int]:
    """Expected ms of its kind, drawn to those of its neighbours, and for how many ms from now that holds."""
    told = sweep.near.expected(job.submitted_ms, kind.usual, now_ms)
    return float(2 ** min(BINS / STEPS, told.mean + RISK * told.variance)), told.holds_ms


class _Kind:
    """One kind's ends, and the tables made of them: per bin of attained time, looked up at its lower edge."""

    __slots__ = ("_gittins", "_made_at", "_remaining", "_share", "_usual", "ended", "name", "weight", "wider")

    def __init__(self, wider: _Kind | None, name: str = "") -> None:
        self.wider = wider
        self.name = name
        self._usual: Usual | None = None
        self.ended = [0.0] * BINS
        self.weight = 0.0
        self._made_at = -1.0
        self._share: Counts = np.zeros(BINS)
        self._remaining: list[float] = []
        self._gittins: list[float] = []

    def apart(self, wider: _Kind | None) -> _Kind:
        """A copy below another wider kind; tables are replaced, never changed, and may be shared."""
        other = _Kind(wider, self.name)
        other.ended, other.weight, other._made_at = self.ended.copy(), self.weight, self._made_at
        other._share, other._remaining, other._gittins = self._share, self._remaining, self._gittins
        return other

    def remaining_ms(self, attained_ms: int) -> float:
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
        """Beyond all that ended, run times are taken to be Pareto's of index one, whose median is twice the age."""
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


def _lower_edge_ms(level: int) -> float:
    return float(2 ** (level / STEPS) - 1)


def _within(near: Sweep, row: Sweep, level: int, index: float) -> float:
    """The index, drawn to what is left of the run time that is typical of a job's row and of its stretch."""
    attained_ms = _lower_edge_ms(level)
    for one, belief in ((row, ROW), (near, NEAR)):
        if one.ended:
            typical_ms = 2 ** (one.logs / one.ended)
            if attained_ms < 1.5 * typical_ms:
                weight = one.ended / (one.ended + belief)
                left_ms = max(typical_ms - attained_ms, 0.1 * typical_ms)
                index = float(left_ms**weight * index ** (1 - weight))
    return index


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
