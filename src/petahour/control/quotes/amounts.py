"""Amounts as people write them: ``2T`` tokens, ``300B``, ``1.5M``."""

from __future__ import annotations

import re
from decimal import Decimal

from petahour.model.errors import ValidationError

MOST = 10**18
_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
_AMOUNT = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kKMBGT]?)")


def format_amount(amount: float) -> str:
    """``2T``, ``14.8T``, ``300B``: four digits at most."""
    for letter, factor in (("T", 10**12), ("B", 10**9), ("M", 10**6)):
        if amount >= factor:
            units = amount / factor
            return f"{units:,.0f}{letter}" if units >= 1000 else f"{units:.4g}{letter}"
    return f"{amount:,.4g}"


def counted(number: int, what: str) -> str:
    """``1 token``, ``2T tokens``, ``476,838 steps``: amounts of tokens are shortened, steps are not."""
    shown = f"{number:,}" if what == "step" else format_amount(number)
    return f"{shown} {what}{'' if number == 1 else 's'}"


def parse_amount(value: object, *, field: str, most: int = MOST) -> int:
    """``"2T"``, ``"1.4B"`` or a whole number, above zero and at most ``most``. Raises ValidationError."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most:
        return value
    found = _AMOUNT.fullmatch(value.strip().replace(",", "")) if isinstance(value, str) else None
    if found is not None:
        amount = Decimal(found[1]) * _FACTORS[found[2].upper()]
        if 0 < amount <= most and amount == amount.to_integral_value():
            return int(amount)
    raise ValidationError(
        field=field,
        value=value,
        rule=f"a whole amount above zero and at most {most // 10**12:,}T",
        remedy='Write it like "2T", "300B", "1.5M" or as digits.',
    )
