"""Conservation: in every UTC hour, billed + waived + open + idle + down = capacity, for every type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from petahour.billing.coverage import allocation_faults, by_allocation, coverage_faults, open_from, stray_faults
from petahour.billing.tally import Cell, Part, Sums, Tally
from petahour.billing.timeline import Held, Segment, Timeline, read_timeline
from petahour.model.allocations import Allocation
from petahour.model.events import Event
from petahour.model.time import to_iso
from petahour.model.usage import UsageRecord

MAX_FAULTS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Conservation:
    """The check's result: every cell that holds anything, and what is wrong, in words."""

    from_ms: int
    to_ms: int
    cells: tuple[Cell, ...]
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.faults

    def total(self, *, rehearsal: bool | None = None) -> Sums:
        """The sums of all cells, or of the real or the rehearsal ones only."""
        chosen = [cell.sums for cell in self.cells if rehearsal is None or cell.rehearsal is rehearsal]
        return Sums(
            billed_ams=sum(one.billed_ams for one in chosen),
            waived_ams=sum(one.waived_ams for one in chosen),
            open_ams=sum(one.open_ams for one in chosen),
            idle_ams=sum(one.idle_ams for one in chosen),
            down_ams=sum(one.down_ams for one in chosen),
            capacity_ams=sum(one.capacity_ams for one in chosen),
        )


def conservation_json(result: Conservation) -> dict[str, object]:
    """The result as JSON values: accelerator-milliseconds in total, real and rehearsal apart, and by cell."""
    return {
        "ok": result.ok,
        "from_ms": result.from_ms,
        "to_ms": result.to_ms,
        **_parts(result.total()),
        "real": _parts(result.total(rehearsal=False)),
        "rehearsal": _parts(result.total(rehearsal=True)),
        "faults": list(result.faults),
        "cells": [
            {"hour_ms": one.hour_ms, "type": one.type, "rehearsal": one.rehearsal, **_parts(one.sums)}
            for one in result.cells
        ],
    }


def conserve(
    *,
    events: Iterable[Event],
    usage: Iterable[UsageRecord],
    from_ms: int,
    to_ms: int,
    allocations: Iterable[Allocation] = (),
) -> Conservation:
    """Recomputes the window ``[from_ms, to_ms)`` from raw events and usage records, and compares.

    Capacity, idle, down and open come from the events, billed and waived from the records; each is found by
    itself, none as what the others leave, so a fault in any of them shows. ``events`` must go back to the
    beginning, as what was there at ``from_ms`` follows from them; ``usage`` to the beginning of what runs.
    ``allocations``, where given, are compared with the events and records too. An allocation that has ended
    must be metered in full.
    """
    timeline = read_timeline(events, to_ms=to_ms)
    records = by_allocation(usage)
    faults = list(timeline.faults)
    tally = Tally(from_ms, to_ms)
    _add_nodes(timeline, tally, faults, from_ms, to_ms)
    for held in timeline.held.values():
        own = records.get(held.allocation, [])
        faults += coverage_faults(held, own, from_ms=from_ms, to_ms=to_ms)
        start_ms = open_from(held, own)
        if start_ms is not None:
            tally.add((held.type, held.rehearsal), Part.OPEN, start_ms, to_ms, held.accelerators)
    faults += stray_faults(timeline.held, records, from_ms=from_ms, to_ms=to_ms)
    faults += allocation_faults(timeline.held, records, allocations, to_ms=to_ms)
    for own in records.values():
        for record in own:
            _add_record(tally, record, from_ms, to_ms)
    cells = tally.cells()
    faults += [_imbalance(cell) for cell in cells if not cell.sums.balanced]
    return Conservation(from_ms=from_ms, to_ms=to_ms, cells=cells, faults=_bounded(faults))


def _add_nodes(timeline: Timeline, tally: Tally, faults: list[str], from_ms: int, to_ms: int) -> None:
    """Capacity of every node, and idle and down time of every accelerator, by sweeping its timeline."""
    holds = _holds(timeline.held.values(), to_ms)
    for name in sorted(timeline.nodes.keys() | holds.keys()):
        segments, used = timeline.nodes.get(name, ()), holds.get(name, {})
        for segment in segments:
            key = (segment.type, segment.rehearsal)
            tally.add(key, Part.CAPACITY, segment.start_ms, segment.end_ms, segment.accelerators)
            never_held = segment.accelerators - sum(1 for index in used if index < segment.accelerators)
            tally.add(key, _unheld(segment), segment.start_ms, segment.end_ms, never_held)
        for index, intervals in sorted(used.items()):
            where = f"accelerator {index} of node {name}"
            busy = _merge(sorted(intervals), where, faults, from_ms)
            there = [one for one in segments if index < one.accelerators]
            for segment, start_ms, end_ms in _free(there, busy):
                tally.add((segment.type, segment.rehearsal), _unheld(segment), start_ms, end_ms, 1)
            outside_ms = sum(end - start for start, end in busy) - _overlap(there, busy)
            if outside_ms:
                faults.append(f"{where} was held for {outside_ms} ms while it was not registered")


