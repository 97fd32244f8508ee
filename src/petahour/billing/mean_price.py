"""The mean price of a run that lasts through several hours of the week."""

from __future__ import annotations

from petahour.billing.book import PriceBook, unit_price, varies
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS, split_hours

LONGEST_MS = 8 * 7 * 24 * HOUR_MS


def mean_price(
    book: PriceBook,
    *,
    tenant: str,
    type: str,  # noqa: A002 - the word of the glossary
    tier: Tier,
    from_ms: int,
    duration_ms: int,
    posted_micros: int | None = None,
) -> int | None:
    """Micro-units that an accelerator-hour costs a tenant on average from an instant on; None when not sold then.

    Rounded to a whole micro-unit. Volume bands are left out: which of them a run reaches depends on what else the
    tenant uses. The first eight weeks stand for a longer run. ``posted_micros``, the last posted price of spot,
    stands for all later hours.
    """
    first = unit_price(book, tenant=tenant, type=type, tier=tier, at_ms=from_ms, posted_micros=posted_micros)
    if first is None or duration_ms <= 0 or not varies(book, tenant=tenant, type=type, tier=tier):
        return first
    whole_ms = min(duration_ms, LONGEST_MS)
    weighed = 0
    for _, start_ms, end_ms in split_hours(from_ms, from_ms + whole_ms):
        price = unit_price(book, tenant=tenant, type=type, tier=tier, at_ms=start_ms, posted_micros=posted_micros)
        weighed += (first if price is None else price) * (end_ms - start_ms)
    return (weighed + whole_ms // 2) // whole_ms
