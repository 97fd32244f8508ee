"""Price files: what they may say, and which field, rule and remedy a wrong one is told."""

from __future__ import annotations

import pytest

from petahour.billing.book import unit_price
from petahour.billing.book_file import describe_price_book, parse_price_books, parse_stored_book
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS

MONDAY = 1_767_571_200_000  # 2026-01-05T00:00:00Z
HEAD = '[[price_book]]\nid = "b"\ncurrency = "CNY"\neffective = 2026-01-01T00:00:00Z\n'
WHOLE = (
    HEAD
    + """
until = 2027-01-01T00:00:00Z
utc_offset = "+08:00"
prices.a100-80g-sxm.on-demand = "14.00"

[price_book.prices.cpu.spot]
hours = [
  { days = "mon-fri", from = 8, to = 20, price = "0.20" },
  { days = "mon-fri", to = 8, price = "0.10" },
  { days = "mon-fri", from = 20, price = "0.10" },
  { days = "sat,sun", price = "0.05" },
]
bands = [{ from_hours = 100, percent = "33.3333" }]

[[price_book.override]]
tenant = "acme"
type = "a100-80g-sxm"
tier = "on-demand"
price = "12.00"
until = 2026-07-01T00:00:00+08:00

[[price_book.discount]]
tenant = "acme"
percent = "7.5"
types = ["a100-80g-sxm"]
"""
)
TWO_DISCOUNTS = """
prices.cpu.spot = 1
discount = [{ tenant = "a", percent = 5 }, { tenant = "a", percent = 6, tiers = ["spot"] }]
"""
BANDS = "prices.cpu.spot = { price = 1, bands = [{ from_hours = 5, percent = 2 }, "


def test_a_whole_book() -> None:
    (book,) = parse_price_books(WHOLE, known_types={"cpu", "a100-80g-sxm"})

    def cpu(hour: int, used: int = 0) -> int | None:
        at_ms = MONDAY + (hour - 8) * HOUR_MS
        return unit_price(book, tenant="beta", type="cpu", tier=Tier.SPOT, at_ms=at_ms, used_ams=used * HOUR_MS)

    def a100(tenant: str, at_ms: int) -> int | None:
        return unit_price(book, tenant=tenant, type="a100-80g-sxm", tier=Tier.ON_DEMAND, at_ms=at_ms)

    assert [cpu(hour) for hour in (0, 7, 8, 19, 20, 5 * 24, 7 * 24 - 1)] == [
        100_000, 100_000, 200_000, 200_000, 100_000, 50_000, 50_000,
    ]  # fmt: skip
    assert (cpu(8, 99), cpu(8, 100)) == (200_000, 133_333)
    assert (a100("beta", MONDAY), a100("acme", MONDAY)) == (14_000_000, 12_000_000)
    # After the override's end the discount on the list counts.
    assert a100("acme", 1_782_835_200_000) == 12_950_000
    assert a100("acme", 1_782_835_199_999) == 12_000_000


