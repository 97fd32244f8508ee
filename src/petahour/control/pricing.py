"""Pricing: which book an allocation's use is priced by, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

from petahour.billing.bands import cut_at_bands
from petahour.billing.book import Band, PriceBook, bands_of
from petahour.control.prices import PriceBooks
from petahour.model.allocations import Allocation
from petahour.model.jobs import Promise, Tier
from petahour.model.time import HOUR_MS, format_duration, month_bounds, month_of, split_hours
from petahour.model.usage import PricedUsage, UsageRecord
from petahour.store.protocol import Transaction


def book_for(prices: PriceBooks, allocation: Allocation, at_ms: int) -> PriceBook | None:
    """The book that prices what an allocation uses at an instant.

    The book it was placed under for the running time it was promised for, then the one in force. None when
    neither is stored; its own price then holds.
    """
    own = prices.named(allocation.price_book)
    began_ms = allocation.placed_ms if allocation.started_ms is None else allocation.started_ms
    if allocation.price_for_ms is None or at_ms <= began_ms + allocation.price_for_ms:
        return own
    later = prices.in_force(allocation.currency, at_ms)
    return own if later is None or _price(prices, later, allocation, at_ms, 0) is None else later


def why_book(allocation: Allocation, promise: Promise | None, at_ms: int) -> str:
    """Why ``book_for`` gives the book it gives, in words."""
    began_ms = allocation.placed_ms if allocation.started_ms is None else allocation.started_ms
    promised_ms = allocation.price_for_ms
    if promised_ms is None:
        return "in force when it was placed"
    if not promised_ms:
        return "in force in that hour: without a walltime or a quote, prices are promised for no longer"
    if at_ms > began_ms + promised_ms:
        return "in force in that hour: the running time that prices were promised for was over"
    if promise is not None and promise.price_book == allocation.price_book:
        return f"promised by {promise.quote} for {format_duration(promise.for_ms)} of running time"
    return "in force when the job was first placed, and kept for its walltime"


def seated(allocation: Allocation, at_ms: int) -> bool:
    """Whether its reservations pay for what it uses at the instant. They end at whole hours, as usage records do."""
    return allocation.reserved_until_ms is not None and at_ms < allocation.reserved_until_ms


def price_at(prices: PriceBooks, allocation: Allocation, at_ms: int, *, used_ams: int = 0) -> tuple[str, int]:
    """The book's id and what an accelerator-hour is charged at in micro-units: never more than the job's limit."""
    return _limited(allocation, asked_at(prices, allocation, at_ms, used_ams=used_ams))


def asked_at(prices: PriceBooks, allocation: Allocation, at_ms: int, *, used_ams: int = 0) -> tuple[str, int]:
    """The same before the job's limit, which tells that the limit is passed: nothing on seats that are paid for."""
    if seated(allocation, at_ms):
        return allocation.price_book, 0
    return _asked(prices, book_for(prices, allocation, at_ms), allocation, at_ms, used_ams)


def _asked(
    prices: PriceBooks, book: PriceBook | None, allocation: Allocation, at_ms: int, used_ams: int
) -> tuple[str, int]:
    price = None if book is None else _price(prices, book, allocation, at_ms, used_ams)
    if book is None or price is None:
        return allocation.price_book, allocation.price_micros
    return book.id, price


def _limited(allocation: Allocation, asked: tuple[str, int]) -> tuple[str, int]:
    limit = allocation.limit_micros
    return asked if limit is None else (asked[0], min(asked[1], limit))


class Volumes:
    """What tenants used of a pair in a month so far: asked of the store once, then counted along."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._used: dict[tuple[str, str, Tier, str], int] = {}

    def before(self, record: UsageRecord) -> int:
        """Accelerator-milliseconds before the record, which is counted from now on."""
        month = month_of(record.hour_ms)
        key = (record.tenant, record.type, record.tier, month)
        if key not in self._used:
            from_ms, to_ms = month_bounds(month)
            self._used[key] = self._tx.prices.volume_ams(
                tenant=record.tenant, type=record.type, tier=record.tier, from_ms=from_ms, to_ms=to_ms
            )
        used_ams = self._used[key]
        self._used[key] = used_ams + record.billed_ams
        return used_ams


def priced_pieces(
    volumes: Volumes, prices: PriceBooks, allocation: Allocation, record: UsageRecord
) -> Iterator[PricedUsage]:
    """A usage record with its book and price; in several pieces where a volume band begins inside it."""
    paid = seated(allocation, record.start_ms)
    book = None if paid else book_for(prices, allocation, record.start_ms)
    bands = () if book is None or record.rehearsal else _bands(book, allocation, record.start_ms)
    cut = cut_at_bands(record, bands, used_ams=volumes.before(record)) if bands else ((record, 0),)
    for piece, before_ams in cut:
        asked = (allocation.price_book, 0) if paid else _asked(prices, book, allocation, record.start_ms, before_ams)
        yield PricedUsage(piece, *_limited(allocation, asked), allocation.currency, allocation.postpaid)


def cost_micros(prices: PriceBooks, allocation: Allocation, *, start_ms: int, duration_ms: int) -> int:
    """What running on for so long costs at most, rounded up: a hold never covers less than the charges.

    Hour by hour at the first band's price, which is the highest.
    """
    pieces = split_hours(start_ms, start_ms + duration_ms)
    exact = sum(
        (Decimal(price_at(prices, allocation, piece_ms)[1]) * (end_ms - piece_ms) for _, piece_ms, end_ms in pieces),
        Decimal(0),
    )
    return int((exact * allocation.accelerators / HOUR_MS).quantize(Decimal(1), rounding=ROUND_CEILING))


def affordable_ms(prices: PriceBooks, allocation: Allocation, *, start_ms: int, duration_ms: int, micros: int) -> int:
    """For how much of a stretch ``micros`` pay, in whole milliseconds rounded down."""
    left = max(0, micros) * HOUR_MS
    for _, piece_ms, end_ms in split_hours(start_ms, start_ms + duration_ms):
        a_ms = price_at(prices, allocation, piece_ms)[1] * allocation.accelerators
        if a_ms * (end_ms - piece_ms) > left:
            return piece_ms - start_ms + left // a_ms
        left -= a_ms * (end_ms - piece_ms)
    return duration_ms


def _price(prices: PriceBooks, book: PriceBook, allocation: Allocation, at_ms: int, used_ams: int) -> int | None:
    return prices.price(
        book,
        tenant=allocation.tenant,
        type=allocation.type,
        tier=allocation.tier,
        at_ms=at_ms,
        used_ams=used_ams,
    )


def _bands(book: PriceBook, allocation: Allocation, at_ms: int) -> tuple[Band, ...]:
    return bands_of(book, tenant=allocation.tenant, type=allocation.type, tier=allocation.tier, at_ms=at_ms)
