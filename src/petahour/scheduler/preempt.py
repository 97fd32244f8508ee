"""Preempt: the smallest set of spot or borrowed allocations whose end lets a gang start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.jobs import Job, Tier
from petahour.model.resources import Slot
from petahour.scheduler.room import Pool, Room, mask_of
from petahour.scheduler.snapshot import Snapshot

Masks = Mapping[str, int]


def candidates(snapshot: Snapshot, job: Job, *, within_nominal: bool, taken: set[str]) -> list[Allocation]:
    """Allocations the job may displace, those losing least first: latest placed first."""
    if job.spec.tier is Tier.SPOT:
        return []
    found = [
        allocation
        for allocation in snapshot.allocations.values()
        if allocation.id not in taken
        and allocation.type in job.spec.types
        and allocation.state in (AllocationState.STARTING, AllocationState.RUNNING)
        and _may_yield(allocation, job, within_nominal)
        and snapshot.now_ms - allocation.placed_ms >= snapshot.min_run_ms
        and snapshot.preemptions.get(allocation.job, 0) < snapshot.max_preemptions
    ]
    return sorted(found, key=lambda item: (-item.placed_ms, item.id))


def victims(
    room: Room, pool: Pool, job: Job, able: Iterable[Allocation], coming: Masks
) -> tuple[list[Allocation], tuple[Slot, ...]] | None:
    """The fewest allocations of the pool to stop, and the slots the gang will then have; None: no set suffices."""
    members = set(pool.nodes)
    chosen: list[Allocation] = []
    for allocation in able:
        if not any(slot.node in members for slot in allocation.slots):
            continue
        chosen.append(allocation)
        if room.fit(pool, job.spec.gang, merged(coming, chosen)) is not None:
            break
    else:
        return None
    # Taking the last ones first may have gathered some that the gang does not need.
    for allocation in list(chosen):
        rest = [item for item in chosen if item is not allocation]
        if room.fit(pool, job.spec.gang, merged(coming, rest)) is not None:
            chosen = rest
    slots = room.fit(pool, job.spec.gang, merged(coming, chosen))
    return None if slots is None else (chosen, slots)


def coming_free(snapshot: Snapshot, job: Job) -> dict[str, int]:
    """Masks of what is being stopped for this very job."""
    stopping = [
        item
        for item in snapshot.allocations.values()
        if item.state is AllocationState.STOPPING and item.stop_for == job.id
    ]
    return merged({}, stopping)


def merged(masks: Masks, allocations: Iterable[Allocation]) -> dict[str, int]:
    """The masks with those of the allocations added."""
    result = dict(masks)
    for allocation in allocations:
        for slot in allocation.slots:
            result[slot.node] = result.get(slot.node, 0) | mask_of(slot)
    return result


def _may_yield(allocation: Allocation, job: Job, within_nominal: bool) -> bool:
    if allocation.tier is Tier.SPOT:
        return True
    return within_nominal and allocation.borrowed and allocation.tenant != job.tenant