@pytest.mark.parametrize(
    ("rest", "field", "rule"),
    [
        ('prices.cpu.spot = "-1"', "price_book[0].prices.cpu.spot", "from 0"),
        ('prices.cpu.spot = "NaN"', "price_book[0].prices.cpu.spot", "finite"),
        ('lent_share = "101"\nprices.cpu.spot = 1', "price_book[0].lent_share", "from 0 to 100"),
        ('lent_share = "40%"\nprices.cpu.spot = 1', "price_book[0].lent_share", "from 0 to 100"),
        ("prices.cpu.spot = nan", "price_book[0].prices.cpu.spot", "finite"),
        ("prices.cpu.spot.price = -1", "price_book[0].prices.cpu.spot.price", "from 0"),
        ('prices.h100.spot = "1"', "price_book[0].prices.h100", "a type of the catalogue"),
        ('prices.cpu.gold = "1"', "price_book[0].prices.cpu.gold", "a tier"),
        ("prices.cpu.spot = {}", "price_book[0].prices.cpu.spot.hours", "every hour of the week has a price"),
        (
            'prices.cpu.spot.hours = [{ days = "mon-sat", price = 1 }, { days = "sun", from = 1, price = 1 }]',
            "price_book[0].prices.cpu.spot.hours",
            "every hour of the week has a price",
        ),
        (
            'prices.cpu.spot = { price = 1, hours = [{ days = "mon", price = 1 }, { from = 8, to = 9, price = 1 }] }',
            "price_book[0].prices.cpu.spot.hours[1]",
            "windows do not overlap",
        ),
        (
            'prices.cpu.spot = { price = 1, hours = [{ from = 20, to = 6, price = 1 }] }',
            "price_book[0].prices.cpu.spot.hours[0].to",
            "after the window's beginning",
        ),
        (
            'prices.cpu.spot = { price = 1, hours = [{ days = "fri-mon", price = 1 }] }',
            "price_book[0].prices.cpu.spot.hours[0].days",
            "days of",
        ),
        (
            'prices.cpu.spot = { price = 1, hours = [{ days = "mon" }] }',
            "price_book[0].prices.cpu.spot.hours[0].price",
            "a decimal number",
        ),
        (
            "prices.cpu.spot = { price = 1, bands = [{ from_hours = 0, percent = 1 }] }",
            "price_book[0].prices.cpu.spot.bands[0].from_hours",
            "a whole number",
        ),
        (
            BANDS + "{ from_hours = 5, percent = 3 }] }",
            "price_book[0].prices.cpu.spot.bands[1].from_hours",
            "more hours",
        ),
        (
            BANDS + "{ from_hours = 6, percent = 2 }] }",
            "price_book[0].prices.cpu.spot.bands[1].percent",
            "more per cent",
        ),
        (
            'prices.cpu.spot = { price = 1, bands = [{ from_hours = 5, percent = "nan" }] }',
            "price_book[0].prices.cpu.spot.bands[0].percent",
            "from 0 to 100",
        ),
        ('prices.cpu.spot = 1\nutc_offset = "+05:30"', "price_book[0].utc_offset", "whole hours"),
        ('prices.cpu.spot = 1\nutc_offset = "+15:00"', "price_book[0].utc_offset", "from -14:00"),
        ("prices.cpu.spot = 1\nuntil = 2026-01-01T00:00:00Z", "price_book[0].until", "later than"),
        (
            'prices.cpu.spot = 1\noverride = [{ tenant = "a", type = "cpu", tier = "spot" }]',
            "price_book[0].override[0].hours",
            "every hour",
        ),
        (
            'prices.cpu.spot = 1\noverride = [{ tenant = "a", type = "tpu", tier = "spot", price = 1 }]',
            "price_book[0].override[0].type",
            "a type of the catalogue",
        ),
        (
            "prices.cpu.spot = 1\noverride = ["
            + '{ tenant = "a", type = "cpu", tier = "spot", price = 1 },' * 2
            + "]",
            "price_book[0].override[1]",
            "one override",
        ),
        (
            TWO_DISCOUNTS,
            "price_book[0].discount[1]",
            "do not overlap",
        ),
        (
            'prices.cpu.spot = 1\ndiscount = [{ tenant = "a", percent = 101 }]',
            "price_book[0].discount[0].percent",
            "from 0 to 100",
        ),
        (
            'prices.cpu.spot = 1\ntax = { name = "VAT", percent = 6 }',
            "price_book[0].tax",
            "taxes are of tenants",
        ),
    ],
)  # fmt: skip
def test_a_wrong_book_names_field_rule_and_remedy(rest: str, field: str, rule: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_price_books(HEAD + rest, known_types={"cpu"})
    assert caught.value.field == field
    assert rule in caught.value.rule
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("until", "rule"),
    [
        ("2026-02-01T00:00:00Z", None),
        ("2026-01-31T00:00:00Z", "no gap in time"),
        ("2026-02-02T00:00:00Z", "no overlap"),
    ],
)
def test_books_follow_each_other_without_gap_or_overlap(until: str, rule: str | None) -> None:
    text = HEAD + f"until = {until}\nprices.cpu.spot = 1\n"
    text += HEAD.replace('"b"', '"c"').replace("01-01", "02-01") + "prices.cpu.spot = 1\n"
    if rule is None:
        assert len(parse_price_books(text)) == 2
        return
    with pytest.raises(ValidationError) as caught:
        parse_price_books(text)
    assert caught.value.field == "price_book.until"
    assert rule in caught.value.rule


@pytest.mark.parametrize(("currency", "price", "micros"), [("JPY", "250", 250_000_000), ("KWD", "1.234", 1_234_000)])
def test_currencies_of_no_and_of_three_decimals(currency: str, price: str, micros: int) -> None:
    (book,) = parse_price_books(HEAD.replace("CNY", currency) + f'prices.cpu.spot = "{price}"')
    assert book.prices == {("cpu", Tier.SPOT): micros}


def test_a_stored_book_of_an_earlier_version_is_read_without_its_taxes() -> None:
    (book,) = parse_price_books(WHOLE)
    old = {**describe_price_book(book), "tax": {"name": "VAT", "percent": "6"}, "tenant_tax": []}
    assert parse_stored_book(old) == book
