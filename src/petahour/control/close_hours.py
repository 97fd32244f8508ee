"""Close hours: bill what runs up to the last full hour and hold credit for the next stretch, many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from petahour.billing.ledger import void
from petahour.control.funding import next_hold, stop_for_credit, stretch_ms
from petahour.control.lending import share_lent
from petahour.control.metering import NO_BOOKS, next_hold_number, post_usages
from petahour.control.prices import PriceBooks
from petahour.control.purse import Purses
from petahour.control.settings import Settings
from petahour.control.transitions import noted
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job
from petahour.model.usage import Transfer
from petahour.store.protocol import Transaction


def due_for_closing(allocations: Iterable[Allocation], until_ms: int) -> list[Allocation]:
    """Allocations that run and have unmetered time before ``until_ms``."""
    return [
        allocation
        for allocation in allocations
        if allocation.started_ms is not None
        and allocation.state is not AllocationState.ENDED
        and (allocation.metered_ms or allocation.placed_ms) < until_ms
    ]


def close_hours(
    tx: Transaction,
    allocation_ids: Sequence[str],
    *,
    until_ms: int,
    now_ms: int,
    settings: Settings,
    prices: PriceBooks = NO_BOOKS,
) -> None:
    """Post the usage before ``until_ms`` and renew the holds; where credit is used up, ask the job to stop.

    With credit for less than the next stretch a job runs on until that is used up. Nothing is held for time
    beyond a job's walltime and grace. Closing an hour again changes nothing. One after another, in the order
    given, allocations are billed and get what their tenant has left then; the rows are written all at once.
    """
    stored = {item.id: item for item in tx.allocations.many(allocation_ids)}
    due = due_for_closing((stored[name] for name in allocation_ids if name in stored), until_ms)
    jobs = {job.id: job for job in tx.jobs.many(item.job for item in due)}
    held = tx.ledger.many(item.hold_transfer for item in due if item.hold_transfer)
    purses = Purses(tx, due)
    # 1. What was held is free, and what was used is billed.
    tx.ledger.post_all([void(transfer, at_ms=now_ms) for transfer in held.values()])
    posted = post_usages(tx, due, until_ms=until_ms, at_ms=now_ms, prices=prices)
    charges: dict[str, list[Transfer]] = {}
    for record, _, transfer in posted.rated:
        if transfer is not None:
            charges.setdefault(record.allocation, []).append(transfer)
    # 2. Each in its turn holds what the next stretch costs, as far as its tenant has that much.
    renewed: list[Allocation] = []
    holds: list[Transfer] = []
    events: list[Event] = []
    spent: list[tuple[Job, Allocation]] = []
    for before in due:
        job, purse = jobs.get(before.job), purses.of(before)
        metered_ms = posted.metered_ms.get(before.id, before.metered_ms)
        allocation = replace(before, metered_ms=metered_ms, hold_transfer="", funded_until_ms=None)
        released = held.get(before.hold_transfer)
        held_micros = 0 if released is None else -purse.give(released)
        charged_micros = sum(purse.take(transfer) for transfer in charges.get(before.id, ()))
        if not allocation.rehearsal:
            found = next_hold(
                allocation,
                number=next_hold_number(allocation),
                duration_ms=stretch_ms(allocation, job, settings, metered_ms or allocation.placed_ms),
                at_ms=now_ms,
                prices=prices,
                available_micros=purse.available_micros,
            )
            if found is not None:
                holds.append(found.transfer)
                held_micros += purse.take(found.transfer)
                allocation = replace(allocation, hold_transfer=found.transfer.id, funded_until_ms=found.until_ms)
            elif job is not None and allocation.state is AllocationState.RUNNING:
                spent.append((job, allocation))
        renewed.append(allocation)
        if job is not None:
            told = (charged_micros, held_micros, purse.available_micros)
            events.append(_closed(job, allocation, until_ms, now_ms, None if allocation.rehearsal else told))
    # 3. Written at once; and who has nothing left is asked to stop.
    tx.ledger.post_all(holds)
    tx.allocations.save_all(renewed)
    tx.events.append_all(events)
    for job, allocation in spent:
        stop_for_credit(tx, job, allocation, now_ms, "prepaid credit is used up")
    share_lent(tx, posted.rated, due, at_ms=now_ms, prices=prices)


def _closed(job: Job, allocation: Allocation, until_ms: int, now_ms: int, told: tuple[int, int, int] | None) -> Event:
    """``told``: what was charged, how much more or less is held, and what is left, as ``metering.told`` says it."""
    names = ("charged_micros", "held_micros", "available_micros")
    return noted(
        job,
        kind=EventKind.HOURS_CLOSED,
        at_ms=now_ms,
        cause="its time up to the last full hour is billed",
        allocation=allocation.id,
        data={"until_ms": until_ms, **dict(zip(names, told or (), strict=False))},
    )
