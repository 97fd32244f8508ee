"""Kept: which price book each job was promised, and for how much more running time."""

from __future__ import annotations

from collections.abc import Callable

from petahour.billing.book import PriceBook, unit_price
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.simulator.money.posted import Posted
from petahour.simulator.money.prices import Prices
from petahour.simulator.trace import TraceJob


class Kept:
    """As on the floor: the book a job was first placed under, for as much running time as its walltime.

    A job that is placed again gets the book in force once that time is used up, and where the book it kept asks more
    than its limit.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._of: dict[int, tuple[PriceBook | None, int]] = {}

    def placed(
        self, job: int, walltime_ms: int | None, at_ms: int, dear: Callable[[PriceBook], bool]
    ) -> tuple[PriceBook | None, int]:
        """The book of a placement at an instant of the trace, and for how long it is promised."""
        book, left_ms = self._of.get(job, (None, 0))
        if left_ms <= 0 or (book is not None and dear(book)):
            book, left_ms = self._prices.book_at(at_ms), walltime_ms or 0
        self._of[job] = book, left_ms
        return book, left_ms

    def ran(self, job: int, ran_ms: int) -> None:
        """So much of the time is used up."""
        book, left_ms = self._of[job]
        self._of[job] = book, left_ms - max(0, ran_ms)


def above(posted: Posted, job: TraceJob, type_name: str, at_ms: int, book: PriceBook) -> bool:
    """Whether the book asks more of the job than its limit in the hour of an instant of the calendar, or the next."""
    limit = job.limit_micros
    asked = (price_then(posted, job.tenant, type_name, when, book) for when in (at_ms, at_ms + HOUR_MS))
    return limit is not None and any(price is not None and price > limit for price in asked)


def price_then(posted: Posted, tenant: str, type_name: str, at_ms: int, book: PriceBook) -> int | None:
    """What a tenant is asked for spot at an instant of the calendar, before any limit."""
    micros = posted.at(type_name, at_ms)
    return unit_price(book, tenant=tenant, type=type_name, tier=Tier.SPOT, at_ms=at_ms, posted_micros=micros)


def book_then(
    own: PriceBook, prices: Prices, pair: tuple[str, Tier], *, began_ms: int, promised_ms: int | None, at_ms: int
) -> PriceBook:
    """The book that prices a run at an instant of the calendar: its own while promised, else that in force."""
    if promised_ms is None or at_ms <= began_ms + promised_ms:
        return own
    later = prices.book_at(at_ms - prices.begins_ms)
    return own if later is None or pair not in later.prices else later
