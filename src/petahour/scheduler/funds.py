"""Funds: what a placement must hold, against what the tenant has."""

from __future__ import annotations

from petahour.model.jobs import Job
from petahour.model.time import HOUR_MS
from petahour.scheduler.snapshot import Snapshot


def hold_micros(snapshot: Snapshot, job: Job, type_name: str) -> int | None:
    """Micro-units to hold for the shorter of walltime and interval, rounded up; None: not for sale."""
    price = snapshot.prices_micros.get((job.tenant, type_name, job.spec.tier))
    if price is None:
        return None
    duration_ms = min(job.spec.walltime_ms or snapshot.hold_interval_ms, snapshot.hold_interval_ms)
    return -(-price * job.spec.gang.accelerators * duration_ms // HOUR_MS)
