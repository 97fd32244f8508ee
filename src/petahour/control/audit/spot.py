"""Posted spot prices: each follows from the one before by the rule of its book, and no job pays above its limit."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from petahour.billing.spot import SpotRule
from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts
from petahour.model.jobs import Tier
from petahour.model.prices import SpotPrice
from petahour.model.time import HOUR_MS

POSTED = "every posted spot price follows from the one before by its rule"
LIMITS = "every allocation has the limit of its job"


def spot_checks(facts: Facts) -> tuple[Check, ...]:
    """The promises about posted prices; what charges make of them is checked with the charges."""
    return (checked(POSTED, (*_rows(facts), *_events(facts))), checked(LIMITS, _limits(facts)))


def _rows(facts: Facts) -> Iterator[str]:
    last: dict[tuple[str, str], SpotPrice] = {}
    for one in facts.posted:
        name, book = f"{one.currency}/{one.type} of {one.hour_ms}", facts.books.get(one.book)
        before = last.get((one.currency, one.type))
        last[one.currency, one.type] = one
        rule = None if book is None else book.spot.get(one.type)
        if book is None or rule is None or book.currency != one.currency:
            yield f"{name} is posted by {one.book}, which has no rule for it"
            continue
        begins = book.prices[one.type, Tier.SPOT] if before is None else before.price_micros
        if one.before_micros != begins:
            yield f"{name} follows {one.before_micros}, the price before it is {begins}"
        if one.price_micros != due_price(rule, one):
            yield f"{name} is {one.price_micros}, by its rule {due_price(rule, one)}"
        if one.hour_ms % HOUR_MS or one.posted_ms >= one.hour_ms:
            yield f"{name} was posted at {one.posted_ms}, not before an hour of UTC"


def due_price(rule: SpotRule, one: SpotPrice) -> int:
    """What the rule makes of the price before and the occupancy, in fractions."""
    low, high = rule.floor_micros, rule.ceiling_micros
    before = sorted((low, one.before_micros, high))[1]
    if one.capacity_ams == 0:
        return before
    occupancy, target = min(Fraction(1), Fraction(one.held_ams, one.capacity_ams)), Fraction(rule.target_ppm, 10**6)
    up = max(Fraction(0), (occupancy - target) / (1 - target))
    down = max(Fraction(0), (target - occupancy) / target)
    return sorted((low, before + int(rule.step_micros * up) - int(rule.step_micros * down), high))[1]


def _events(facts: Facts) -> Iterator[str]:
    """What was told is what is stored, and every change was told."""
    stored = {(one.currency, one.type, one.hour_ms): one for one in facts.posted}
    told = set()
    for event in facts.spot_events:
        rows = event.data.get("prices")
        for row in rows if isinstance(rows, list) else ():
            key = (str(event.data["currency"]), str(row["type"]), event.data["hour_ms"])
            told.add(key)
            one = stored.get(key)  # type: ignore[arg-type]  # An hour that is no number is in no row.
            if one is None or (one.price_micros, one.before_micros) != (row["micros"], row["before_micros"]):
                yield f"event {event.seq} tells of {key}: {row['micros']}, which is not what is stored"
    for key, one in stored.items():
        if one.price_micros != one.before_micros and key not in told:
            yield f"{one.currency}/{one.type} of {one.hour_ms} changed the price and has no event"


def _limits(facts: Facts) -> Iterator[str]:
    for allocation in facts.allocations.values():
        job = facts.jobs.get(allocation.job)
        if job is not None and job.spec.limit_micros != allocation.limit_micros:
            yield f"{allocation.id} has the limit {allocation.limit_micros}, its job {job.spec.limit_micros}"
