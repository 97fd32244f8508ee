"""Close hours: bill a running allocation up to the last full hour and hold credit for the next stretch."""

from __future__ import annotations

from collections.abc import Iterable

from petahour.control.cancel import ask_to_stop
from petahour.control.metering import next_hold_number, place_hold, post_usage, release_hold
from petahour.control.settings import Settings
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.store.protocol import Transaction


def due_for_closing(allocations: Iterable[Allocation], until_ms: int) -> list[Allocation]:
    """Allocations that run and have unmetered time before ``until_ms``."""
    return [
        allocation
        for allocation in allocations
        if allocation.started_ms is not None and (allocation.metered_ms or allocation.placed_ms) < until_ms
    ]


def close_hours(tx: Transaction, allocation_id: str, *, until_ms: int, now_ms: int, settings: Settings) -> None:
    """Post the usage before ``until_ms`` and renew the hold; without credit for it, ask the job to stop."""
    allocation = tx.allocations.get(allocation_id)
    if allocation is None or allocation.state is AllocationState.ENDED:
        return
    allocation = release_hold(tx, allocation, at_ms=now_ms)
    allocation = post_usage(tx, allocation, until_ms=until_ms, at_ms=now_ms)
    renewed = place_hold(
        tx,
        allocation,
        number=next_hold_number(allocation),
        duration_ms=settings.hold_interval_ms,
        at_ms=now_ms,
    )
    tx.allocations.save(renewed or allocation)
    job = tx.jobs.get(allocation.job)
    if renewed is None and job is not None and allocation.state is AllocationState.RUNNING:
        ask_to_stop(
            tx,
            job,
            allocation,
            cause=StopCause.CREDIT,
            for_job="",
            at_ms=now_ms,
            text="prepaid credit does not cover the next hour",
        )
