"""Posted prices, as they are stored and told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotPrice:
    """A posted price and what it came from: it holds from ``hour_ms`` on until another one is posted.

    ``before_micros`` is the price before it. ``held_ams`` of ``capacity_ams`` accelerator-milliseconds were held in
    the hour that it follows, as known when it was posted; ``book`` has the rule.
    """

    currency: str
    type: str
    hour_ms: int
    price_micros: int
    before_micros: int
    held_ams: int
    capacity_ams: int
    book: str
    posted_ms: int
