"""Receivables by age: who owes how much, and for how long it is overdue."""

from __future__ import annotations

from collections.abc import Iterable

from petahour.billing.reports.table import Cell, Column, Holds, Report
from petahour.model.invoices import InvoiceDocument
from petahour.model.time import DAY_MS, to_iso

# Days overdue up to which a sum belongs to the column.
_AGES = (("current", "NOT DUE", 0), ("to_30", "1-30 DAYS", 30), ("to_60", "31-60", 60), ("to_90", "61-90", 90))
_OLDEST = ("older", "OVER 90")
_NAMES = (*(name for name, _, _ in _AGES), _OLDEST[0])
_COLUMNS = (
    Column(name="tenant", title="TENANT"),
    Column(name="currency", title="CURRENCY"),
    *(Column(name=name, title=title, holds=Holds.MONEY) for name, title, _ in _AGES),
    Column(name=_OLDEST[0], title=_OLDEST[1], holds=Holds.MONEY),
    Column(name="total", title="TOTAL", holds=Holds.MONEY),
    Column(name="oldest", title="OLDEST DUE", holds=Holds.INSTANT),
)


def receivables(documents: Iterable[InvoiceDocument], *, now_ms: int) -> Report:
    """One row a tenant that owes, the largest first, and one a currency of all; days begin when payment is late."""
    owed: dict[tuple[str, str], list[int]] = {}
    oldest: dict[tuple[str, str], int] = {}
    for one in documents:
        if one.due_micros <= 0 or one.due_ms is None:
            continue
        key = (one.currency, one.tenant)
        owed.setdefault(key, [0] * len(_NAMES))[_age(now_ms - one.due_ms)] += one.due_micros
        oldest[key] = min(one.due_ms, oldest.get(key, one.due_ms))
    rows: list[tuple[Cell, ...]] = []
    for currency in sorted({key[0] for key in owed}):
        mine = sorted((key for key in owed if key[0] == currency), key=lambda key: (-sum(owed[key]), key))
        rows += [(key[1], currency, *owed[key], sum(owed[key]), oldest[key]) for key in mine]
        totals = [sum(owed[key][place] for key in mine) for place in range(len(_NAMES))]
        rows.append(("all", currency, *totals, sum(totals), min(oldest[key] for key in mine)))
    return Report(
        name="receivables",
        title=f"Receivables by age, as of {to_iso(now_ms)}",
        columns=_COLUMNS,
        rows=tuple(rows),
        labels=("tenant", "currency"),
        series=_NAMES,
        stacked=True,
    )


def _age(overdue_ms: int) -> int:
    for place, (_, _, days) in enumerate(_AGES):
        if overdue_ms <= days * DAY_MS:
            return place
    return len(_AGES)
