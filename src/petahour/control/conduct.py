"""Conduct: under which policy, bounds and prices scheduling passes are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from petahour.billing.book_file import describe_price_book, parse_stored_book
from petahour.control.prices import PriceBooks
from petahour.control.settings import Settings


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
        prices=PriceBooks(prices.books),  # those published later are told by the log
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
        "books": [describe_price_book(book) for book in conduct.prices.books],
    }


def conduct_from(data: Mapping[str, Any]) -> Conduct:
    """From the log again. Raises KeyError, TypeError, ValueError or ValidationError on another shape."""
    known = dict(data)
    books = [parse_stored_book(book) for book in known.pop("books")]
    return Conduct(**known, prices=PriceBooks(books))
