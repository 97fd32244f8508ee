"""Take in: stored jobs and allocations as the scheduler's own small values."""

from __future__ import annotations

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.errors import InvariantError
from petahour.model.jobs import Job
from petahour.model.resources import Gang
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.state import State


def waiting_of(state: State, job: Job) -> Waiting:
    """A stored job as one that waits, or waited."""
    spec = job.spec
    ask = state.asks.of(
        tenant=job.tenant,
        tier=spec.tier,
        types=spec.types,
        gang=spec.gang,
        priority=spec.priority,
        limit_micros=spec.limit_micros,
        promise=spec.promise,
    )
    return Waiting(
        id=job.id,
        seq=job.seq,
        ask=ask,
        submitted_ms=job.submitted_ms,
        walltime_ms=spec.walltime_ms,
        name=spec.name,
        preemptions=job.preemptions,
        checkpoints=spec.checkpoint_dir is not None,
        grace_ms=spec.grace_ms,
    )


def running_of(state: State, allocation: Allocation, job: Waiting) -> Running:
    """A stored allocation as a run. Raises InvariantError when its nodes are not of one pool."""
    pool = state.room.find(allocation.slots[0].node)
    if pool is None or any(pool.number(slot.node) is None for slot in allocation.slots):
        raise InvariantError(rule="a gang lies on known nodes of one pool", value=allocation.id)
    began_ms = allocation.started_ms if allocation.started_ms is not None else allocation.placed_ms
    return Running(
        id=allocation.id,
        job=job,
        type=allocation.type,
        pool=pool.index,
        grants=pool.grants(allocation.slots),
        accelerators=allocation.accelerators,
        placed_ms=allocation.placed_ms,
        borrowed=allocation.borrowed,
        stopping=allocation.state is AllocationState.STOPPING,
        stop_for=allocation.stop_for,
        ends_ms=None if job.walltime_ms is None else began_ms + job.walltime_ms,
        reservation=allocation.reservation,
    )


def holder_of(
    state: State, allocation: Allocation, *, walltime_ms: int | None = None, preemptions: int = 0
) -> Waiting:
    """The job of an allocation, as far as the allocation tells it."""
    gang = Gang(nodes=len(allocation.slots), accelerators_per_node=len(allocation.slots[0].indexes))
    ask = state.asks.of(tenant=allocation.tenant, tier=allocation.tier, types=(allocation.type,), gang=gang)
    return Waiting(
        id=allocation.job,
        seq=0,
        ask=ask,
        submitted_ms=allocation.placed_ms,
        walltime_ms=walltime_ms,
        preemptions=preemptions,
    )
