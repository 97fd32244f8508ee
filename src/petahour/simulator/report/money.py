"""Money on the page: what each policy's replay earned, by type and tier and by tenant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from petahour.model.time import HOUR_MS
from petahour.simulator.money.bill import Bill, Line
from petahour.simulator.report.measures import figure

Cells = tuple[str, str, str]  # revenue, accelerator-hours billed, and waived
MICROS = 1_000_000


def money_by_type(bills: Sequence[Bill], most: int) -> list[tuple[str, list[Cells]]]:
    """Per type and tier, the most earning of the first bill first."""
    return _rows(bills, lambda line: f"{line.type}, {line.tier.value}", most)


def money_by_tenant(bills: Sequence[Bill], most: int) -> list[tuple[str, list[Cells]]]:
    """Per tenant, likewise."""
    return _rows(bills, lambda line: line.tenant, most)


def _rows(bills: Sequence[Bill], key: Callable[[Line], str], most: int) -> list[tuple[str, list[Cells]]]:
    sums: list[dict[str, list[int]]] = []
    for bill in bills:
        of_bill: dict[str, list[int]] = {}
        for line in bill.lines:
            row = of_bill.setdefault(key(line), [0, 0, 0])
            row[0] += line.revenue_micros
            row[1] += line.billed_ams
            row[2] += line.lost_ams + line.provisioning_ams
        sums.append(of_bill)
    names = sorted(
        {name for of_bill in sums for name in of_bill}, key=lambda name: (-sums[0].get(name, [0])[0], name)
    )
    return [(name, [_cells(of_bill.get(name, [0, 0, 0])) for of_bill in sums]) for name in names[:most]]


def _cells(row: list[int]) -> Cells:
    revenue, billed, waived = row
    return figure(revenue / MICROS), figure(billed / HOUR_MS), figure(waived / HOUR_MS)
