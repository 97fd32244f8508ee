"""Funds: what a placement must hold, against what the tenant has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.scheduler.ask import Ask, Waiting


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """What tenants can pay and what things cost; views of the owner's tables.

    ``available_micros``: tenant -> prepaid credit not held. ``prices_micros``: (tenant, type, tier) -> micro-units
    per accelerator-hour in the tenant's currency; absent: not for sale. ``promised_micros`` tells the same of a book
    by its id, for jobs that were promised its prices. A placement holds money for the shorter of its walltime and
    ``hold_interval_ms``.
    """

    available_micros: Mapping[str, int]
    prices_micros: Mapping[tuple[str, str, Tier], int]
    hold_interval_ms: int
    promised_micros: Callable[[str, str, str, Tier], int | None] = lambda *_: None

    def price_micros(self, ask: Ask, type_name: str) -> int | None:
        """What a job of this ask pays for an accelerator-hour of the type; None: not for sale to it."""
        if ask.promise is not None:
            return self.promised_micros(ask.promise.price_book, ask.tenant, type_name, ask.tier)
        return self.prices_micros.get((ask.tenant, type_name, ask.tier))


def hold_micros(money: Money, job: Waiting, type_name: str, accelerators: int) -> int | None:
    """Micro-units to hold for the shorter of walltime and interval, rounded up; None: not for sale."""
    price = money.price_micros(job.ask, type_name)
    if price is None:
        return None
    duration_ms = min(job.walltime_ms or money.hold_interval_ms, money.hold_interval_ms)
    return -(-price * accelerators * duration_ms // HOUR_MS)


def beyond_limit(money: Money, ask: Ask, type_name: str) -> int | None:
    """The price of an accelerator-hour where it is above what the job pays at most; None where it is not."""
    if ask.limit_micros is None:
        return None
    price = money.price_micros(ask, type_name)
    return price if price is not None and price > ask.limit_micros else None
