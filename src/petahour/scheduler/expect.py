"""Expect: how long work of a kind runs, learned from what has ended."""

from __future__ import annotations

from math import sqrt

from petahour.model.time import MINUTE_MS
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.declared import Declared
from petahour.scheduler.kind import BINS, RISK, STEPS, Kind, bin_of, level_of, lower_edge_ms
from petahour.scheduler.near import Told, log_of
from petahour.scheduler.sweeps import Sweep, Sweeps

NEAR, ROW = 0.3, 1.0  # ends that what is known otherwise weighs as, against those of a job's stretch and of its row
DOUBT, DOUBTED_MS = 0.3, 10 * MINUTE_MS  # the latter in accelerator time: what is not told apart in attained service
OUTLIVED = 1.5  # typical run times
CONVINCED = 64.0  # doublings for or against names beyond which nothing is added, as tenants change their habits


class Expectation:
    """Run times by kind of job, from wide to narrow: all, gang size, tenant's gang size, tenant's job of one name.

    Beside its kind speak the jobs that were submitted near to it, and its walltime, as far as a tenant's walltimes
    tell (``scheduler.declared``).

    Some tenants name jobs after what they do, others after nothing. A tenant's names count once what ended was, all
    in all, more likely by their names than without: the Bayes factor of one model over the other.
    Source: Kass & Raftery, Bayes Factors, JASA 90 (1995).
    """

    def __init__(self) -> None:
        self.sweeps = Sweeps()
        self._all = Kind(None)
        self._kinds: dict[tuple[object, ...], Kind] = {}
        self._once: set[tuple[str, str, int]] = set()
        self._told: dict[str, float] = {}  # by tenant: what its jobs' names told of their run times, in doublings
        self._declared: dict[str, Declared] = {}
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
        self._declared = {tenant: one.apart() for tenant, one in other._declared.copy().items()}
        self._ended, self._ran_ms, self.mean_ms = other._ended, other._ran_ms, other.mean_ms

    def share(self, other: Expectation) -> None:
        """Know what the other knows of kinds, as one of several that learn nothing."""
        self._all, self._kinds, self._told = other._all, other._kinds.copy(), other._told.copy()
        self._declared = other._declared.copy()
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
        usual = self._of(job).usual
        if job.walltime_ms is not None:
            self._declared_of(job).learn(log_of(ran_ms), log_of(job.walltime_ms))
        if job.sweep is not None:
            job.sweep.learn(job, ran_ms, usual)
        kind: Kind | None = self._named(job)
        place = bin_of(ran_ms)
        if kind is not None and kind.name:
            told = self._told.get(job.ask.tenant, 0.0) + kind.tells(place)
            self._told[job.ask.tenant] = max(-CONVINCED, min(CONVINCED, told))
        while kind is not None:
            kind.learn(place)
            kind = kind.wider

    def name(self, job: Waiting) -> str:
        """The job's name where it tells how long the job runs, else nothing."""
        if not job.name or self._told.get(job.ask.tenant, 0.0) <= 0:
            return ""
        return job.name if (job.ask.tenant, job.name, job.ask.accelerators) in self._kinds else ""

    def remaining_ms(self, job: Waiting, attained_ms: int) -> float:
        """Expected run time still to come after ``attained_ms``, within the declared walltime."""
        kind = self._of(job)
        expected = kind.remaining_ms(attained_ms)
        if job.walltime_ms is None:
            return expected
        return min(self._by_walltime(job, kind, attained_ms, expected), max(1.0, job.walltime_ms - attained_ms))

    def run_ms(self, job: Waiting, now_ms: int) -> float:
        """Expected run time of a job that has not run, within the declared walltime."""
        sweep = job.sweep
        if sweep is None:
            expected = self._of(job).remaining_ms(0)
            return expected if job.walltime_ms is None else min(expected, job.walltime_ms)
        name = self.name(job)
        kept = sweep.expected.get(name)
        if kept is None or kept[0] < now_ms:
            told = sweep.near.expected(job.submitted_ms, self._of(job).usual, now_ms)
            kept = sweep.expected[name] = (now_ms + told.holds_ms, told, _middle(told))
        if job.walltime_ms is None:
            return kept[2]
        return min(_middle(self._heard(job, kept[1])), job.walltime_ms)

    def quantile_ms(self, job: Waiting, attained_ms: int, part: float, now_ms: int) -> float:
        """Run time still to come that in ``part`` (0..1) of all cases is not exceeded, within the declared walltime.

        What is known of jobs submitted near it stretches or shrinks the distribution of its kind; what its walltime
        tells narrows it.
        """
        kind = self._of(job)
        left_ms = kind.quantile_ms(attained_ms, part)
        told = Told(kind.usual.mean, kind.usual.spread**2, 0)
        if not attained_ms and job.sweep is not None:
            # Not kept: the sweep is the live one's.
            told = job.sweep.near.expected(job.submitted_ms, kind.usual, now_ms)
        if job.walltime_ms is not None:
            heard = self._heard(job, told)
            left_ms = _drawn(left_ms, attained_ms, 2**heard.mean, 1 - sqrt(heard.variance) / kind.usual.spread)
            return min(left_ms, max(1.0, job.walltime_ms - attained_ms))
        return left_ms if attained_ms or job.sweep is None else left_ms * _middle(told) / kind.remaining_ms(0)

    def index_ms(self, job: Waiting, attained_ms: int) -> float:
        """Gittins' index inverted: over quanta, the least of expected time spent over the chance to end within.

        What ended of the job's row speaks too, as long as the job has not outlived it and no name tells, and so does
        a walltime, as far as the tenant's tell. As distributions are learned from few ends, the index is drawn by
        ``DOUBT`` to what needs none: the least attained service. Constant between the edges of ``next_edge_ms``.

        Source: Gittins, Glazebrook & Weber, Multi-armed Bandit Allocation Indices, 2nd ed. (2011).
        """
        level = level_of(attained_ms)
        sweep, kind = job.sweep, self._of(job)
        own_ms = lower_edge_ms(level) + DOUBTED_MS / job.ask.accelerators
        index = float(self._gittins_ms(kind, sweep, level) ** (1 - DOUBT) * own_ms**DOUBT)
        return index if job.walltime_ms is None else self._by_walltime(job, kind, lower_edge_ms(level), index)

    def _gittins_ms(self, kind: Kind, sweep: Sweep | None, level: int) -> float:
        # Where a name tells how long its jobs run, others of the row, of whatever names, add nothing.
        if kind.name or sweep is None or sweep.wider is None or not sweep.wider.ended:
            return kind.gittins_ms(level)
        kept = sweep.indexes.get(level)
        if kept is None or kept[0] != sweep.ended or kept[1] != sweep.wider.ended:
            kept = (sweep.ended, sweep.wider.ended, _within(sweep, sweep.wider, level, kind.gittins_ms(level)))
            sweep.indexes[level] = kept
        return kept[2]

    def _of(self, job: Waiting) -> Kind:
        """The narrowest kind that has seen more than one end; by its name where the tenant's names tell."""
        name = self.name(job)
        return self._kinds[job.ask.tenant, name, job.ask.accelerators] if name else self._unnamed(job)

    def _heard(self, job: Waiting, told: Told) -> Told:
        """What is told of a job's run time, once its walltime is heard too."""
        return told if job.walltime_ms is None else self._declared_of(job).heard(told, log_of(job.walltime_ms))

    def _by_walltime(self, job: Waiting, kind: Kind, attained_ms: float, left_ms: float) -> float:
        """What is left of a job that has run, drawn to what its walltime tells, as far as it tells anything."""
        usual = Told(kind.usual.mean, kind.usual.spread**2, 0)
        told = self._heard(job, usual)
        return _drawn(left_ms, attained_ms, 2**told.mean, 1 - told.variance / usual.variance)

    def _declared_of(self, job: Waiting) -> Declared:
        found = self._declared.get(job.ask.tenant)
        if found is None:
            found = self._declared[job.ask.tenant] = Declared()
        return found

    def _unnamed(self, job: Waiting) -> Kind:
        ask = job.ask
        kind = self._kinds.get((ask.tenant, "", ask.accelerators))
        if kind is None:
            kind = self._wider((ask.tenant, "", ask.accelerators), self._wider((ask.accelerators,), self._all))
        return kind

    def _named(self, job: Waiting) -> Kind:
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

    def _wider(self, key: tuple[object, ...], wider: Kind, name: str = "") -> Kind:
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = Kind(wider, name)
        return kind


def _middle(told: Told) -> float:
    """Expected ms."""
    return float(2 ** min(BINS / STEPS, told.mean + RISK * told.variance))


def _within(near: Sweep, row: Sweep, level: int, index: float) -> float:
    """The index, drawn to what is left of the run time that is typical of a job's row and of its stretch."""
    for one, belief in ((row, ROW), (near, NEAR)):
        if one.ended:
            typical_ms = 2 ** (one.logs / one.ended)
            index = _drawn(index, lower_edge_ms(level), typical_ms, one.ended / (one.ended + belief))
    return index


def _drawn(left_ms: float, attained_ms: float, typical_ms: float, weight: float) -> float:
    """What is left, drawn by the weight to what is left of a typical run time, unless the job has outlived that."""
    if attained_ms >= OUTLIVED * typical_ms:
        return left_ms
    typically_ms = max(typical_ms - attained_ms, 0.1 * typical_ms)
    return float(typically_ms**weight * left_ms ** (1 - weight))
