"""Occupancy: where every accelerator-hour of the fleet went, so that the parts sum to the capacity."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from petahour.billing.conservation import Conservation
from petahour.billing.reports.table import Cell, Column, Holds, Report, share_ppm
from petahour.model.errors import InvariantError
from petahour.model.usage import UsageRecord

PARTS = ("sold", "lent", "waived", "open", "idle", "down")
_COLUMNS = (
    Column(name="type", title="TYPE"),
    Column(name="nodes", title="NODES"),
    *(Column(name=part, title=part.upper(), holds=Holds.HOURS) for part in PARTS),
    Column(name="capacity", title="CAPACITY", holds=Holds.HOURS),
    Column(name="occupancy", title="OCCUPANCY", holds=Holds.SHARE),
)

Sums = dict[tuple[bool, str], list[int]]


def occupancy(found: Conservation, usage: Iterable[UsageRecord], borrowed: Collection[str], *, title: str) -> Report:
    """One row a type, rehearsal nodes apart, and one of all. ``borrowed`` are allocations beyond a quota.

    *Sold* and *lent* are billed time, lent where the tenant borrowed what was promised to others; *open* is held and
    not metered yet. Raises InvariantError when the parts of a row do not sum to its capacity.
    """
    lent = _lent(found, usage, borrowed)
    sums: Sums = {}
    for cell in found.cells:
        one = cell.sums
        row = sums.setdefault((cell.rehearsal, cell.type), [0] * 7)
        for place, ams in enumerate((one.billed_ams, 0, one.waived_ams, one.open_ams, one.idle_ams, one.down_ams)):
            row[place] += ams
        row[6] += one.capacity_ams
    for key, ams in lent.items():
        sums[key][0] -= ams
        sums[key][1] += ams
    for key, row in sums.items():
        if sum(row[:6]) != row[6] and not found.faults:
            raise InvariantError(rule="the parts of a type's time sum to its capacity", value=(key, row))
    rows: list[tuple[Cell, ...]] = [
        _row(name, "rehearsal" if rehearsal else "real", row) for (rehearsal, name), row in sorted(sums.items())
    ]
    real = [sum(row[place] for (rehearsal, _), row in sums.items() if not rehearsal) for place in range(7)]
    rows.append(_row("all", "real", real))
    return Report(
        name="occupancy",
        title=title,
        columns=_COLUMNS,
        rows=tuple(rows),
        labels=("type", "nodes"),
        series=PARTS,
        stacked=True,
        notes=found.faults,
    )


def _row(name: str, nodes: str, row: list[int]) -> tuple[Cell, ...]:
    return (name, nodes, *row, share_ppm(row[0] + row[1], row[6]))


def _lent(
    found: Conservation, usage: Iterable[UsageRecord], borrowed: Collection[str]
) -> dict[tuple[bool, str], int]:
    """Billed time of allocations that borrowed, as far as it lies in the window."""
    lent: dict[tuple[bool, str], int] = {}
    for record in usage:
        inside_ms = min(record.end_ms, found.to_ms) - max(record.start_ms, found.from_ms)
        if record.allocation in borrowed and inside_ms > 0:
            key = (record.rehearsal, record.type)
            lent[key] = lent.get(key, 0) + record.billed_ams * inside_ms // (record.end_ms - record.start_ms)
    return lent