def _holds(held: Iterable[Held], to_ms: int) -> dict[str, dict[int, list[tuple[int, int, str]]]]:
    """Per node and index: ``(start, end, allocation)`` of everything that held it."""
    holds: dict[str, dict[int, list[tuple[int, int, str]]]] = {}
    for one in held:
        interval = (one.placed_ms, one.until(to_ms), one.allocation)
        for slot in one.slots:
            on_node = holds.setdefault(slot.node, {})
            for index in slot.indexes:
                on_node.setdefault(index, []).append(interval)
    return holds


def _merge(
    intervals: list[tuple[int, int, str]], where: str, faults: list[str], from_ms: int
) -> list[tuple[int, int]]:
    """Sorted intervals as a disjoint union; an overlap inside the window is a fault."""
    busy: list[tuple[int, int]] = []
    last = ""
    for start_ms, end_ms, allocation in intervals:
        if start_ms >= end_ms:
            continue
        if busy and start_ms < busy[-1][1]:
            both_until = min(end_ms, busy[-1][1])
            if both_until > from_ms:
                span = f"from {to_iso(start_ms)} to {to_iso(both_until)}"
                faults.append(f"{where} was held twice {span}: by {last} and {allocation}")
            if end_ms > busy[-1][1]:
                busy[-1], last = (busy[-1][0], end_ms), allocation
        else:
            busy.append((start_ms, end_ms))
            last = allocation
    return busy


def _free(segments: list[Segment], busy: list[tuple[int, int]]) -> Iterator[tuple[Segment, int, int]]:
    """The parts of the segments in which nothing held the accelerator; one pass over both."""
    at = 0
    for segment in segments:
        cursor = segment.start_ms
        while at < len(busy) and busy[at][0] < segment.end_ms:
            start_ms, end_ms = busy[at]
            if start_ms > cursor:
                yield segment, cursor, start_ms
            cursor = max(cursor, end_ms)
            if end_ms > segment.end_ms:
                break  # It reaches into the next segment, which must meet it again.
            at += 1
        if cursor < segment.end_ms:
            yield segment, cursor, segment.end_ms


def _overlap(segments: list[Segment], busy: list[tuple[int, int]]) -> int:
    """Milliseconds that both have in common; one pass over both."""
    common_ms = at = 0
    for segment in segments:
        while at < len(busy) and busy[at][0] < segment.end_ms:
            start_ms, end_ms = busy[at]
            common_ms += max(0, min(end_ms, segment.end_ms) - max(start_ms, segment.start_ms))
            if end_ms > segment.end_ms:
                break
            at += 1
    return common_ms


def _add_record(tally: Tally, record: UsageRecord, from_ms: int, to_ms: int) -> None:
    """The record's billed and waived time; of one that reaches over the window's edge the inner share."""
    inside_ms = min(record.end_ms, to_ms) - max(record.start_ms, from_ms)
    if inside_ms <= 0:
        return
    length_ms = record.end_ms - record.start_ms
    key = (record.type, record.rehearsal)
    tally.add_amount(record.hour_ms, key, Part.BILLED, record.billed_ams * inside_ms // length_ms)
    tally.add_amount(record.hour_ms, key, Part.WAIVED, record.waived_ams * inside_ms // length_ms)


def _parts(sums: Sums) -> dict[str, int]:
    return {
        "billed": sums.billed_ams,
        "waived": sums.waived_ams,
        "open": sums.open_ams,
        "idle": sums.idle_ams,
        "down": sums.down_ams,
        "capacity": sums.capacity_ams,
    }


def _unheld(segment: Segment) -> Part:
    return Part.IDLE if segment.up else Part.DOWN


def _imbalance(cell: Cell) -> str:
    name = cell.type + (" (rehearsal)" if cell.rehearsal else "")
    return f"{to_iso(cell.hour_ms)} {name}: {cell.sums}"


def _bounded(faults: list[str]) -> tuple[str, ...]:
    if len(faults) <= MAX_FAULTS:
        return tuple(faults)
    return (*faults[:MAX_FAULTS], f"and {len(faults) - MAX_FAULTS} more")
