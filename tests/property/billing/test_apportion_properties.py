"""Rounding once: parts in minor units that make the whole, each less than a unit from what it was."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.apportion import apportion, floor_minor, minor_unit, round_minor, tax_of
from petahour.model.invoices import PPM
from petahour.model.money import MINOR_DIGITS

CURRENCIES = st.sampled_from(sorted(MINOR_DIGITS))
AMOUNTS = st.integers(-(10**15), 10**15)


@given(st.lists(AMOUNTS, max_size=30), CURRENCIES)
def test_parts_make_the_whole(amounts: list[int], currency: str) -> None:
    unit = minor_unit(currency)
    rounded = apportion(amounts, currency)
    assert sum(rounded) == round_minor(sum(amounts), currency)
    assert all(part % unit == 0 for part in rounded)
    assert all(abs(part - exact) < unit for part, exact in zip(rounded, amounts, strict=True))


@given(AMOUNTS, CURRENCIES)
def test_rounding_is_to_the_nearest_and_half_to_even(amount: int, currency: str) -> None:
    unit = minor_unit(currency)
    rounded = round_minor(amount, currency)
    assert rounded == round(Fraction(amount, unit)) * unit
    assert 0 <= amount - floor_minor(amount, currency) < unit


@given(AMOUNTS, st.integers(0, PPM), CURRENCIES)
def test_tax_is_the_nearest_minor_unit(net: int, rate: int, currency: str) -> None:
    unit = minor_unit(currency)
    assert tax_of(net, rate, currency) == round(Fraction(net * rate, PPM * unit)) * unit
    assert tax_of(net, 0, currency) == 0


def test_equal_remainders_go_to_the_first() -> None:
    assert apportion([5_000, 5_000, 5_000], "CNY") == [10_000, 10_000, 0]
    assert apportion([3_334, 3_333, 3_333], "CNY") == [10_000, 0, 0]
    assert apportion([-5_000, 15_000], "CNY") == [0, 10_000]
