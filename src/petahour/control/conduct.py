"""Conduct: under which policy, bounds and prices scheduling passes are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from petahour.billing.rate import PriceBook
from petahour.control.prices import PriceBooks
from petahour.control.settings import Settings
from petahour.model.jobs import Tier


@dataclass(frozen=True, kw_only=True, slots=True)
class Conduct:
    """What a pass goes by beside the state; the same for as long as a control plane runs."""

    policy: str
    min_run_ms: int
    max_preemptions: int
    preemptions_per_hour: float
    hold_interval_ms: int
    memory_events: int
    prices: PriceBooks


def conduct_of(policy: str, prices: PriceBooks, settings: Settings) -> Conduct:
    """What a control plane with these settings goes by."""
    return Conduct(
        policy=policy,
        min_run_ms=settings.min_run_ms,
        max_preemptions=settings.max_preemptions,
        preemptions_per_hour=settings.preemptions_per_hour,
        hold_interval_ms=settings.hold_interval_ms,
        memory_events=settings.memory_events,
        prices=prices,
    )


def conduct_data(conduct: Conduct) -> dict[str, object]:
    """As JSON values, for the log."""
    return {
        "policy": conduct.policy,
        "min_run_ms": conduct.min_run_ms,
        "max_preemptions": conduct.max_preemptions,
        "preemptions_per_hour": conduct.preemptions_per_hour,
        "hold_interval_ms": conduct.hold_interval_ms,
        "memory_events": conduct.memory_events,
        "books": [
            {
                "id": book.id,
                "currency": book.currency,
                "effective_ms": book.effective_ms,
                "prices": [[name, tier.value, micros] for (name, tier), micros in book.prices.items()],
            }
            for book in conduct.prices.books
        ],
    }


def conduct_from(data: Mapping[str, Any]) -> Conduct:
    """From the log again. Raises KeyError, TypeError or ValueError on another shape."""
    known = dict(data)
    books = tuple(
        PriceBook(
            id=book["id"],
            currency=book["currency"],
            effective_ms=book["effective_ms"],
            prices={(name, Tier(tier)): micros for name, tier, micros in book["prices"]},
        )
        for book in known.pop("books")
    )
    return Conduct(**known, prices=PriceBooks(books))
