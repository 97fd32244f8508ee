"""The price of a usage record, rounded once."""

from __future__ import annotations

from petahour.billing.book import PriceBook, book_at, price_of
from petahour.billing.book_file import describe_price_book, parse_price_book, parse_price_books
from petahour.billing.ledger import post_charge
from petahour.model.errors import InvariantError
from petahour.model.money import MAX_MICROS, round_ratio
from petahour.model.time import HOUR_MS
from petahour.model.usage import Charge, PricedUsage, RatedUsage, UsageRecord

__all__ = [
    "PriceBook",
    "book_at",
    "describe_price_book",
    "parse_price_book",
    "parse_price_books",
    "price_of",
    "rate",
    "rated",
]


def rate(record: UsageRecord, *, price_book: str, price_micros: int, currency: str) -> Charge:
    """The charge of a usage record at the price its allocation was placed under.

    ``billed_ams`` x ``price_micros`` / 3,600,000, rounded once, half to even. Waived time and a price of zero
    give a charge of zero, so that every usage record has its charge. Raises InvariantError on negative input.
    """
    if price_micros < 0 or record.billed_ams < 0:
        raise InvariantError(rule="prices and billed time are not negative", value=(record.id, price_micros))
    if price_micros * record.billed_ams > MAX_MICROS * HOUR_MS:
        raise InvariantError(rule=f"a charge is at most {MAX_MICROS} micro-units", value=(record.id, price_micros))
    return Charge(
        id="chg-" + record.id.removeprefix("use-"),
        usage=record.id,
        tenant=record.tenant,
        project=record.project,
        type=record.type,
        tier=record.tier,
        rehearsal=record.rehearsal,
        price_book=price_book,
        price_micros=price_micros,
        amount_micros=round_ratio(price_micros * record.billed_ams, HOUR_MS),
        currency=currency,
        hour_ms=record.hour_ms,
    )


def rated(priced: PricedUsage, *, at_ms: int) -> RatedUsage:
    """With its charge and, unless that is zero, the transfer that posts it. Raises what ``rate`` does."""
    record, price_book, price_micros, currency, postpaid = priced
    charge = rate(record, price_book=price_book, price_micros=price_micros, currency=currency)
    transfer = post_charge(charge, at_ms=at_ms, postpaid=postpaid) if charge.amount_micros else None
    return RatedUsage(record, charge, transfer)
