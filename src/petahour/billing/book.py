"""Price books: what one accelerator-hour costs whom, when, and how much of it was used before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from petahour.billing.spot import SpotRule
from petahour.model.jobs import Tier
from petahour.model.money import round_micros
from petahour.model.time import HOUR_MS

HOURS_OF_WEEK = 168
_EPOCH_HOUR = 72  # the epoch was a Thursday: 72 hours after Monday, 00:00
_WHOLE = Decimal(100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """Beyond ``from_ams`` accelerator-milliseconds of a calendar month (UTC), the price is ``off`` per cent lower."""

    from_ams: int
    off: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Tariff:
    """Micro-units per accelerator-hour for each of the 168 hours of a week, and the bands that lower them.

    Hour 0 is Monday, 00:00 to 01:00, at the book's UTC offset. Bands are in order, and each lowers more than
    the one before: a hold at the first band's price is then never too small.
    """

    hours: tuple[int, ...]
    bands: tuple[Band, ...] = ()

    def at(self, hour: int, used_ams: int) -> int:
        """The price in an hour of the week for a tenant that used so much of it in the month so far."""
        return lowered(self.hours[hour], self.off(used_ams))

    def off(self, used_ams: int) -> Decimal:
        """How many per cent the bands take off for such a tenant."""
        off = Decimal(0)
        for band in self.bands:
            if band.from_ams > used_ams:
                break
            off = band.off
        return off


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """A tenant's own tariff for a pair, in place of the list's, before ``until_ms`` (None: as long as the book)."""

    tariff: Tariff
    until_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Discount:
    """``off`` per cent of the list price, before ``until_ms``; of all types or tiers where none is named."""

    off: Decimal
    types: frozenset[str] = frozenset()
    tiers: frozenset[Tier] = frozenset()
    until_ms: int | None = None

    def covers(self, type: str, tier: Tier) -> bool:  # noqa: A002 - the word of the glossary
        return (not self.types or type in self.types) and (not self.tiers or tier in self.tiers)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBook:
    """One version of the prices in one currency, in force from ``effective_ms`` until a later one is.

    ``prices`` are micro-units per accelerator-hour, the highest of the week. A pair without a price is not for
    sale under this book, which is another thing than a price of zero. ``tariffs`` has the pairs whose price
    changes within the week or falls with volume. ``utc_offset_ms`` says when this book's week begins: an offset
    in whole hours, not a zone, so that every week has its 168 hours whatever clocks do. ``until_ms``: nothing is
    sold from then on unless a later book is in force.
    ``spot`` has the types whose price as spot is posted hour by hour; what ``prices`` says of them holds before the
    first one is. ``lent_share_ppm``: of what spot earns on seats that a reservation lends, the owner's part, in parts
    per million; a reservation keeps that of the book it was promised under.
    """

    id: str
    currency: str
    effective_ms: int
    prices: Mapping[tuple[str, Tier], int]
    tariffs: Mapping[tuple[str, Tier], Tariff] = field(default_factory=dict)
    overrides: Mapping[tuple[str, str, Tier], Override] = field(default_factory=dict)
    discounts: Mapping[str, tuple[Discount, ...]] = field(default_factory=dict)
    spot: Mapping[str, SpotRule] = field(default_factory=dict)
    utc_offset_ms: int = 0
    until_ms: int | None = None
    lent_share_ppm: int = 0


def price_of(book: PriceBook, type: str, tier: Tier) -> int | None:  # noqa: A002 - the word of the glossary
    """Micro-units per accelerator-hour on the list, the week's highest, or None when the book does not sell it."""
    return book.prices.get((type, tier))


def unit_price(
    book: PriceBook,
    *,
    tenant: str,
    type: str,  # noqa: A002 - the word of the glossary
    tier: Tier,
    at_ms: int,
    used_ams: int = 0,
    posted_micros: int | None = None,
) -> int | None:
    """What a tenant pays for an accelerator-hour at an instant, in whole micro-units; None when it is not sold.

    The tenant's own tariff counts before the list, and is not lowered by discounts. ``used_ams`` is what the
    tenant used of the pair in the calendar month so far; only volume bands look at it. ``posted_micros``, the posted
    price of the hour, takes the list's place for spot of a type that the book has a rule for, within that rule's
    bounds; bands and then discounts lower it like the list. The price is rounded to a micro-unit by each of them
    here, before anything is multiplied, so that the price on the invoice is the price paid.
    """
    hour = hour_of_week(at_ms, book.utc_offset_ms)
    own = book.overrides.get((tenant, type, tier)) if book.overrides else None
    if own is not None and _lasts(own.until_ms, at_ms):
        return own.tariff.at(hour, used_ams)
    tariff = book.tariffs.get((type, tier))
    price = book.prices.get((type, tier)) if tariff is None else tariff.at(hour, used_ams)
    rule = book.spot.get(type) if tier is Tier.SPOT and posted_micros is not None else None
    if rule is not None and posted_micros is not None:
        price = rule.within(posted_micros)
        price = price if tariff is None else lowered(price, tariff.off(used_ams))
    if price is None or tenant not in book.discounts:
        return price
    off = next(
        (one.off for one in book.discounts[tenant] if one.covers(type, tier) and _lasts(one.until_ms, at_ms)), None
    )
    return price if off is None else lowered(price, off)


def bands_of(
    book: PriceBook,
    *,
    tenant: str,
    type: str,  # noqa: A002 - the word of the glossary
    tier: Tier,
    at_ms: int,
) -> tuple[Band, ...]:
    """The volume bands that hold for a tenant at an instant; almost always none."""
    own = book.overrides.get((tenant, type, tier)) if book.overrides else None
    tariff = own.tariff if own is not None and _lasts(own.until_ms, at_ms) else book.tariffs.get((type, tier))
    return () if tariff is None else tariff.bands


def varies(
    book: PriceBook,
    *,
    tenant: str,
    type: str,  # noqa: A002 - the word of the glossary
    tier: Tier,
) -> bool:
    """Whether a tenant's price of a pair may be another one later under the same book."""
    own = (tenant, type, tier) in book.overrides
    listed = (type, tier) in book.tariffs or (tier is Tier.SPOT and type in book.spot)
    return own or listed or any(one.until_ms for one in book.discounts.get(tenant, ()))


def book_at(books: Iterable[PriceBook], *, currency: str, at_ms: int) -> PriceBook | None:
    """The book of a currency in force at an instant: the latest that has taken effect and has not ended."""
    begun = [book for book in books if book.currency == currency and book.effective_ms <= at_ms]
    latest = max(begun, key=lambda book: (book.effective_ms, book.id), default=None)
    return latest if latest is not None and _lasts(latest.until_ms, at_ms) else None


def hour_of_week(at_ms: int, utc_offset_ms: int = 0) -> int:
    """0 (Monday, 00:00) to 167 at a UTC offset. Counted from the epoch, so leap days need no rule."""
    return ((at_ms + utc_offset_ms) // HOUR_MS + _EPOCH_HOUR) % HOURS_OF_WEEK


def lowered(micros: int, off: Decimal) -> int:
    """A price less so many per cent, rounded once to a micro-unit."""
    return round_micros(micros * (_WHOLE - off) / _WHOLE) if off else micros


def _lasts(until_ms: int | None, at_ms: int) -> bool:
    return until_ms is None or at_ms < until_ms
