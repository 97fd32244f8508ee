"""Funding: hold credit for what runs, stretch by stretch, and stop it when there is none left."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from petahour.billing.ledger import hold
from petahour.control.cancel import ask_to_stop
from petahour.control.credit_accounts import funds, spendable_micros
from petahour.control.metering import release_hold, told
from petahour.control.prices import PriceBooks
from petahour.control.pricing import affordable_ms, cost_micros
from petahour.control.settings import Settings
from petahour.control.transitions import note
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.model.events import EventKind
from petahour.model.jobs import Job
from petahour.model.usage import Balance, Transfer
from petahour.store.protocol import Transaction


class Hold(NamedTuple):
    """A hold for the next stretch; ``until_ms``: when it is used up, where credit is short of all of it."""

    transfer: Transfer
    until_ms: int | None


def next_hold(
    allocation: Allocation, *, number: int, duration_ms: int, at_ms: int, prices: PriceBooks, available_micros: int
) -> Hold | None:
    """The hold for a stretch from where metering stands, or for as much of it as there is credit for.

    None: the credit is used up already.
    """
    start_ms, until_ms = allocation.metered_ms or allocation.placed_ms, None
    micros = cost_micros(prices, allocation, start_ms=start_ms, duration_ms=duration_ms)
    if micros > available_micros:
        lasts_ms = affordable_ms(
            prices, allocation, start_ms=start_ms, duration_ms=duration_ms, micros=available_micros
        )
        if start_ms + lasts_ms <= at_ms:
            return None
        until_ms = start_ms + lasts_ms
        micros = cost_micros(prices, allocation, start_ms=start_ms, duration_ms=lasts_ms)
    return Hold(hold(allocation, number=number, amount_micros=micros, at_ms=at_ms), until_ms)


def extend_or_stop(
    tx: Transaction, allocation_id: str, *, now_ms: int, settings: Settings, prices: PriceBooks
) -> None:
    """What was held is used up: hold more where credit was added since, else ask the job to stop.

    The job gets its signal first, then its grace period, then it is killed. What it uses meanwhile is held as far
    as there is credit, and overspent beyond that. Called before its time, this changes nothing.
    """
    allocation = tx.allocations.get(allocation_id)
    if allocation is None or allocation.state is not AllocationState.RUNNING:
        return
    until_ms = allocation.funded_until_ms
    job = tx.jobs.get(allocation.job)
    if until_ms is None or now_ms < until_ms or job is None:
        return
    start_ms = allocation.metered_ms or allocation.placed_ms
    before = funds(tx, allocation.tenant, allocation.currency)
    released = release_hold(tx, allocation, at_ms=now_ms)
    duration_ms = now_ms - start_ms + stretch_ms(released, job, settings, now_ms)
    # Holds are numbered by the hour they begin in; those made inside an hour by the instant the last one ended.
    found = next_hold(
        released,
        number=until_ms,
        duration_ms=duration_ms,
        at_ms=now_ms,
        prices=prices,
        available_micros=spendable_micros(tx, released.tenant, released.currency),
    )
    if found is not None:
        tx.ledger.post(found.transfer)
        renewed = replace(released, hold_transfer=found.transfer.id, funded_until_ms=found.until_ms)
        tx.allocations.save(renewed)
        _tell_held(tx, job, renewed, before, now_ms)
        return
    used_micros = cost_micros(prices, released, start_ms=start_ms, duration_ms=now_ms - start_ms)
    left_micros = max(0, spendable_micros(tx, released.tenant, released.currency))
    last = _hold(tx, released, until_ms, min(used_micros, left_micros), now_ms)
    _tell_held(tx, job, last, before, now_ms)
    stop_for_credit(tx, job, replace(last, funded_until_ms=None), now_ms, "prepaid credit is used up")


def stop_for_credit(tx: Transaction, job: Job, allocation: Allocation, at_ms: int, text: str) -> None:
    """The intent to stop a job whose credit is used up; the step carries it out with its signal and grace."""
    ask_to_stop(tx, job, allocation, cause=StopCause.CREDIT, for_job="", at_ms=at_ms, text=text)


def stretch_ms(allocation: Allocation, job: Job | None, settings: Settings, from_ms: int) -> int:
    """For how long credit is held from an instant on: an interval, and nothing beyond walltime and grace."""
    if job is None or job.spec.walltime_ms is None or allocation.started_ms is None:
        return settings.hold_interval_ms
    left_ms = job.spec.walltime_ms + job.spec.grace_ms - (from_ms - allocation.started_ms)
    return max(0, min(left_ms, settings.hold_interval_ms))


def _tell_held(tx: Transaction, job: Job, allocation: Allocation, before: Balance, at_ms: int) -> None:
    note(
        tx,
        job,
        kind=EventKind.HOURS_CLOSED,
        at_ms=at_ms,
        cause="credit is held for what it uses next, as far as there is any",
        allocation=allocation.id,
        data={"until_ms": allocation.metered_ms or allocation.placed_ms, **told(tx, allocation, before)},
    )


def _hold(tx: Transaction, allocation: Allocation, number: int, micros: int, at_ms: int) -> Allocation:
    transfer = hold(allocation, number=number, amount_micros=micros, at_ms=at_ms)
    tx.ledger.post(transfer)
    return replace(allocation, hold_transfer=transfer.id)
