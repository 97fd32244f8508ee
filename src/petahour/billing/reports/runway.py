"""Burn and runway: what tenants use a day, and when their prepaid credit is at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petahour.billing.reports.table import Cell, Column, Holds, Report
from petahour.billing.runway import FAR_MS
from petahour.model.time import DAY_MS, format_duration, to_iso

_COLUMNS = (
    Column(name="tenant", title="TENANT"),
    Column(name="currency", title="CURRENCY"),
    Column(name="credit", title="CREDIT", holds=Holds.MONEY),
    Column(name="held", title="HELD", holds=Holds.MONEY),
    Column(name="burn", title="BURN A DAY", holds=Holds.MONEY),
    Column(name="runway", title="RUNWAY", holds=Holds.DURATION),
    Column(name="empty", title="EMPTY AT", holds=Holds.INSTANT),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Burn:
    """A tenant's prepaid account and what was charged to it in the window. ``credit`` includes what is held."""

    tenant: str
    currency: str
    credit_micros: int
    held_micros: int
    charged_micros: int


def runway(burns: Iterable[Burn], *, window_ms: int, now_ms: int) -> Report:
    """One row a tenant, the shortest runway first; who uses nothing has none and comes last.

    Credit that lasts for more than a century has a runway and no instant.
    """
    rows: list[tuple[Cell, ...]] = []
    for one in burns:
        left_ms = None
        if one.charged_micros:
            left_ms = max(0, one.credit_micros) * window_ms // one.charged_micros
        burn_micros = one.charged_micros * DAY_MS // window_ms
        at_ms = None if left_ms is None or left_ms > FAR_MS else now_ms + left_ms
        rows.append((one.tenant, one.currency, one.credit_micros, one.held_micros, burn_micros, left_ms, at_ms))
    rows.sort(key=lambda row: (row[5] is None, row[5] or 0, row[0]))
    return Report(
        name="runway",
        title=f"Burn over the last {format_duration(window_ms)} and runway, as of {to_iso(now_ms)}",
        columns=_COLUMNS,
        rows=tuple(rows),
        labels=("tenant",),
        series=("runway",),
    )
