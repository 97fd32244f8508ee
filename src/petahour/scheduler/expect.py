"""Expect: how long work of a kind runs, learned from what has ended."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2

from petahour.scheduler.ask import Waiting

STEPS = 2  # bins per doubling of run time
BINS = 40 * STEPS  # up to 2^40 ms, some 35 years
ENOUGH = 8.0  # ends after which a narrower kind is believed over a wider one
MEMORY = 0.999  # what an end keeps of its weight when the next of its kind comes
UNKNOWN_MS = 60 * 60 * 1000  # the first guess, where nothing has ended yet

Kind = tuple[object, ...]


class Expectation:
    """Histograms of run times over logarithmic bins, one per kind, narrow to wide.

    The kinds of a job are (tenant, name, gang), (tenant, gang), (gang) and all. The narrowest with enough ends
    speaks.
    """

    def __init__(self) -> None:
        self._kinds: dict[Kind, _Histogram] = {}

    def learn(self, job: Waiting, ran_ms: int) -> None:
        """A job of this kind ended of itself after running so long in all."""
        for kind in _kinds(job):
            known = self._kinds.get(kind)
            if known is None:
                known = self._kinds[kind] = _Histogram()
            known.add(ran_ms)

    def remaining_ms(self, job: Waiting, attained_ms: int) -> float:
        """Expected run time still to come after ``attained_ms``, within the declared walltime."""
        expected = float(UNKNOWN_MS)
        for kind in _kinds(job):
            known = self._kinds.get(kind)
            if known is not None and known.weight >= ENOUGH:
                expected = known.mean_residual_ms(attained_ms)
                break
        if job.walltime_ms is not None:
            expected = min(expected, max(1.0, job.walltime_ms - attained_ms))
        return expected

    def gittins(self, job: Waiting, attained_ms: int) -> float:
        """Gittins' index: the best ratio, over quanta, of the chance to end within one to the time it takes."""
        for kind in _kinds(job):
            known = self._kinds.get(kind)
            if known is not None and known.weight >= ENOUGH:
                return known.gittins(attained_ms)
        return 1.0 / UNKNOWN_MS


class _Histogram:
    __slots__ = ("_cache", "_counts", "_sums", "weight")

    def __init__(self) -> None:
        self._counts = [0.0] * BINS
        self._sums = [0.0] * BINS
        self.weight = 0.0
        self._cache: dict[tuple[str, int], tuple[float, float]] = {}

    def add(self, ran_ms: int) -> None:
        place = _bin(ran_ms)
        # Growing the newcomer's weight is forgetting the others' without touching them.
        self.weight += 1.0
        self._counts[place] += 1.0
        self._sums[place] += ran_ms
        if self.weight * (1 - MEMORY) > 2.0:
            self._fade(0.5)

    def _fade(self, factor: float) -> None:
        self._counts = [count * factor for count in self._counts]
        self._sums = [total * factor for total in self._sums]
        self.weight *= factor

    def mean_residual_ms(self, attained_ms: int) -> float:
        return self._cached("mean", attained_ms)

    def gittins(self, attained_ms: int) -> float:
        return self._cached("gittins", attained_ms)

    def _cached(self, what: str, attained_ms: int) -> float:
        key = (what, _bin(attained_ms))
        known = self._cache.get(key)
        if known is not None and self.weight <= known[0] * 1.05:
            return known[1]
        value = self._mean(attained_ms) if what == "mean" else self._index(attained_ms)
        self._cache[key] = (self.weight, value)
        return value

    def _above(self, attained_ms: int) -> Iterator[tuple[float, float]]:
        """(weight, mean run time) of the bins whose mean lies above what was attained."""
        for place in range(_bin(attained_ms), BINS):
            count = self._counts[place]
            if count:
                mean = self._sums[place] / count
                if mean > attained_ms:
                    yield count, mean

    def _mean(self, attained_ms: int) -> float:
        weight = total = 0.0
        for count, mean in self._above(attained_ms):
            weight += count
            total += count * (mean - attained_ms)
        # Older than all that ended: it is expected to take as long again.
        return total / weight if weight else max(1.0, float(attained_ms))

    def _index(self, attained_ms: int) -> float:
        bins = list(self._above(attained_ms))
        weight = sum(count for count, _ in bins)
        if not weight:
            return 1.0 / max(1.0, float(attained_ms))
        best = ended = spent = 0.0
        for count, mean in bins:
            quantum = mean - attained_ms
            ended += count
            spent += count * quantum
            best = max(best, ended / (spent + (weight - ended) * quantum))
        return best


def _bin(ran_ms: float) -> int:
    return min(BINS - 1, int(log2(ran_ms + 1) * STEPS))


def _kinds(job: Waiting) -> Iterator[Kind]:
    ask = job.ask
    if job.name:
        yield ask.tenant, job.name, ask.accelerators
    yield ask.tenant, ask.accelerators
    yield (ask.accelerators,)
    yield ()
