"""The price of a charge, from its usage record and the terms that its allocation was placed under."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.model.allocations import Allocation
from petahour.model.time import HOUR_MS
from petahour.store.protocol import StoredCharge, StoredUsage


def terms_faults(charge: StoredCharge, record: StoredUsage, allocation: Allocation | None) -> Iterator[str]:
    """What is wrong with the charge of a usage record."""
    about = (charge.tenant, charge.project, charge.type, charge.tier, bool(charge.rehearsal), charge.hour_ms)
    if about != (record.tenant, record.project, record.type, record.tier, bool(record.rehearsal), record.hour_ms):
        yield f"{charge.id} is not about its usage record: {about}"
    if allocation is not None:
        terms = (charge.price_book, charge.price_micros, charge.currency)
        if terms != (allocation.price_book, allocation.price_micros, allocation.currency):
            yield f"{charge.id} has the terms {terms}, its allocation was placed under others"
    amount_micros = priced(record.billed_ams, charge.price_micros)
    if charge.amount_micros != amount_micros:
        yield f"{charge.id} is of {charge.amount_micros} micros, should be of {amount_micros}"


def priced(billed_ams: int, price_micros: int) -> int:
    """Accelerator-milliseconds at a price per accelerator-hour, rounded once, half to even, in whole numbers."""
    whole, rest = divmod(billed_ams * price_micros, HOUR_MS)
    return whole + (2 * rest + (whole & 1) > HOUR_MS)
