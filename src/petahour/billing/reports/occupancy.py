"""Occupancy: where every accelerator-hour of the fleet went, so that the parts sum to the capacity."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from petahour.billing.conservation import Conservation
from petahour.billing.reports.kept import NOTHING, Kept
from petahour.billing.reports.table import Cell, Column, Holds, Report, share_ppm
from petahour.model.errors import InvariantError
from petahour.model.usage import UsageRecord

PARTS = ("used", "borrowed", "lent", "unused", "waived", "open", "idle", "down")
_SOLD = 4  # so many of them are paid for
_BUSY = 3  # and so many were worked on
_COLUMNS = (
    Column(name="type", title="TYPE"),
    Column(name="nodes", title="NODES"),
    *(Column(name=part, title=part.upper(), holds=Holds.HOURS) for part in PARTS),
    Column(name="capacity", title="CAPACITY", holds=Holds.HOURS),
    Column(name="sold", title="SOLD", holds=Holds.SHARE),
    Column(name="occupancy", title="OCCUPANCY", holds=Holds.SHARE),
)
_USED, _BORROWED, _LENT, _UNUSED, _WAIVED, _OPEN, _IDLE, _DOWN, _CAPACITY = range(9)
Sums = dict[tuple[bool, str], list[int]]


def occupancy(
    found: Conservation,
    usage: Iterable[UsageRecord],
    borrowed: Collection[str],
    kept: Kept = NOTHING,
    *,
    title: str,
) -> Report:
    """One row a type, rehearsal nodes apart, and one of all. ``borrowed`` are allocations beyond a quota.

    *Used*, *borrowed* and *lent* are billed time: borrowed beyond a quota, lent as spot on seats of a reservation.
    *Unused* was kept for a reservation's owner and stood still, *idle* was nobody's; *open* is held and not metered
    yet. Raises InvariantError when the parts of a row do not sum to its capacity, or one is below zero.
    """
    sums: Sums = {}
    for cell in found.cells:
        one, row = cell.sums, sums.setdefault((cell.rehearsal, cell.type), [0] * (len(PARTS) + 1))
        row[_USED] += one.billed_ams
        row[_WAIVED] += one.waived_ams
        row[_OPEN] += one.open_ams
        row[_IDLE] += one.idle_ams
        row[_DOWN] += one.down_ams
        row[_CAPACITY] += one.capacity_ams
    for record in usage:
        inside_ms = min(record.end_ms, found.to_ms) - max(record.start_ms, found.from_ms)
        if inside_ms <= 0:
            continue
        row, lent = sums[record.rehearsal, record.type], kept.lent.get(record.id, 0)
        _move(row, _USED, _LENT, lent)
        if record.allocation in borrowed:
            billed = record.billed_ams * inside_ms // (record.end_ms - record.start_ms)
            _move(row, _USED, _BORROWED, billed - lent)
    for key, ams in kept.unused.items():
        if ams:
            _move(sums[key], _IDLE, _UNUSED, ams)
    for key, row in sums.items():
        if (sum(row[:_CAPACITY]) != row[_CAPACITY] or min(row) < 0) and not found.faults:
            raise InvariantError(rule="the parts of a type's time sum to its capacity", value=(key, row))
    rows: list[tuple[Cell, ...]] = [
        _row(name, "rehearsal" if rehearsal else "real", row) for (rehearsal, name), row in sorted(sums.items())
    ]
    real = [
        sum(row[place] for (rehearsal, _), row in sums.items() if not rehearsal) for place in range(_CAPACITY + 1)
    ]
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


def _move(row: list[int], source: int, target: int, ams: int) -> None:
    row[source] -= ams
    row[target] += ams


def _row(name: str, nodes: str, row: list[int]) -> tuple[Cell, ...]:
    sold, busy = sum(row[:_SOLD]), sum(row[:_BUSY])
    return (name, nodes, *row, share_ppm(sold, row[_CAPACITY]), share_ppm(busy, row[_CAPACITY]))
