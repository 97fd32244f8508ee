"""Metering: usage records become charges and transfers inside the transaction that closes their time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from petahour.billing.ledger import hold, void
from petahour.billing.meter import meter
from petahour.control.credit_accounts import funds, spendable_micros
from petahour.control.prices import PriceBooks
from petahour.control.pricing import Volumes, cost_micros, priced_pieces
from petahour.model.allocations import Allocation
from petahour.model.collector import CollectorPaused
from petahour.model.time import HOUR_MS
from petahour.model.usage import Balance, PricedUsage, RatedUsage
from petahour.store.protocol import Transaction

NO_BOOKS = PriceBooks()  # every allocation at the price it was placed under


@dataclass(frozen=True, kw_only=True, slots=True)
class Metered:
    """What was metered: up to when, by allocation, where there was something to meter; and what was posted for it."""

    metered_ms: Mapping[str, int]
    rated: Sequence[RatedUsage]


def post_usages(
    tx: Transaction,
    allocations: Iterable[Allocation],
    *,
    until_ms: int,
    at_ms: int,
    prices: PriceBooks = NO_BOOKS,
) -> Metered:
    """Meter up to ``until_ms``, rate and post. Ids derive from the allocations: a repeat changes nothing.

    Up to when each is metered is for the caller to store, with whatever else changes of it.
    """
    volumes = Volumes(tx)
    metered: dict[str, int] = {}
    priced: list[PricedUsage] = []
    with CollectorPaused():
        # In the order of ids: what is written one after another lies together in the database.
        for allocation in sorted(allocations, key=attrgetter("id")):
            for record in meter(allocation, until_ms=until_ms):
                metered[allocation.id] = record.end_ms
                priced += priced_pieces(volumes, prices, allocation, record)
        fresh = tx.ledger.bill(priced, at_ms=at_ms)
    return Metered(metered_ms=metered, rated=fresh)


def place_hold(
    tx: Transaction,
    allocation: Allocation,
    *,
    number: int,
    duration_ms: int,
    at_ms: int,
    prices: PriceBooks = NO_BOOKS,
) -> Allocation | None:
    """Hold credit for the next stretch; None when the tenant has not enough. Rehearsals hold nothing."""
    if allocation.rehearsal:
        return allocation
    start_ms = allocation.metered_ms or allocation.placed_ms
    micros = cost_micros(prices, allocation, start_ms=start_ms, duration_ms=duration_ms)
    if spendable_micros(tx, allocation.tenant, allocation.currency) < micros:
        return None
    transfer = hold(allocation, number=number, amount_micros=micros, at_ms=at_ms)
    tx.ledger.post(transfer)
    return replace(allocation, hold_transfer=transfer.id)


def release_hold(tx: Transaction, allocation: Allocation, *, at_ms: int) -> Allocation:
    """Give back what is held for the allocation."""
    if not allocation.hold_transfer:
        return allocation
    held = tx.ledger.transfer(allocation.hold_transfer)
    if held is not None:
        tx.ledger.post(void(held, at_ms=at_ms))
    return replace(allocation, hold_transfer="")


def told(tx: Transaction, allocation: Allocation, before: Balance) -> dict[str, object]:
    """What an event says of the tenant's credit, which was ``before``: what of it was charged, how much more or less
    is held, and what is left. Nothing of a rehearsal, which never touches it.
    """
    if allocation.rehearsal:
        return {}
    after = funds(tx, allocation.tenant, allocation.currency)
    return {
        "charged_micros": before.posted_micros - after.posted_micros,
        "held_micros": after.pending_debits_micros - before.pending_debits_micros,
        "available_micros": after.available_micros,
    }


def next_hold_number(allocation: Allocation) -> int:
    """Holds of one allocation are numbered by the hour they begin in, so that a repeat has the same id."""
    return (allocation.metered_ms or allocation.placed_ms) // HOUR_MS
