"""Price books and rating: every refusal names its field, every amount is rounded once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from petahour.billing.rate import (
    PriceBook,
    book_at,
    describe_price_book,
    parse_price_book,
    parse_price_books,
    price_of,
    rate,
)
from petahour.model.errors import InvariantError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.model.usage import UsageRecord, WaiveReason

TEXT = """
[[price_book]]
id = "cny-2026-07"
currency = "CNY"
effective = 2026-07-01T00:00:00+08:00
prices.a100-80g-sxm = { on-demand = "13.00", spot = 4.5 }

[[price_book]]
id = "cny-2026"
currency = "CNY"
effective = "2026-01-01T00:00:00Z"
[price_book.prices.a100-80g-sxm]
on-demand = "12.50"
spot = "0.000001"
[price_book.prices.cpu]
on-demand = 0
"""


def record(billed_ams: int, waived_ams: int = 0) -> UsageRecord:
    return UsageRecord(
        id="use-alc-1-7200000",
        allocation="alc-1",
        job="job-1",
        tenant="acme",
        project="llm",
        type="cpu",
        tier=Tier.SPOT,
        rehearsal=True,
        hour_ms=2 * HOUR_MS,
        start_ms=2 * HOUR_MS,
        end_ms=2 * HOUR_MS + 1,
        accelerators=1,
        billed_ams=billed_ams,
        waived_ams=waived_ams,
        waive_reason=WaiveReason.LOST if waived_ams else None,
    )


def amount(billed_ams: int, price_micros: int) -> int:
    return rate(record(billed_ams), price_book="b", price_micros=price_micros, currency="CNY").amount_micros


def test_books_are_read_in_order_of_effect() -> None:
    first, second = parse_price_books(TEXT)
    assert (first.id, second.id) == ("cny-2026", "cny-2026-07")
    assert first.effective_ms == 1_767_225_600_000
    assert second.effective_ms == 1_782_835_200_000  # midnight in Beijing is 16:00 UTC of the day before
    assert price_of(first, "a100-80g-sxm", Tier.ON_DEMAND) == 12_500_000
    assert price_of(first, "a100-80g-sxm", Tier.SPOT) == 1
    assert price_of(first, "cpu", Tier.ON_DEMAND) == 0
    assert price_of(second, "a100-80g-sxm", Tier.SPOT) == 4_500_000
    assert price_of(second, "cpu", Tier.ON_DEMAND) is None


def test_the_latest_book_in_effect_counts() -> None:
    first, second = books = parse_price_books(TEXT)
    assert book_at(books, currency="CNY", at_ms=first.effective_ms - 1) is None
    assert book_at(books, currency="CNY", at_ms=first.effective_ms) == first
    assert book_at(books, currency="CNY", at_ms=second.effective_ms) == second
    assert book_at(books, currency="USD", at_ms=second.effective_ms) is None


def test_a_described_book_reads_back() -> None:
    for book in parse_price_books(TEXT):
        assert parse_price_book(describe_price_book(book)) == book


def table(**changes: object) -> dict[str, object]:
    book: dict[str, object] = {"id": "b", "currency": "USD", "effective": "2026-01-01T00:00:00Z"}
    return {**book, "prices": {"cpu": {"spot": "0.10"}}, **changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prices": {"cpu": {"spot": "-0.01"}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": "NaN"}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": Decimal("Infinity")}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": "0.0000001"}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": "10000000.000001"}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": 10**5000}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": 0.1}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": True}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"spot": "dear"}}}, "price_book.prices.cpu.spot"),
        ({"prices": {"cpu": {"premium": "1"}}}, "price_book.prices.cpu.premium"),
        ({"prices": {"cpu": "1"}}, "price_book.prices.cpu"),
        ({"prices": {"h100": {"spot": "1"}}}, "price_book.prices.h100"),
        ({"prices": {}}, "price_book.prices"),
        ({"prices": None}, "price_book.prices"),
        ({"currency": "RMB"}, "currency"),
        ({"currency": 7}, "price_book.currency"),
        ({"id": ""}, "price_book.id"),
        ({"id": "x" * 65}, "price_book.id"),
        ({"id": "a\nb"}, "price_book.id"),
        ({"effective": "2026-01-01"}, "price_book.effective"),
        ({"effective": "soon"}, "price_book.effective"),
        ({"effective": datetime(2026, 1, 1)}, "price_book.effective"),  # noqa: DTZ001 - the naive one to refuse
        ({"effective": None}, "price_book.effective"),
        ({"discount": "5%"}, "price_book.discount"),
    ],
)
def test_a_wrong_book_is_refused_by_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_price_book(table(**changes), known_types={"cpu"})
    assert caught.value.field == field


@pytest.mark.parametrize(
    "text",
    [
        "",
        "price_book = 3",
        "price_book = []",
        "[[price_book]",
        "[[price_books]]",
        "[[price_book]]\nid = 1" + "0" * 5000,
        "x = 1e" + "9" * 40,
        "x = " + "[" * 10_000,
        TEXT.replace("cny-2026-07", "cny-2026"),
        TEXT.replace("2026-07-01T00:00:00+08:00", "2026-01-01T08:00:00+08:00"),
        TEXT.replace("4.5", "nan"),
    ],
)
def test_a_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse_price_books(text)


def test_an_amount_is_rounded_once_half_to_even() -> None:
    assert amount(HOUR_MS, 12_500_000) == 12_500_000
    assert amount(HOUR_MS // 2, 1) == 0  # 0.5
    assert amount(HOUR_MS // 2, 3) == 2  # 1.5
    assert amount(HOUR_MS // 2, 5) == 2  # 2.5
    assert amount(HOUR_MS // 2 + 1, 5) == 3
    assert amount(1, 1_799_999) == 0
    assert amount(0, 12_500_000) == 0
    assert amount(HOUR_MS, 0) == 0
    assert amount(HOUR_MS * 100_000, 10**13) == 10**18


def test_the_charge_carries_its_price_and_its_usage() -> None:
    charge = rate(record(HOUR_MS), price_book="book-1", price_micros=7, currency="CNY")
    assert (charge.id, charge.usage) == ("chg-alc-1-7200000", "use-alc-1-7200000")
    assert (charge.price_book, charge.price_micros, charge.currency) == ("book-1", 7, "CNY")
    assert (charge.tenant, charge.project, charge.type, charge.tier) == ("acme", "llm", "cpu", Tier.SPOT)
    assert charge.rehearsal
    assert charge.hour_ms == 2 * HOUR_MS
    assert rate(record(0, waived_ams=5), price_book="b", price_micros=7, currency="CNY").amount_micros == 0


@pytest.mark.parametrize(("billed_ams", "price_micros"), [(-1, 1), (1, -1), (HOUR_MS * 10**6, 10**13)])
def test_what_cannot_be_is_refused(billed_ams: int, price_micros: int) -> None:
    with pytest.raises(InvariantError):
        amount(billed_ams, price_micros)


def test_a_book_without_a_pair_does_not_sell_it() -> None:
    book = PriceBook(id="b", currency="USD", effective_ms=0, prices={("cpu", Tier.SPOT): 0})
    assert price_of(book, "cpu", Tier.SPOT) == 0
    assert price_of(book, "cpu", Tier.RESERVED) is None
