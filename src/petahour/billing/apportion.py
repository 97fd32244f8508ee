"""Rounding to the currency's minor unit, once, so that the parts still make the whole."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from petahour.model.errors import ValidationError
from petahour.model.invoices import PPM
from petahour.model.money import MINOR_DIGITS, Money, format_micros

MICRO_DIGITS = 6


def minor_unit(currency: str) -> int:
    """The smallest amount people pay, in micro-units: 10,000 for CNY, 1,000,000 for JPY, 1,000 for KWD."""
    return int(10 ** (MICRO_DIGITS - MINOR_DIGITS[currency]))


def parse_minor(text: str, currency: str) -> Money:
    """What is paid: more than zero, in whole minor units. Raises ValidationError, naming ``amount``."""
    money = Money.parse(text, currency)
    if money.micros <= 0 or money.micros % minor_unit(currency):
        raise ValidationError(
            field="amount",
            value=text,
            rule=f"more than zero, in whole minor units of {currency}",
            remedy=f"Round it to {format_micros(minor_unit(currency), currency)}.",
        )
    return money


def round_minor(micros: int, currency: str) -> int:
    """To the minor unit, half to even, in micro-units."""
    unit = minor_unit(currency)
    return int((Decimal(micros) / unit).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) * unit


def floor_minor(micros: int, currency: str) -> int:
    """To the minor unit at or below."""
    return micros - micros % minor_unit(currency)


def apportion(exact_micros: Sequence[int], currency: str) -> list[int]:
    """Amounts in minor units that sum to the rounded sum, each less than one unit from its exact amount.

    The largest-remainder method: every amount is rounded down, and the units that are then missing go to the
    amounts that lost most, the first of equals. Negative amounts are rounded down too.
    """
    unit = minor_unit(currency)
    floors = [floor_minor(micros, currency) for micros in exact_micros]
    missing = (round_minor(sum(exact_micros), currency) - sum(floors)) // unit
    by_loss = sorted(range(len(floors)), key=lambda place: (floors[place] - exact_micros[place], place))
    for place in by_loss[:missing]:
        floors[place] += unit
    return floors


def tax_of(net_micros: int, rate_ppm: int, currency: str) -> int:
    """Net x rate, rounded once to the minor unit, half to even."""
    unit = minor_unit(currency)
    exact = Decimal(net_micros) * rate_ppm / (PPM * unit)
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)) * unit
