"""Limits: what spot jobs pay at most for an accelerator-hour, given to a share of them with a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petahour.billing.book import price_of
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.simulator.generate.draw import Source
from petahour.simulator.money import Prices
from petahour.simulator.trace import Trace

MOST = 100.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceLimits:
    """A ``share`` of spot jobs pays at most ``least`` to ``most`` times the book's price. Raises ValidationError."""

    share: float
    least: float
    most: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise _refuse(self.share, "a share from 0 to 1")
        if not 0 <= self.least <= self.most <= MOST:
            raise _refuse(f"{self.least:g}-{self.most:g}", f"a range of factors from 0 to {MOST:g}")


def parse_limits(text: str) -> PriceLimits:
    """``0.5:0.8-1.2``. Raises ValidationError."""
    share, _, factors = text.partition(":")
    least, _, most = factors.partition("-")
    try:
        return PriceLimits(share=float(share), least=float(least), most=float(most))
    except ValueError:
        raise _refuse(text, "a share and a range of factors") from None


def with_limits(
    trace: Trace, limits: PriceLimits, prices: Prices, types: Sequence[str], seed: int, *, preemptible: bool
) -> Trace:
    """The trace with new limits for its spot jobs, instead of those they had; the same for a seed everywhere.

    A limit is of the price that the book in force at the beginning has for spot of a job's first type (of ``types``,
    the fleet's, where it accepts any). ``preemptible``: every job is spot. Raises ValidationError: no such price.
    """
    source, count, book = Source(seed), len(trace.jobs), prices.book_at(0)
    chosen = source.uniform("price limit", count).tolist()
    factors = source.uniform("price limit factor", count).tolist()
    jobs = []
    for job, one, factor in zip(trace.jobs, chosen, factors, strict=True):
        spot = preemptible or job.tier is Tier.SPOT
        limit = None
        if spot and one < limits.share:
            name = next((name for name in job.types or types if name in types), None)
            price = None if book is None or name is None else price_of(book, name, Tier.SPOT)
            if price is not None:
                limit = round(price * (limits.least + (limits.most - limits.least) * factor))
        jobs.append(replace(job, limit_micros=limit))
    return replace(trace, jobs=jobs)


def _refuse(value: object, rule: str) -> ValidationError:
    return ValidationError(
        field="price_limits", value=value, rule=rule, remedy='Write it like "0.5:0.8-1.2": share, least and most.'
    )
