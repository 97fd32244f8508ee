"""Explain: the binding constraint of a job that waits, in words its tenant can act on.

The words name no other tenant and depend on the cause alone, so that they stay the same while it does.
"""

from __future__ import annotations

from petahour.model.jobs import Job, Tier
from petahour.model.resources import NodeState
from petahour.model.tenants import Quota
from petahour.model.time import to_iso
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.room import Room
from petahour.scheduler.snapshot import Snapshot

Why = tuple[HoldCode, str]


def no_price(job: Job) -> Why:
    names = " or ".join(job.spec.types)
    return HoldCode.PRICE, f"{names} is not for sale as {job.spec.tier} in your currency; choose another type or tier"


def no_quota(job: Job, type_name: str, quota: Quota | None, used: int) -> Why:
    nominal = quota.nominal if quota else 0
    need = job.spec.gang.accelerators
    if job.spec.tier is Tier.RESERVED:
        text = f"reserved work lies within your quota of {nominal} {type_name}; {used} in use, this gang needs {need}"
        return HoldCode.QUOTA, text
    most = nominal + ((quota.borrowing_limit or 0) if quota else 0)
    text = f"your quota allows {most} {type_name} with borrowing; {used} in use, this gang needs {need}; "
    return HoldCode.QUOTA, text + "it starts when your own jobs release some"


def no_funds(type_name: str, short_micros: int, hold_micros: int) -> Why:
    text = (
        f"placing it on {type_name} holds {_decimal(hold_micros)} of prepaid credit, {_decimal(short_micros)} more "
    )
    return HoldCode.FUNDS, text + "than is available; top up, or give a shorter walltime"


def preempting(job: Job, type_name: str) -> Why:
    return (
        HoldCode.PREEMPTING,
        f"{job.spec.gang} {type_name} are being freed for it: preempted jobs save their checkpoints and stop",
    )


def no_capacity(snapshot: Snapshot, room: Room, job: Job) -> Why:
    """Per acceptable type: what the gang needs, what is free, what drains, when some is expected."""
    parts = []
    for type_name in job.spec.types:
        nodes = [node for node in snapshot.nodes.values() if node.type == type_name]
        if not nodes:
            continue
        total = sum(node.accelerators for node in nodes)
        unheld = sum(snapshot.free[node.name].bit_count() for node in nodes if node.state is NodeState.UP)
        free = sum(room.free_in(pool) for pool in room.pools(type_name))
        text = f"needs {job.spec.gang} {type_name} in one pool; {free} of {total} free"
        if unheld > free:
            text += f", {unheld - free} kept for jobs ahead"
        shut = sum(node.accelerators for node in nodes if node.state is not NodeState.UP)
        if shut:
            text += f", {shut} on nodes that are draining or down"
        parts.append(text + _expected(snapshot, job, type_name))
    return HoldCode.CAPACITY, "; or ".join(parts) or f"this fleet has no {' or '.join(job.spec.types)}"


def _expected(snapshot: Snapshot, job: Job, type_name: str) -> str:
    ends = []
    for allocation in snapshot.allocations.values():
        walltime_ms = snapshot.walltimes_ms.get(allocation.job)
        if allocation.type == type_name and walltime_ms is not None:
            ends.append(((allocation.started_ms or allocation.placed_ms) + walltime_ms, allocation))
    if not ends:
        return ""
    end_ms, allocation = min(ends, key=lambda row: row[0])
    whose = "one of your jobs reaches its" if allocation.tenant == job.tenant else "a job reaches its"
    return f"; {allocation.accelerators} more at the latest at {to_iso(end_ms)[:16]}Z when {whose} walltime"


def _decimal(micros: int) -> str:
    return f"{micros / 1_000_000:,.2f}"
