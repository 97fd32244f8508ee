"""What is paid comes in whole minor units of its currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.apportion import minor_unit, parse_minor
from petahour.model.errors import ValidationError
from petahour.model.money import MICROS, MINOR_DIGITS


@given(currency=st.sampled_from(sorted(MINOR_DIGITS)), micros=st.integers(-(10**12), 10**12))
def test_it_takes_just_whole_minor_units_above_zero(currency: str, micros: int) -> None:
    sign, (whole, fraction) = "-" if micros < 0 else "", divmod(abs(micros), MICROS)
    text = f"{sign}{whole}.{fraction:06d}"
    decimals = len(text.split(".")[1].rstrip("0"))
    if micros > 0 and decimals <= MINOR_DIGITS[currency]:
        assert parse_minor(text, currency).micros == micros
        return
    with pytest.raises(ValidationError, match="more than zero, in whole minor units"):
        parse_minor(text, currency)


@pytest.mark.parametrize(("currency", "unit"), [("JPY", "1"), ("CNY", "0.01"), ("KWD", "0.001")])
def test_its_smallest_sum_is_in_the_remedy(currency: str, unit: str) -> None:
    assert parse_minor(unit, currency).micros == minor_unit(currency)
    with pytest.raises(ValidationError) as refused:
        parse_minor("10.0005", currency)
    assert refused.value.remedy == f"Round it to {unit}."
