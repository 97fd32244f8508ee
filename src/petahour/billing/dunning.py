"""Dunning: which step the collection of an overdue invoice has come to."""

from __future__ import annotations

from petahour.model.credit import CreditTerms, DunningStep
from petahour.model.time import DAY_MS


def dunning_step(overdue_ms: int | None, terms: CreditTerms) -> DunningStep:
    """The last step whose days have passed since the due date; None: nothing is overdue."""
    if overdue_ms is None or overdue_ms < 0:
        return DunningStep.NONE
    steps = (
        (terms.stop_all_days, DunningStep.STOP_ALL),
        (terms.stop_spot_days, DunningStep.STOP_SPOT),
        (terms.stop_new_days, DunningStep.STOP_NEW),
        (terms.remind_days, DunningStep.REMIND),
    )
    return next((step for days, step in steps if overdue_ms >= days * DAY_MS), DunningStep.NONE)


def alert_due(spent_micros: int, limit_micros: int, alerts: tuple[int, ...]) -> int:
    """The highest alert in per cent that so much spent has reached; 0: none."""
    return max((percent for percent in alerts if spent_micros * 100 >= limit_micros * percent), default=0)
