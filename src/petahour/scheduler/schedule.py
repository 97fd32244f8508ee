"""The pass: every queued job is placed, or held for a reason; some allocations yield to stronger claims."""

from __future__ import annotations

from collections import ChainMap

from petahour.model.allocations import Allocation
from petahour.model.jobs import Job, Tier
from petahour.model.resources import Slot
from petahour.scheduler import explain
from petahour.scheduler.funds import hold_micros
from petahour.scheduler.order import in_order
from petahour.scheduler.plan import Hold, HoldCode, Place, Plan, Preempt
from petahour.scheduler.preempt import candidates, coming_free, victims
from petahour.scheduler.quota import Share, share_of
from petahour.scheduler.room import Pool, Room
from petahour.scheduler.snapshot import Snapshot


def schedule(snapshot: Snapshot) -> Plan:
    """One decision for every queued job. Pure: the same snapshot gives the same plan."""
    return _Pass(snapshot).run()


class _Pass:
    """The overlay of one pass: what earlier decisions of it have used up.

    Nothing becomes free within a pass, so a job that asks for what was refused before is refused alike.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._room = Room(snapshot.nodes, snapshot.free)
        self._used: ChainMap[tuple[str, str], int] = ChainMap({}, dict(snapshot.used))
        self._spent: dict[str, int] = {}
        self._refused: dict[object, explain.Why] = {}
        self._yielding: set[str] = set()
        self._places: list[Place] = []
        self._preempts: list[Preempt] = []
        self._holds: list[Hold] = []
        self._helped = {item.stop_for for item in snapshot.allocations.values() if item.stop_for}

    def run(self) -> Plan:
        for job in in_order(self._snapshot):
            kind = _kind(job)
            why = None if job.id in self._helped else self._refused.get(kind)
            if why is None:
                why = self._decide(job)
                if why is not None and why[0] is not HoldCode.PREEMPTING:
                    self._refused[kind] = why
            if why is not None:
                self._holds.append(Hold(job=job.id, code=why[0], text=why[1]))
        return Plan(places=tuple(self._places), preempts=tuple(self._preempts), holds=tuple(self._holds))

    def _decide(self, job: Job) -> explain.Why | None:
        """Place the job on the first acceptable type that takes it now, else free room for it, else say why not."""
        refusals = []
        for type_name in job.spec.types:
            why = self._place_on(job, type_name)
            if why is None:
                return None
            refusals.append(why)
        crowded = any(code is HoldCode.CAPACITY for code, _ in refusals)
        freed = self._preempt(job) if crowded and job.spec.tier is not Tier.SPOT else None
        return freed or min(refusals, key=lambda why: _CLOSEST.index(why[0]))

    def _place_on(self, job: Job, type_name: str) -> explain.Why | None:
        micros = hold_micros(self._snapshot, job, type_name)
        if micros is None:
            return explain.no_price(job)
        share = self._share(job, type_name)
        if share is Share.REFUSED:
            key = (job.tenant, type_name)
            return explain.no_quota(job, type_name, self._snapshot.quotas.get(key), self._used.get(key, 0))
        short = 0
        for pool in self._room.pools(type_name):
            slots = self._room.fit(pool, job.spec.gang)
            if slots is None:
                continue
            short = 0 if pool.rehearsal else max(0, micros - self._available(job.tenant))
            if short == 0:
                self._take(job, slots, type_name, 0 if pool.rehearsal else micros)
                self._places.append(Place(job=job.id, type=type_name, slots=slots, borrowed=share is Share.BORROWED))
                return None
        if short:
            return explain.no_funds(type_name, short, micros)
        return explain.no_capacity(self._snapshot, self._room, job)

    def _preempt(self, job: Job) -> explain.Why | None:
        """Free room for the job by stopping weaker claims, or claim what is being freed for it already."""
        coming = coming_free(self._snapshot, job)
        for type_name in job.spec.types:
            share = self._share(job, type_name)
            micros = hold_micros(self._snapshot, job, type_name)
            if share is Share.REFUSED or micros is None:
                continue
            able = candidates(self._snapshot, job, within_nominal=share is Share.NOMINAL, taken=self._yielding)
            for pool in self._room.pools(type_name):
                # Nobody is stopped for a job that could not pay for the place.
                if (pool.rehearsal or micros <= self._available(job.tenant)) and self._claim(job, pool, able, coming):
                    return explain.preempting(job, type_name)
        return None

    def _claim(self, job: Job, pool: Pool, able: list[Allocation], coming: dict[str, int]) -> bool:
        """Keep the pool's free and coming accelerators from weaker jobs; stop more where they do not suffice."""
        slots = self._room.fit(pool, job.spec.gang, coming)
        if slots is None:
            found = victims(self._room, pool, job, able, coming)
            if found is None:
                return False
            chosen, slots = found
            self._yielding |= {allocation.id for allocation in chosen}
            self._preempts += [Preempt(allocation=allocation.id, for_job=job.id) for allocation in chosen]
        self._room.take(slots)
        return True

    def _take(self, job: Job, slots: tuple[Slot, ...], type_name: str, micros: int) -> None:
        self._room.take(slots)
        share = (job.tenant, type_name)
        self._used[share] = self._used.get(share, 0) + job.spec.gang.accelerators
        self._spent[job.tenant] = self._spent.get(job.tenant, 0) + micros

    def _available(self, tenant: str) -> int:
        return self._snapshot.available_micros.get(tenant, 0) - self._spent.get(tenant, 0)

    def _share(self, job: Job, type_name: str) -> Share:
        return share_of(
            self._snapshot.quotas,
            self._used,
            tenant=job.tenant,
            type_name=type_name,
            tier=job.spec.tier,
            accelerators=job.spec.gang.accelerators,
        )


# Of several types' refusals the one closest to a start is told: what a top-up mends, then what time mends.
_CLOSEST = (HoldCode.FUNDS, HoldCode.CAPACITY, HoldCode.QUOTA, HoldCode.PRICE)


def _kind(job: Job) -> tuple[object, ...]:
    """Jobs of one kind are refused for the same reason within a pass."""
    spec = job.spec
    return job.tenant, spec.tier, spec.types, spec.gang, spec.walltime_ms
