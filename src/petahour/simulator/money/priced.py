"""Which price each piece of use has: its book, the hour of the week, the tenant's terms, and what was used before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from petahour.billing.bands import cut_at_bands
from petahour.billing.book import PriceBook, bands_of, unit_price
from petahour.model.allocations import Allocation
from petahour.model.jobs import Tier
from petahour.model.time import month_of
from petahour.model.usage import UsageRecord
from petahour.simulator.money.kept import book_then
from petahour.simulator.money.posted import Posted
from petahour.simulator.money.prices import Prices

Usage = tuple[Allocation, UsageRecord]


def priced(usage: Iterable[Usage], prices: Prices, posted: Posted) -> Iterator[tuple[UsageRecord, str, int]]:
    """Each record with the id of its book and the price of an accelerator-hour; in pieces where a band begins in it.

    A job keeps the book it was first placed under for as much running time as its walltime; after that, and from its
    next hour on where it declared none, the one in force counts, where it sells the type. Spot of a type with a rule
    has the posted price of its hour. Where any book has volume bands, records come hour by hour, as a control plane
    closes them, so that what was used before in the month is counted in that order.
    """
    books = {book.id: book for book in prices.books}
    if any(_banded(book) for book in prices.books):
        usage = sorted(usage, key=lambda item: (item[1].hour_ms, item[1].start_ms, item[1].id))
    used: dict[tuple[str, str, Tier, str], int] = {}
    for allocation, record in usage:
        if allocation.reserved_until_ms is not None and record.start_ms < allocation.reserved_until_ms:
            yield record, allocation.price_book, 0  # the reservation is paid for
            continue
        book = _book_for(books[allocation.price_book], prices, allocation, record)
        bands = bands_of(book, tenant=record.tenant, type=record.type, tier=record.tier, at_ms=record.start_ms)
        before = 0
        if bands:
            key = (record.tenant, record.type, record.tier, month_of(record.hour_ms))
            before = used.get(key, 0)
            used[key] = before + record.billed_ams
        for piece, before_ams in cut_at_bands(record, bands, used_ams=before):
            price = unit_price(
                book,
                tenant=record.tenant,
                type=record.type,
                tier=record.tier,
                at_ms=record.start_ms,
                used_ams=before_ams,
                posted_micros=posted.at(record.type, record.start_ms) if record.tier is Tier.SPOT else None,
            )
            price = allocation.price_micros if price is None else price
            limit = allocation.limit_micros
            yield piece, book.id, price if limit is None else min(price, limit)


def _book_for(own: PriceBook, prices: Prices, allocation: Allocation, record: UsageRecord) -> PriceBook:
    return book_then(
        own,
        prices,
        (record.type, record.tier),
        began_ms=allocation.placed_ms if allocation.started_ms is None else allocation.started_ms,
        promised_ms=allocation.price_for_ms,
        at_ms=record.start_ms,
    )


def _banded(book: PriceBook) -> bool:
    return any(tariff.bands for tariff in book.tariffs.values()) or any(
        own.tariff.bands for own in book.overrides.values()
    )
