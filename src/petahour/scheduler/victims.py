"""Victims: the runs that yield to a stronger claim, as few as suffice and those losing least."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from petahour.model.jobs import Tier
from petahour.scheduler.ask import Grant, Running, Waiting
from petahour.scheduler.room import Pool
from petahour.scheduler.state import State
from petahour.scheduler.veil import Veil


class Freed(NamedTuple):
    """Runs to stop for a gang, and the accelerators to keep for it that are free already."""

    stop: list[Running]
    keep: tuple[Grant, ...]


class _Row(NamedTuple):
    """One candidate; rows sort by who yields first."""

    repeats_work: bool
    negated_claim: float
    negated_placed_ms: int
    id: str
    running: Running


class Victims:
    """Who may be stopped in one pass, each once.

    Spot yields to firmer tiers, borrowed capacity to work within its tenant's nominal share, and under a policy
    that shares time spot that keeps checkpoints yields to spot of a lesser claim (see ``Policy.claim``). What lies
    on seats of a reservation yields to its owner's reserved work, however often it did.
    """

    def __init__(self, state: State, now_ms: int, veil: Veil | None) -> None:
        self._state, self._now_ms, self._veil = state, now_ms, veil
        self.least_claim = inf  # of those that asked
        self._taken: set[str] = set()
        self._spot: dict[int, list[_Row]] = {}
        self._lent: dict[int, list[_Row]] = {}

    def of(self, job: Waiting, pool: Pool, *, within_nominal: bool, seated: bool = False) -> Freed | None:
        """What to stop in the pool for the job; an empty list where room is on its way; None: no set suffices."""
        found = self._find(job, pool, within_nominal=within_nominal, seated=seated)
        if found is not None:
            self._taken |= {running.id for running in found.stop}
        return found

    def could(self, job: Waiting, pool: Pool, *, within_nominal: bool) -> bool:
        """Whether ``of`` would find something."""
        return self._find(job, pool, within_nominal=within_nominal, seated=False) is not None

    def _find(self, job: Waiting, pool: Pool, *, within_nominal: bool, seated: bool) -> Freed | None:
        coming = [run for run in self._state.yielding.get(job.id, ()) if run.pool == pool.index]
        weaker = self._seated(job, pool) if seated else self._weaker(job, pool, within_nominal)
        if self._veil is not None:
            coming, weaker = _shown(self._veil, pool, coming), _shown(self._veil, pool, weaker)
        if not coming and not weaker:
            return None
        for running in coming:
            pool.give(running.grants)
        chosen = _fewest(pool, job, weaker)
        found = None
        if chosen is not None:
            for running in chosen:
                pool.give(running.grants)
            grants = pool.fit(job.ask.gang, job.ask.rest)
            for running in chosen:
                pool.take(running.grants)
            if grants is not None:
                found = grants
        for running in coming:
            pool.take(running.grants)
        if chosen is None or found is None:
            return None
        kept = ((node, mask & pool.free_mask(node)) for node, mask in found)
        return Freed(chosen, tuple(Grant(node, mask) for node, mask in kept if mask))

    def _weaker(self, job: Waiting, pool: Pool, within_nominal: bool) -> list[Running]:
        """Runs the job may displace: those with a checkpoint first, then the weakest claim, then the latest."""
        state, tenant = self._state, job.ask.tenant
        if job.ask.tier is not Tier.SPOT:
            rows = self._rows(pool, state.spot, self._spot)
            if within_nominal and state.lent.get(pool.index):
                lent = self._rows(pool, state.lent, self._lent)
                rows = sorted(rows + [row for row in lent if row.running.job.ask.tenant != tenant])
        elif state.policy.claim is not None:
            own = state.policy.claim(state, job, 0, self._now_ms)
            self.least_claim = min(self.least_claim, own)
            # Among equals in tier nobody's work is thrown away.
            rows = [
                row
                for row in self._rows(pool, state.spot, self._spot)
                if -row.negated_claim > own and not row.repeats_work
            ]
        else:
            rows = []
        return [row.running for row in rows if row.running.id not in self._taken]

    def _seated(self, job: Waiting, pool: Pool) -> list[Running]:
        """Everybody else's runs that may be on seats: those that keep their work first, then the latest."""
        state, tenant = self._state, job.ask.tenant
        runs = [*state.spot.get(pool.index, {}).values(), *state.lent.get(pool.index, {}).values()]
        rows = sorted(
            _Row(not one.job.checkpoints, 0.0, -one.placed_ms, one.id, one)
            for one in runs
            if one.id not in self._taken and (one.job.ask.spot or one.job.ask.tenant != tenant)
        )
        return [row.running for row in rows]

    def _rows(self, pool: Pool, runs: dict[int, dict[str, Running]], known: dict[int, list[_Row]]) -> list[_Row]:
        """Runs of the pool that the bounds on preemption allow to stop, in the order of yielding."""
        rows = known.get(pool.index)
        if rows is None:
            state, now_ms, bounds = self._state, self._now_ms, self._state.bounds
            claim, rows = state.policy.claim, []
            for running in runs.get(pool.index, {}).values():
                job, ran_ms = running.job, now_ms - running.placed_ms
                if bounds.allow(job, ran_ms, now_ms):
                    value = claim(state, job, ran_ms, now_ms) if claim is not None else 0.0
                    rows.append(_Row(not job.checkpoints, -value, -running.placed_ms, running.id, running))
            rows.sort()
            known[pool.index] = rows
        return rows


def _shown(veil: Veil, pool: Pool, runs: list[Running]) -> list[Running]:
    shown = (veil.shown(pool, running) for running in runs)
    return [running for running in shown if running.grants]


def _fewest(pool: Pool, job: Waiting, weaker: list[Running]) -> list[Running] | None:
    """A smallest set, by leaving out what turns out not to be needed; None when all together do not suffice."""
    gang, rest = job.ask.gang, job.ask.rest
    chosen: list[Running] = []
    fits = pool.fits(gang, rest)
    for running in weaker:
        if fits:
            break
        pool.give(running.grants)
        chosen.append(running)
        fits = pool.fits(gang, rest)
    needed = list(chosen)
    if fits:
        # Taking the weakest ones first may have gathered some that the gang does not need.
        for running in chosen:
            pool.take(running.grants)
            if pool.fits(gang, rest):
                needed.remove(running)
            else:
                pool.give(running.grants)
    for running in needed:
        pool.take(running.grants)
    return needed if fits else None
