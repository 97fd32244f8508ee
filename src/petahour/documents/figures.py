"""Figures as documents print them: amounts in minor units, hours, prices and rates."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from petahour.model.invoices import PPM
from petahour.model.money import MICROS, MINOR_DIGITS
from petahour.model.time import HOUR_MS


def amount(micros: int, currency: str) -> str:
    """``1,234.50``; exact for whole minor units, which is all that documents have. A minus sign, not a hyphen."""
    text = f"{Decimal(abs(micros)) / MICROS:,.{MINOR_DIGITS[currency]}f}"
    return f"\N{MINUS SIGN}{text}" if micros < 0 else text


def price(low_micros: int, high_micros: int, currency: str) -> str:
    """One price, or the lowest and the highest of a line; with as many decimals as they need."""
    if not high_micros:
        return ""
    return " \N{EN DASH} ".join(_price(micros, currency) for micros in sorted({low_micros, high_micros}))


def hours(accelerator_ms: int) -> str:
    """Accelerator-hours with six decimals, as everywhere on invoices, so that hours x price gives the amount."""
    return f"{Decimal(accelerator_ms) / HOUR_MS:,.6f}" if accelerator_ms else ""


def decimals(amounts: Iterable[int], currency: str) -> int:
    """How many decimals the finest of some amounts has, at least the currency's own."""
    fractions = (f"{abs(micros) % MICROS:06d}".rstrip("0") for micros in amounts)
    return max(MINOR_DIGITS[currency], max((len(fraction) for fraction in fractions), default=0))


def exact(micros: int, digits: int) -> str:
    """An amount of the ledger with so many decimals: the same in a whole table, so that the points stand in line."""
    text = f"{Decimal(abs(micros)) / MICROS:,.{digits}f}"
    return f"\N{MINUS SIGN}{text}" if micros < 0 else text


def percent(rate_ppm: int) -> str:
    """``13 %``, ``8.25 %``."""
    return f"{(Decimal(rate_ppm) * 100 / PPM).normalize():f}\N{NO-BREAK SPACE}%"


def decimal_text(micros: int, digits: int = 6) -> str:
    """Micro-units as plain decimal text for programs: ``-1234.500000``."""
    return f"{Decimal(micros) / MICROS:.{digits}f}"


def _price(micros: int, currency: str) -> str:
    return f"{Decimal(micros) / MICROS:,.{decimals([micros], currency)}f}"
