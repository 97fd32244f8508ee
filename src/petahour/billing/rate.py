"""Price books, and the price of a usage record."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from petahour.model.errors import InvariantError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import MAX_MICROS, MICROS, Money, check_currency, format_micros, round_micros
from petahour.model.time import HOUR_MS, to_iso, to_ms
from petahour.model.usage import Charge, UsageRecord

MAX_PRICE_MICROS = 10_000_000 * MICROS  # per accelerator-hour: far above any chip, even in VND
MAX_NAME_LENGTH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBook:
    """One version of the prices in one currency, in force from ``effective_ms`` until a later one is.

    ``prices`` are micro-units per accelerator-hour. A pair without a price is not for sale under this book,
    which is another thing than a price of zero.
    """

    id: str
    currency: str
    effective_ms: int
    prices: Mapping[tuple[str, Tier], int]


def price_of(book: PriceBook, type: str, tier: Tier) -> int | None:  # noqa: A002 - the word of the glossary
    """Micro-units per accelerator-hour, or None when the book does not sell it."""
    return book.prices.get((type, tier))


def book_at(books: Iterable[PriceBook], *, currency: str, at_ms: int) -> PriceBook | None:
    """The book of a currency in force at an instant: the latest that has taken effect."""
    live = [book for book in books if book.currency == currency and book.effective_ms <= at_ms]
    return max(live, key=lambda book: (book.effective_ms, book.id), default=None)


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
        amount_micros=round_micros(Decimal(price_micros) * record.billed_ams / HOUR_MS),
        currency=currency,
        hour_ms=record.hour_ms,
    )


def parse_price_books(
    source: str | Mapping[str, object], *, known_types: Collection[str] | None = None
) -> tuple[PriceBook, ...]:
    """The ``[[price_book]]`` tables of a TOML text, or of such a text already read, ordered by effect.

    ``known_types`` refuses prices of accelerator types outside it. Raises ValidationError.
    """
    raw = _read(source) if isinstance(source, str) else source
    _refuse_unknown(raw, {"price_book"}, "")
    tables = raw.get("price_book")
    if not isinstance(tables, list) or not tables:
        raise _invalid("price_book", tables, "at least one table [[price_book]]", "Add a price book.")
    books = tuple(
        parse_price_book(table, known_types=known_types, field=f"price_book[{number}]")
        for number, table in enumerate(tables)
    )
    _refuse_twins(books)
    return tuple(sorted(books, key=lambda book: (book.effective_ms, book.id)))


def parse_price_book(
    raw: object, *, known_types: Collection[str] | None = None, field: str = "price_book"
) -> PriceBook:
    """One book: ``id``, ``currency``, ``effective`` and ``prices.TYPE.TIER``. Raises ValidationError.

    Prices are decimal text, whole numbers or Decimals, at most six decimals; binary floats are refused.
    ``effective`` is an aware datetime or such a text (``2026-01-01T00:00:00Z``).
    """
    table = _table(raw, field)
    _refuse_unknown(table, {"id", "currency", "effective", "prices"}, f"{field}.")
    currency = check_currency(_name(table.get("currency"), f"{field}.currency"))
    prices: dict[tuple[str, Tier], int] = {}
    for type_name, tiers in _table(table.get("prices"), f"{field}.prices").items():
        where = f"{field}.prices.{type_name}"
        if known_types is not None and type_name not in known_types:
            raise _invalid(where, type_name, "a type of the catalogue", "Correct the name or leave the row out.")
        for tier_name, price in _table(tiers, where).items():
            prices[_name(type_name, where), _tier(tier_name, where)] = _price(price, currency, f"{where}.{tier_name}")
    if not prices:
        raise _invalid(f"{field}.prices", None, "at least one price", 'Write like prices.cpu.on-demand = "0.10".')
    return PriceBook(
        id=_name(table.get("id"), f"{field}.id"),
        currency=currency,
        effective_ms=_effective(table.get("effective"), f"{field}.effective"),
        prices=prices,
    )


def describe_price_book(book: PriceBook) -> dict[str, object]:
    """The book as JSON values that ``parse_price_book`` reads back to an equal book."""
    prices: dict[str, dict[str, str]] = {}
    for (type_name, tier), micros in sorted(book.prices.items()):
        prices.setdefault(type_name, {})[tier.value] = format_micros(micros, book.currency).replace(",", "")
    return {"id": book.id, "currency": book.currency, "effective": to_iso(book.effective_ms), "prices": prices}


def _read(text: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        # Besides its own error, the parser lets those of absurd numbers and absurd nesting through.
        raise _invalid("price book", None, f"a TOML text: {error}", "Correct the text at that place.") from None


def _table(raw: object, field: str) -> Mapping[str, object]:
    if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
        raise _invalid(field, raw, "a table", "See the price book reference for its form.")
    return raw


def _name(raw: object, field: str) -> str:
    if not isinstance(raw, str) or not 1 <= len(raw) <= MAX_NAME_LENGTH or not raw.isprintable():
        raise _invalid(field, raw, f"a text of 1 to {MAX_NAME_LENGTH} printable characters", "Give it a short name.")
    return raw


def _tier(raw: str, field: str) -> Tier:
    try:
        return Tier(raw)
    except ValueError:
        raise _invalid(f"{field}.{raw}", raw, "a tier", f"Use one of: {', '.join(Tier)}.") from None


def _price(raw: object, currency: str, field: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, (str, int, Decimal)):
        raise _invalid(field, raw, "a decimal number, as text or whole", 'Write it like "12.50".')
    most = MAX_PRICE_MICROS // MICROS
    in_range = not isinstance(raw, int) or 0 <= raw <= most  # before a huge number is turned into text
    micros = Money.parse(str(raw), currency, field=field).micros if in_range else -1
    if not 0 <= micros <= MAX_PRICE_MICROS:
        shown = str(raw) if in_range else None
        raise _invalid(field, shown, f"from 0 to {most} per accelerator-hour", "Correct the price.")
    return micros


def _effective(raw: object, field: str) -> int:
    at = raw
    if isinstance(raw, str):
        try:
            at = datetime.fromisoformat(raw)
        except ValueError:
            at = None
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise _invalid(field, raw, "a date and time with its zone", "Write it like 2026-01-01T00:00:00Z.")
    return to_ms(at)


def _refuse_unknown(table: Mapping[str, object], known: set[str], prefix: str) -> None:
    for key in table:
        if key not in known:
            raise _invalid(f"{prefix}{key}", None, "no such field", f"Known are: {', '.join(sorted(known))}.")


def _refuse_twins(books: tuple[PriceBook, ...]) -> None:
    ids: set[str] = set()
    effects: set[tuple[str, int]] = set()
    for book in books:
        effect = (book.currency, book.effective_ms)
        if book.id in ids:
            raise _invalid("price_book.id", book.id, "each book has an id of its own", "Rename one of the two.")
        if effect in effects:
            raise _invalid(
                "price_book.effective",
                book.id,
                "one book of a currency takes effect at a time",
                "Move one of the two.",
            )
        ids.add(book.id)
        effects.add(effect)


def _invalid(field: str, value: object, rule: str, remedy: str) -> ValidationError:
    return ValidationError(field=field, value=value, rule=rule, remedy=remedy)
