"""Windows: what maintenance stops, and when; and the control step's part in opening and closing windows."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.jobs import Job, Tier
from petahour.model.promises import Maintenance
from petahour.model.time import SECOND_MS
from petahour.store.protocol import Transaction

STOPPING_MS = 10 * SECOND_MS  # after its grace period a job is killed; what that takes, with some to spare
NEVER_MS = 2**62


def stops(window: Maintenance, job: Job) -> bool:
    """Whether the window stops the job: what can go on elsewhere, and with ``empties`` all."""
    spec = job.spec
    return window.empties or spec.tier is Tier.SPOT or (spec.checkpoint_dir is not None and spec.walltime_ms is None)


def stop_ms(window: Maintenance, allocation: Allocation, job: Job) -> int:
    """When the job must be told, so that it is gone when the window begins. What is over before is told then."""
    if surely_over_ms(allocation, job) <= window.from_ms:
        return window.from_ms
    return window.from_ms - job.spec.grace_ms - STOPPING_MS


def surely_over_ms(allocation: Allocation, job: Job) -> int:
    """The latest end by its walltime."""
    if job.spec.walltime_ms is None:
        return NEVER_MS
    return (allocation.started_ms or allocation.placed_ms) + job.spec.walltime_ms


def running_on(tx: Transaction, window: Maintenance) -> Iterator[tuple[Allocation, Job]]:
    """What runs on the window's nodes and was not told to stop, in the order of placement."""
    names = {allocation for node in window.nodes for allocation in tx.allocations.held(node).values()}
    for allocation in sorted(tx.allocations.many(names), key=lambda one: (one.placed_ms, one.id)):
        job = tx.jobs.get(allocation.job)
        if job is not None and allocation.state in (AllocationState.STARTING, AllocationState.RUNNING):
            yield allocation, job


def reason_of(window: Maintenance) -> str:
    """Why a node is drained, as its state says."""
    return f"maintenance {window.id}" + (f": {window.reason}" if window.reason else "")


def came_from(reason: str, window: Maintenance) -> bool:
    """Whether a node was drained for this window."""
    return reason == reason_of(window)
