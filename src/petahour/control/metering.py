"""Metering: usage records become charges and transfers inside the transaction that closes their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from petahour.billing.ledger import hold, post_charge, void
from petahour.billing.meter import meter
from petahour.billing.rate import rate
from petahour.control.credit import prepaid
from petahour.model.allocations import Allocation
from petahour.model.time import HOUR_MS
from petahour.model.usage import Balance, Charge, UsageRecord
from petahour.store.protocol import Transaction


def post_usage(tx: Transaction, allocation: Allocation, *, until_ms: int, at_ms: int) -> Allocation:
    """Meter up to ``until_ms``, rate and post. Ids derive from the allocation: a repeat changes nothing."""
    return post_usages(tx, [allocation], until_ms=until_ms, at_ms=at_ms)[0]


def post_usages(
    tx: Transaction, allocations: Sequence[Allocation], *, until_ms: int, at_ms: int
) -> Sequence[Allocation]:
    """The same for many allocations at once; they are returned as they now are, in the order given."""
    metered = [(allocation, meter(allocation, until_ms=until_ms)) for allocation in allocations]
    of_record = {record.id: allocation for allocation, records in metered for record in records}
    fresh = tx.ledger.add_usages([record for _, records in metered for record in records])
    charges = [_charge(of_record[record.id], record) for record in fresh]
    tx.ledger.add_charges(charges)
    tx.ledger.post_all([post_charge(charge, at_ms=at_ms) for charge in charges if charge.amount_micros])
    after = [replace(item, metered_ms=records[-1].end_ms) if records else item for item, records in metered]
    tx.allocations.save_metered([item for item, (_, records) in zip(after, metered, strict=True) if records])
    return after


def _charge(allocation: Allocation, record: UsageRecord) -> Charge:
    return rate(
        record,
        price_book=allocation.price_book,
        price_micros=allocation.price_micros,
        currency=allocation.currency,
    )


def hold_micros(price_micros: int, accelerators: int, duration_ms: int) -> int:
    """What running for this long costs, rounded up: a hold never covers less than the charge."""
    exact = Decimal(price_micros) * accelerators * duration_ms / HOUR_MS
    return int(exact.quantize(Decimal(1), rounding=ROUND_CEILING))


def place_hold(
    tx: Transaction, allocation: Allocation, *, number: int, duration_ms: int, at_ms: int
) -> Allocation | None:
    """Hold credit for the next stretch; None when the tenant has not enough. Rehearsals hold nothing."""
    if allocation.rehearsal:
        return allocation
    micros = hold_micros(allocation.price_micros, allocation.accelerators, duration_ms)
    if prepaid(tx, allocation.tenant, allocation.currency).available_micros < micros:
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
    after = prepaid(tx, allocation.tenant, allocation.currency)
    return {
        "charged_micros": before.posted_micros - after.posted_micros,
        "held_micros": after.pending_debits_micros - before.pending_debits_micros,
        "available_micros": after.available_micros,
    }


def next_hold_number(allocation: Allocation) -> int:
    """Holds of one allocation are numbered by the hour they begin in, so that a repeat has the same id."""
    return (allocation.metered_ms or allocation.placed_ms) // HOUR_MS
