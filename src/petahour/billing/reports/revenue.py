"""Revenue by currency, type and tier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from petahour.billing.reports.table import Cell, Column, Holds, Report, share_ppm
from petahour.model.jobs import Tier
from petahour.model.promises import Reservation
from petahour.model.time import HOUR_MS

_COLUMNS = (
    Column(name="currency", title="CURRENCY"),
    Column(name="type", title="TYPE"),
    Column(name="tier", title="TIER"),
    Column(name="sold", title="HOURS SOLD", holds=Holds.HOURS),
    Column(name="revenue", title="REVENUE", holds=Holds.MONEY),
    Column(name="per_hour", title="PER HOUR", holds=Holds.MONEY),
    Column(name="part", title="SHARE", holds=Holds.SHARE),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Earned:
    """What one revenue account took in a while, and the accelerator time sold for it."""

    currency: str
    type: str
    tier: str
    accelerator_ms: int
    revenue_micros: int


def revenue(earned: Iterable[Earned], month: str) -> Report:
    """One row an account, the shares within their currency. Corrections are taken off where they were posted."""
    rows = sorted(earned, key=lambda one: (one.currency, -one.revenue_micros, one.type, one.tier))
    totals: dict[str, list[int]] = {}
    for one in rows:
        total = totals.setdefault(one.currency, [0, 0])
        total[0] += one.accelerator_ms
        total[1] += one.revenue_micros
    body: list[tuple[Cell, ...]] = [
        (
            one.currency,
            one.type,
            one.tier,
            one.accelerator_ms,
            one.revenue_micros,
            per_hour(one.revenue_micros, one.accelerator_ms),
            share_ppm(one.revenue_micros, totals[one.currency][1]),
        )
        for one in rows
    ]
    for currency, (sold_ams, micros) in sorted(totals.items()):
        body.append((currency, "all", "", sold_ams, micros, per_hour(micros, sold_ams), share_ppm(micros, micros)))
    return Report(
        name="revenue",
        title=f"Revenue of {month}, before tax, by the hours it was earned in",
        columns=_COLUMNS,
        rows=tuple(body),
        labels=("type", "tier", "currency"),
        series=("revenue",),
    )


def with_reserved(
    earned: Iterable[Earned], reservations: Iterable[Reservation], *, from_ms: int, to_ms: int
) -> list[Earned]:
    """The same; the hours sold for a type's reserved revenue are those charged of its reservations, used or not.

    What runs on reserved seats is priced at zero, and no hours of it are in ``earned``.
    """
    sold: dict[tuple[str, str], int] = {}
    for one in reservations:
        charged_ms = min(one.to_ms, one.billed_ms or 0, to_ms) - max(one.from_ms, from_ms)
        if charged_ms > 0 and not one.rehearsal:
            key = (one.currency, one.type)
            sold[key] = sold.get(key, 0) + one.accelerators * charged_ms
    return [
        replace(one, accelerator_ms=one.accelerator_ms + sold.get((one.currency, one.type), 0))
        if one.tier == Tier.RESERVED
        else one
        for one in earned
    ]


def per_hour(micros: int, accelerator_ms: int) -> int | None:
    """The average price of an accelerator-hour, rounded half up to a micro-unit."""
    return None if not accelerator_ms else (micros * HOUR_MS * 2 + accelerator_ms) // (accelerator_ms * 2)
