"""Close hours: bill a running allocation up to the last full hour and hold credit for the next stretch."""

from __future__ import annotations

from collections.abc import Iterable

from petahour.control.cancel import ask_to_stop
from petahour.control.credit import prepaid
from petahour.control.metering import next_hold_number, place_hold, post_usage, release_hold, told
from petahour.control.settings import Settings
from petahour.control.transitions import note
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.model.events import EventKind
from petahour.model.jobs import Job
from petahour.store.protocol import Transaction


def due_for_closing(allocations: Iterable[Allocation], until_ms: int) -> list[Allocation]:
    """Allocations that run and have unmetered time before ``until_ms``."""
    return [
        allocation
        for allocation in allocations
        if allocation.started_ms is not None and (allocation.metered_ms or allocation.placed_ms) < until_ms
    ]


def close_hours(tx: Transaction, allocation_id: str, *, until_ms: int, now_ms: int, settings: Settings) -> None:
    """Post the usage before ``until_ms`` and renew the hold; without credit for it, ask the job to stop.

    Nothing is held for time beyond the job's walltime and grace. Closing an hour again changes nothing.
    """
    allocation = tx.allocations.get(allocation_id)
    if allocation is None or allocation.state is AllocationState.ENDED or not due_for_closing([allocation], until_ms):
        return
    job = tx.jobs.get(allocation.job)
    credit = prepaid(tx, allocation.tenant, allocation.currency)
    allocation = release_hold(tx, allocation, at_ms=now_ms)
    allocation = post_usage(tx, allocation, until_ms=until_ms, at_ms=now_ms)
    renewed = place_hold(
        tx,
        allocation,
        number=next_hold_number(allocation),
        duration_ms=_stretch_ms(allocation, job, settings),
        at_ms=now_ms,
    )
    tx.allocations.save(renewed or allocation)
    if job is not None:
        note(
            tx,
            job,
            kind=EventKind.HOURS_CLOSED,
            at_ms=now_ms,
            cause="its time up to the last full hour is billed",
            allocation=allocation.id,
            data={"until_ms": until_ms, **told(tx, allocation, credit)},
        )
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


def _stretch_ms(allocation: Allocation, job: Job | None, settings: Settings) -> int:
    if job is None or job.spec.walltime_ms is None or allocation.started_ms is None:
        return settings.hold_interval_ms
    run_ms = (allocation.metered_ms or allocation.placed_ms) - allocation.started_ms
    left_ms = job.spec.walltime_ms + job.spec.grace_ms - run_ms
    return max(0, min(left_ms, settings.hold_interval_ms))
