"""Close hours: bill a running allocation up to the last full hour and hold credit for the next stretch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from petahour.control.credit_accounts import funds
from petahour.control.funding import fund, stop_for_credit, stretch_ms
from petahour.control.metering import NO_BOOKS, next_hold_number, post_usage, release_hold, told
from petahour.control.prices import PriceBooks
from petahour.control.settings import Settings
from petahour.control.transitions import note
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.events import EventKind
from petahour.store.protocol import Transaction


def due_for_closing(allocations: Iterable[Allocation], until_ms: int) -> list[Allocation]:
    """Allocations that run and have unmetered time before ``until_ms``."""
    return [
        allocation
        for allocation in allocations
        if allocation.started_ms is not None and (allocation.metered_ms or allocation.placed_ms) < until_ms
    ]


def close_hours(
    tx: Transaction,
    allocation_id: str,
    *,
    until_ms: int,
    now_ms: int,
    settings: Settings,
    prices: PriceBooks = NO_BOOKS,
) -> None:
    """Post the usage before ``until_ms`` and renew the hold; where credit is used up, ask the job to stop.

    With credit for less than the next stretch the job runs on until that is used up. Nothing is held for time
    beyond the job's walltime and grace. Closing an hour again changes nothing.
    """
    allocation = tx.allocations.get(allocation_id)
    if allocation is None or allocation.state is AllocationState.ENDED or not due_for_closing([allocation], until_ms):
        return
    job = tx.jobs.get(allocation.job)
    credit = funds(tx, allocation.tenant, allocation.currency)
    allocation = release_hold(tx, allocation, at_ms=now_ms)
    allocation = post_usage(tx, allocation, until_ms=until_ms, at_ms=now_ms, prices=prices)
    funded: Allocation | None = allocation
    if not allocation.rehearsal:
        funded = fund(
            tx,
            allocation,
            number=next_hold_number(allocation),
            duration_ms=stretch_ms(allocation, job, settings, allocation.metered_ms or allocation.placed_ms),
            at_ms=now_ms,
            prices=prices,
        )
    renewed = funded or replace(allocation, funded_until_ms=None)
    tx.allocations.save(renewed)
    if job is None:
        return
    note(
        tx,
        job,
        kind=EventKind.HOURS_CLOSED,
        at_ms=now_ms,
        cause="its time up to the last full hour is billed",
        allocation=allocation.id,
        data={"until_ms": until_ms, **told(tx, allocation, credit)},
    )
    if funded is None and allocation.state is AllocationState.RUNNING:
        stop_for_credit(tx, job, renewed, now_ms, "prepaid credit is used up")
