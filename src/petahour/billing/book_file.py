"""Price books as text: the form of ``prices.toml``, and of a book in the store."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from itertools import pairwise

from petahour.billing.book import Discount, Override, PriceBook, Tariff
from petahour.billing.fields import (
    PPM_PER_CENT,
    invalid,
    read_end,
    read_instant,
    read_name,
    read_names,
    read_offset,
    read_percent,
    read_table,
    read_tables,
    read_tier,
    refuse_unknown,
)
from petahour.billing.spot_file import describe_spot, read_spot
from petahour.billing.tariff_file import FIELDS, describe_tariff, plain_price, read_tariff
from petahour.model.jobs import Tier
from petahour.model.money import check_currency
from petahour.model.time import HOUR_MS, to_iso

_KNOWN = {
    "id",
    "currency",
    "effective",
    "until",
    "utc_offset",
    "prices",
    "spot",
    "override",
    "discount",
    "lent_share",
}
_TAXES = ("tax", "tenant_tax")  # Books had them once, and no invoice ever looked at them.
_Pairs = dict[tuple[str, Tier], Tariff]


def parse_price_books(
    source: str | Mapping[str, object], *, known_types: Collection[str] | None = None
) -> tuple[PriceBook, ...]:
    """The ``[[price_book]]`` tables of a TOML text, or of such a text already read, ordered by effect.

    ``known_types`` refuses prices of accelerator types outside it. Raises ValidationError.
    """
    raw = _read(source) if isinstance(source, str) else source
    refuse_unknown(raw, {"price_book"}, "")
    tables = raw.get("price_book")
    if not isinstance(tables, list) or not tables:
        raise invalid("price_book", tables, "at least one table [[price_book]]", "Add a price book.")
    books = tuple(
        parse_price_book(table, known_types=known_types, field=f"price_book[{number}]")
        for number, table in enumerate(tables)
    )
    check_succession(books)
    return tuple(sorted(books, key=lambda book: (book.effective_ms, book.id)))


def parse_price_book(
    raw: object, *, known_types: Collection[str] | None = None, field: str = "price_book"
) -> PriceBook:
    """One book: ``id``, ``currency``, ``effective`` and ``prices.TYPE.TIER``. Raises ValidationError.

    A price is decimal text, a whole number or a Decimal, at most six decimals, or a table of a tariff; binary
    floats are refused. ``effective`` is an aware datetime or such a text (``2026-01-01T00:00:00Z``).
    """
    table = read_table(raw, field)
    for name in _TAXES:
        if name in table:
            raise invalid(
                f"{field}.{name}",
                None,
                "taxes are of tenants, not of prices",
                'Leave it out, and set it with "petahour invoices terms TENANT --tax-rate 6%".',
            )
    refuse_unknown(table, _KNOWN, f"{field}.")
    currency = check_currency(read_name(table.get("currency"), f"{field}.currency"))
    effective_ms = read_instant(table.get("effective"), f"{field}.effective")
    tariffs = _list(table.get("prices"), currency, known_types, f"{field}.prices")
    return PriceBook(
        id=read_name(table.get("id"), f"{field}.id"),
        currency=currency,
        effective_ms=effective_ms,
        prices={pair: max(tariff.hours) for pair, tariff in tariffs.items()},
        tariffs={pair: tariff for pair, tariff in tariffs.items() if tariff.bands or len(set(tariff.hours)) > 1},
        overrides=_overrides(table.get("override"), currency, effective_ms, known_types, f"{field}.override"),
        discounts=_discounts(table.get("discount"), effective_ms, known_types, f"{field}.discount"),
        spot=read_spot(table.get("spot"), currency, tariffs, f"{field}.spot"),
        utc_offset_ms=read_offset(table.get("utc_offset"), f"{field}.utc_offset"),
        until_ms=read_end(table.get("until"), f"{field}.until", effective_ms),
        lent_share_ppm=int(read_percent(table.get("lent_share", 0), f"{field}.lent_share") * PPM_PER_CENT),
    )


def parse_stored_book(raw: object) -> PriceBook:
    """A book as the store or the log has it, with what books of an earlier version had besides left out."""
    table = read_table(raw, "price_book")
    return parse_price_book({name: value for name, value in table.items() if name not in _TAXES})


def describe_price_book(book: PriceBook) -> dict[str, object]:
    """The book as JSON values that ``parse_price_book`` reads back to an equal book."""
    prices: dict[str, dict[str, object]] = {}
    for (type_name, tier), micros in sorted(book.prices.items()):
        tariff = book.tariffs.get((type_name, tier))
        shown = plain_price(micros, book.currency) if tariff is None else describe_tariff(tariff, book.currency)
        prices.setdefault(type_name, {})[tier.value] = shown
    described: dict[str, object] = {
        "id": book.id,
        "currency": book.currency,
        "effective": to_iso(book.effective_ms),
        "prices": prices,
    }
    if book.until_ms is not None:
        described["until"] = to_iso(book.until_ms)
    if book.utc_offset_ms:
        hours = book.utc_offset_ms // HOUR_MS
        described["utc_offset"] = f"{'-' if hours < 0 else '+'}{abs(hours):02d}:00"
    if book.lent_share_ppm:
        described["lent_share"] = str(Decimal(book.lent_share_ppm) / PPM_PER_CENT)
    described |= _describe_terms(book)
    return described


def check_succession(books: Iterable[PriceBook]) -> None:
    """Raises ValidationError on two books of one id, of one effect, or with a gap or an overlap between them."""
    ids: set[str] = set()
    by_currency: dict[str, list[PriceBook]] = {}
    for book in books:
        if book.id in ids:
            raise invalid("price_book.id", book.id, "each book has an id of its own", "Rename one of the two.")
        ids.add(book.id)
        by_currency.setdefault(book.currency, []).append(book)
    for successive in by_currency.values():
        for before, after in pairwise(sorted(successive, key=lambda book: book.effective_ms)):
            _check_pair(before, after)


def _check_pair(before: PriceBook, after: PriceBook) -> None:
    if before.effective_ms == after.effective_ms:
        raise invalid(
            "price_book.effective",
            after.id,
            "one book of a currency takes effect at a time",
            "Move one of the two.",
        )
    if before.until_ms is None or before.until_ms == after.effective_ms:
        return
    end, begin = to_iso(before.until_ms), to_iso(after.effective_ms)
    if before.until_ms < after.effective_ms:
        raise invalid(
            "price_book.until",
            before.id,
            f"no gap in time: it ends at {end}, {after.id} takes effect at {begin}",
            "Leave until out, or let it be the next book's effective.",
        )
    raise invalid(
        "price_book.until",
        before.id,
        f"no overlap in time: it ends at {end}, {after.id} takes effect at {begin} already",
        "Leave until out, or let it be the next book's effective.",
    )


def _read(text: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        # Besides its own error, the parser lets those of absurd numbers and absurd nesting through.
        raise invalid("price book", None, f"a TOML text: {error}", "Correct the text at that place.") from None


def _list(raw: object, currency: str, known_types: Collection[str] | None, field: str) -> _Pairs:
    tariffs: _Pairs = {}
    for type_name, tiers in read_table(raw, field).items():
        where = f"{field}.{type_name}"
        _check_type(type_name, known_types, where)
        for tier_name, price in read_table(tiers, where).items():
            there = f"{where}.{tier_name}"
            if isinstance(price, Mapping):
                refuse_unknown(price, FIELDS, f"{there}.")
            tariffs[read_name(type_name, where), read_tier(tier_name, there)] = read_tariff(price, currency, there)
    if not tariffs:
        raise invalid(field, None, "at least one price", 'Write like prices.cpu.on-demand = "0.10".')
    return tariffs


def _overrides(
    raw: object, currency: str, after_ms: int, known_types: Collection[str] | None, field: str
) -> dict[tuple[str, str, Tier], Override]:
    overrides: dict[tuple[str, str, Tier], Override] = {}
    for table, where in read_tables(raw, field):
        refuse_unknown(table, {"tenant", "type", "tier", "until", *FIELDS}, f"{where}.")
        type_name = read_name(table.get("type"), f"{where}.type")
        _check_type(type_name, known_types, f"{where}.type")
        tier = read_tier(read_name(table.get("tier"), f"{where}.tier"), f"{where}.tier")
        key = (read_name(table.get("tenant"), f"{where}.tenant"), type_name, tier)
        if key in overrides:
            raise invalid(where, "/".join(key), "one override of a tenant, type and tier", "Remove one of the two.")
        tariff = read_tariff({name: table[name] for name in FIELDS if name in table}, currency, where)
        overrides[key] = Override(tariff=tariff, until_ms=read_end(table.get("until"), f"{where}.until", after_ms))
    return overrides


def _discounts(
    raw: object, after_ms: int, known_types: Collection[str] | None, field: str
) -> dict[str, tuple[Discount, ...]]:
    discounts: dict[str, tuple[Discount, ...]] = {}
    for table, where in read_tables(raw, field):
        refuse_unknown(table, {"tenant", "percent", "types", "tiers", "until"}, f"{where}.")
        tenant = read_name(table.get("tenant"), f"{where}.tenant")
        types = read_names(table.get("types"), f"{where}.types")
        for type_name in types:
            _check_type(type_name, known_types, f"{where}.types")
        one = Discount(
            off=read_percent(table.get("percent"), f"{where}.percent"),
            types=frozenset(types),
            tiers=frozenset(read_tier(name, f"{where}.tiers") for name in read_names(table.get("tiers"), where)),
            until_ms=read_end(table.get("until"), f"{where}.until", after_ms),
        )
        for other in discounts.get(tenant, ()):
            if _meet(one.types, other.types) and _meet(one.tiers, other.tiers):
                raise invalid(
                    where, tenant, "discounts of a tenant do not overlap", "Name types or tiers that differ."
                )
        discounts[tenant] = (*discounts.get(tenant, ()), one)
    return discounts


def _describe_terms(book: PriceBook) -> dict[str, object]:
    terms: dict[str, object] = {"spot": describe_spot(book.spot, book.currency)} if book.spot else {}
    if book.overrides:
        terms["override"] = [
            {"tenant": tenant, "type": type_name, "tier": tier.value, **_end(own.until_ms)}
            | describe_tariff(own.tariff, book.currency)
            for (tenant, type_name, tier), own in book.overrides.items()
        ]
    if book.discounts:
        terms["discount"] = [
            {"tenant": tenant, "percent": str(one.off), **_end(one.until_ms)}
            | ({"types": sorted(one.types)} if one.types else {})
            | ({"tiers": sorted(tier.value for tier in one.tiers)} if one.tiers else {})
            for tenant, all_of_it in book.discounts.items()
            for one in all_of_it
        ]
    return terms


def _end(until_ms: int | None) -> dict[str, object]:
    return {} if until_ms is None else {"until": to_iso(until_ms)}


def _meet(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or bool(one & other)


def _check_type(name: str, known_types: Collection[str] | None, field: str) -> None:
    if known_types is not None and name not in known_types:
        raise invalid(field, name, "a type of the catalogue", "Correct the name or leave the row out.")
