"""Rounding in whole numbers is the house's rounding, whatever the size."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import example, given
from hypothesis import strategies as st

from petahour.model.money import round_micros, round_ratio


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
@example(5, 2)
@example(7, 2)
@example(-5, 2)
@example(0, 1)
def test_a_ratio_is_rounded_as_its_decimal(numerator: int, denominator: int) -> None:
    with localcontext() as context:
        context.prec = 100
        assert round_ratio(numerator, denominator) == round_micros(Decimal(numerator) / denominator)
