"""The price of a charge, from its usage record and the terms that its allocation was placed under."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from petahour.billing.book import PriceBook, bands_of, unit_price
from petahour.control.posted import Posted
from petahour.model.allocations import Allocation
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.store.protocol import StoredCharge, StoredUsage


def terms_faults(
    charge: StoredCharge,
    record: StoredUsage,
    allocation: Allocation | None,
    books: Mapping[str, PriceBook],
    posted: Posted,
) -> Iterator[str]:
    """What is wrong with the charge of a usage record."""
    if charge.id != "chg-" + record.id[4:]:
        yield f"{charge.id} is not named after its usage record {record.id}"
    # Tenant, project, type, tier and rehearsal lie in a row in both.
    if charge[2:7] != record[3:8] or charge.hour_ms != record.hour_ms:
        about = (charge.tenant, charge.project, charge.type, charge.tier, bool(charge.rehearsal), charge.hour_ms)
        yield f"{charge.id} is not about its usage record: {about}"
    if allocation is not None:
        if charge.currency != allocation.currency:
            yield f"{charge.id} is in {charge.currency}, its allocation was placed in {allocation.currency}"
        until_ms = allocation.reserved_until_ms
        paid = until_ms is not None and record.start_ms < until_ms
        book = allocation.price_book if paid else _book_due(charge, record, allocation, books)
        if charge.price_book != book:
            yield f"{charge.id} is priced by {charge.price_book}, should be by {book}"
        if charge.price_micros != (0 if paid else _first_price(books.get(book), record, allocation, posted)):
            prices = {0} if paid else _prices_due(books.get(book), record, allocation, posted)
            if charge.price_micros not in prices:
                yield f"{charge.id} has the price {charge.price_micros}, should have one of {sorted(prices)}"
    amount_micros = priced(record.billed_ams, charge.price_micros)
    if charge.amount_micros != amount_micros:
        yield f"{charge.id} is of {charge.amount_micros} micros, should be of {amount_micros}"


def _book_due(
    charge: StoredCharge, record: StoredUsage, allocation: Allocation, books: Mapping[str, PriceBook]
) -> str:
    """The book the allocation was placed under while it was promised, else the newest in effect that sells it."""
    began_ms = allocation.placed_ms if allocation.started_ms is None else allocation.started_ms
    kept = allocation.price_for_ms is None or record.start_ms <= began_ms + allocation.price_for_ms
    if kept or allocation.price_book not in books:
        return allocation.price_book
    begun = [
        book for book in books.values() if book.currency == charge.currency and book.effective_ms <= record.start_ms
    ]
    latest = max(begun, key=lambda book: book.effective_ms, default=None)
    if latest is None or (latest.until_ms is not None and latest.until_ms <= record.start_ms):
        return allocation.price_book
    pair = (record.type, Tier(record.tier))
    sold = pair in latest.prices or (record.tenant, *pair) in latest.overrides
    return latest.id if sold else allocation.price_book


def _first_price(book: PriceBook | None, record: StoredUsage, allocation: Allocation, posted: Posted) -> int | None:
    """The first of ``_prices_due``, which nearly every record has; None where the book does not tell."""
    price: int | None = allocation.price_micros
    if book is not None:
        name, tier, at_ms = record.type, Tier(record.tier), record.start_ms
        hourly = posted.at(book.currency, name, at_ms)
        price = unit_price(book, tenant=record.tenant, type=name, tier=tier, at_ms=at_ms, posted_micros=hourly)
    limit = allocation.limit_micros
    return price if price is None or limit is None else min(price, limit)


def _prices_due(book: PriceBook | None, record: StoredUsage, allocation: Allocation, posted: Posted) -> set[int]:
    """What the record may cost an accelerator-hour: the price of its hour, at any of the volume bands; and never more
    than the limit of its job.

    Which band it was depends on the order in which use was closed, which no row tells.
    """
    prices = _asked(book, record, allocation, posted)
    limit = allocation.limit_micros
    return prices if limit is None else {min(price, limit) for price in prices}


def _asked(book: PriceBook | None, record: StoredUsage, allocation: Allocation, posted: Posted) -> set[int]:
    if book is None:
        return {allocation.price_micros}
    tenant, name, tier, at_ms = record.tenant, record.type, Tier(record.tier), record.start_ms
    bands = bands_of(book, tenant=tenant, type=name, tier=tier, at_ms=at_ms)
    hourly = posted.at(book.currency, name, at_ms)
    found = {
        unit_price(book, tenant=tenant, type=name, tier=tier, at_ms=at_ms, used_ams=used_ams, posted_micros=hourly)
        for used_ams in (0, *(band.from_ams for band in bands))
    }
    return {price for price in found if price is not None} or {allocation.price_micros}


def priced(billed_ams: int, price_micros: int) -> int:
    """Accelerator-milliseconds at a price per accelerator-hour, rounded once, half to even, in whole numbers."""
    whole, rest = divmod(billed_ams * price_micros, HOUR_MS)
    return whole + (2 * rest + (whole & 1) > HOUR_MS)
