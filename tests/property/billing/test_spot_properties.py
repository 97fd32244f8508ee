"""The posted spot price: within its bounds, at most a step an hour, and a function of what happened alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.book import unit_price
from petahour.billing.book_file import describe_price_book, parse_price_book
from petahour.billing.spot import SpotRule, next_price
from petahour.control.audit.spot import due_price
from petahour.model.errors import InvariantError
from petahour.model.jobs import Tier
from petahour.model.prices import SpotPrice

micros = st.integers(0, 10**13)
ams = st.integers(0, 10**15)
targets = st.integers(1, 999_999)


@st.composite
def rules(draw: st.DrawFn) -> SpotRule:
    low, high = sorted((draw(micros), draw(micros)))
    return SpotRule(floor_micros=low, ceiling_micros=high, step_micros=draw(micros), target_ppm=draw(targets))


hours = st.tuples(ams, ams)


@given(rule=rules(), before=micros, seen=st.lists(hours, max_size=48))
def test_it_stays_within_its_bounds_and_moves_at_most_a_step_an_hour(
    rule: SpotRule, before: int, seen: list[tuple[int, int]]
) -> None:
    price = rule.within(before)
    for held, capacity in seen:
        after = next_price(rule, price, held_ams=held, capacity_ams=capacity)
        assert rule.floor_micros <= after <= rule.ceiling_micros
        assert abs(after - price) <= rule.step_micros
        price = after


@given(rule=rules(), before=micros, one=ams, other=ams, capacity=st.integers(1, 10**15))
def test_what_is_more_sought_is_never_cheaper(
    rule: SpotRule, before: int, one: int, other: int, capacity: int
) -> None:
    less, more = sorted((one, other))
    assert next_price(rule, before, held_ams=less, capacity_ams=capacity) <= next_price(
        rule, before, held_ams=more, capacity_ams=capacity
    )


@given(rule=rules(), before=micros, held=ams, capacity=ams)
def test_the_auditor_comes_to_the_same_by_fractions(rule: SpotRule, before: int, held: int, capacity: int) -> None:
    price = SpotPrice(
        currency="CNY",
        type="cpu",
        hour_ms=0,
        price_micros=0,
        before_micros=before,
        held_ams=held,
        capacity_ams=capacity,
        book="b",
        posted_ms=-1,
    )
    assert due_price(rule, price) == next_price(rule, before, held_ams=held, capacity_ams=capacity)


@given(rule=rules(), before=micros)
def test_nothing_moves_it_at_the_target_or_without_capacity(rule: SpotRule, before: int) -> None:
    at_target = next_price(rule, before, held_ams=rule.target_ppm, capacity_ams=1_000_000)
    assert at_target == next_price(rule, before, held_ams=0, capacity_ams=0) == rule.within(before)


def test_a_full_fleet_moves_it_a_whole_step_up_and_an_empty_one_a_whole_step_down() -> None:
    rule = SpotRule(floor_micros=1_000, ceiling_micros=9_000, step_micros=600, target_ppm=750_000)
    moves = [next_price(rule, 5_000, held_ams=held, capacity_ams=1_000) - 5_000 for held in (0, 375, 750, 875, 1_000)]
    assert moves == [-600, -300, 0, 300, 600]
    with pytest.raises(InvariantError):
        next_price(rule, 5_000, held_ams=-1, capacity_ams=1_000)


@st.composite
def books(draw: st.DrawFn) -> dict[str, object]:
    low, first, high = sorted(draw(st.integers(0, 10**9)) for _ in range(3))
    price: object = f"{first / 1e6:.6f}"
    if draw(st.booleans()):
        price = {"price": price, "bands": [{"from_hours": 10, "percent": "20"}]}
    return {
        "id": "b",
        "currency": "CNY",
        "effective": "2026-01-01T00:00:00Z",
        "prices": {"cpu": {"spot": price}},
        "spot": {
            "cpu": {
                "floor": f"{low / 1e6:.6f}",
                "ceiling": f"{high / 1e6:.6f}",
                "step": "0.05",
                "target": str(Decimal(draw(targets)) / 10_000),
            }
        },
        "override": [{"tenant": "own", "type": "cpu", "tier": "spot", "price": "7"}],
        "discount": [{"tenant": "less", "percent": "50"}],
    }


@given(raw=books(), posted=micros, used=st.sampled_from([0, 10 * 3_600_000]))
def test_a_book_reads_back_and_prices_in_its_order(raw: dict[str, object], posted: int, used: int) -> None:
    """The tenant's own tariff, else posted price, band, discount; always within the bounds before these."""
    book = parse_price_book(raw)
    assert parse_price_book(describe_price_book(book)) == book

    def price(tenant: str) -> int | None:
        return unit_price(
            book, tenant=tenant, type="cpu", tier=Tier.SPOT, at_ms=0, used_ams=used, posted_micros=posted
        )

    rule = book.spot["cpu"]
    listed, banded = rule.within(posted), book.tariffs.get(("cpu", Tier.SPOT)) is not None and used > 0
    paid = price("any")
    assert paid is not None
    assert abs(paid - listed * (Decimal("0.8") if banded else 1)) <= Decimal("0.5")
    assert abs((price("less") or 0) - Decimal(paid) / 2) <= Decimal("0.5")
    assert price("own") == 7_000_000
