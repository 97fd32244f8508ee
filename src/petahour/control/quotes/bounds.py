"""Bounds: how long and how dear a quoted run may be at most, so that each of its figures can be kept."""

from __future__ import annotations

from collections.abc import Iterable

from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.model.errors import ValidationError
from petahour.model.quotes import QuoteLine

MOST_YEARS = 1000
MOST_RUN_S = MOST_YEARS * 365 * 86_400
MOST_WHOLE = 2**63 - 1  # what a database and most readers of JSON hold in a whole number
REMEDY = "Quote less work, or a larger gang with --gang."


def require_run(estimate: TypeEstimate, *, field: str, value: object) -> TypeEstimate:
    """The estimate. Raises ValidationError naming what makes the run too long."""
    if estimate.run_s <= MOST_RUN_S:
        return estimate
    years = f"{estimate.run_s / (365 * 86_400):,.0f} years"
    gang = f"{estimate.accelerators:,} x {estimate.type}"
    raise ValidationError(
        field=field,
        value=value,
        rule=f"a run of at most {MOST_YEARS:,} years; on {gang} this one takes {years}",
        remedy=REMEDY,
    )


def require_sums(lines: Iterable[QuoteLine], *, field: str, value: object) -> None:
    """Raises ValidationError where accelerator-time or a price is too large a number to be kept."""
    for line in lines:
        highest = max([line.accelerator_ms.high, *(price.total_micros.high for price in line.prices)])
        if highest > MOST_WHOLE:
            raise ValidationError(
                field=field,
                value=value,
                rule=f"accelerator-milliseconds and micro-units of money of at most {MOST_WHOLE:.1e} on {line.type}",
                remedy="Quote less work.",
            )
