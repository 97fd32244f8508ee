"""Whether usage records cover what was held: once, without a gap, and no more than that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from petahour.billing.timeline import Held
from petahour.model.allocations import Allocation
from petahour.model.time import HOUR_MS, hour_floor, to_iso
from petahour.model.usage import UsageRecord

Records = Mapping[str, list[UsageRecord]]


def by_allocation(usage: Iterable[UsageRecord]) -> dict[str, list[UsageRecord]]:
    """The records of every allocation, in order of time."""
    grouped: dict[str, list[UsageRecord]] = {}
    for record in usage:
        grouped.setdefault(record.allocation, []).append(record)
    for records in grouped.values():
        records.sort(key=lambda record: record.start_ms)
    return grouped


def open_from(held: Held, records: list[UsageRecord]) -> int | None:
    """The instant from which a hold is not metered yet; None once it has ended, as then all of it must be."""
    if held.ended_ms is not None:
        return None
    return records[-1].end_ms if records else held.placed_ms


def coverage_faults(held: Held, records: list[UsageRecord], *, from_ms: int, to_ms: int) -> list[str]:
    """What is wrong with the records of one allocation inside the window."""
    faults: list[str] = []
    due_ms = max(held.placed_ms, from_ms)
    for record in records:
        if record.end_ms <= from_ms or record.start_ms >= to_ms:
            continue
        faults += _record_faults(held, record)
        start_ms = max(record.start_ms, from_ms)
        if start_ms > due_ms:
            faults.append(f"allocation {held.allocation} is not metered {_span(due_ms, start_ms)}")
        elif start_ms < due_ms:
            faults.append(f"allocation {held.allocation} is metered twice or too early {_span(start_ms, due_ms)}")
        due_ms = max(due_ms, min(record.end_ms, to_ms))
    if held.ended_ms is None:
        return faults
    end_ms = held.until(to_ms)
    if due_ms < end_ms:
        faults.append(f"allocation {held.allocation} has ended and is not metered {_span(due_ms, end_ms)}")
    elif due_ms > max(end_ms, from_ms):
        faults.append(f"allocation {held.allocation} is metered past its end {_span(end_ms, due_ms)}")
    return faults


def stray_faults(held: Mapping[str, Held], records: Records, *, from_ms: int, to_ms: int) -> list[str]:
    """Usage of allocations that were never placed."""
    return [
        f"usage record {record.id} is of an allocation that was never placed"
        for allocation, own in records.items()
        if allocation not in held
        for record in own
        if record.end_ms > from_ms and record.start_ms < to_ms
    ]


def allocation_faults(
    held: Mapping[str, Held], records: Records, allocations: Iterable[Allocation], *, to_ms: int
) -> list[str]:
    """Where stored allocations and their events or usage records say different things."""
    faults: list[str] = []
    for allocation in allocations:
        seen = held.get(allocation.id)
        if seen is None:
            if allocation.placed_ms < to_ms:
                faults.append(f"allocation {allocation.id} is stored and has no event of its placement")
            continue
        slots = sorted(allocation.slots)
        stored = (allocation.placed_ms, allocation.ended_ms, slots, allocation.type, allocation.rehearsal)
        told = (seen.placed_ms, seen.ended_ms, sorted(seen.slots), seen.type, seen.rehearsal)
        if stored != told:
            faults.append(f"allocation {allocation.id} is stored as {stored} and its events say {told}")
        own = records.get(allocation.id)
        metered_ms = own[-1].end_ms if own else None
        if metered_ms is not None and metered_ms != allocation.metered_ms:
            faults.append(
                f"allocation {allocation.id} is stored as metered to {allocation.metered_ms} "
                f"and its usage records end at {metered_ms}"
            )
        elif own is None and allocation.metered_ms not in (None, allocation.placed_ms):
            faults.append(f"allocation {allocation.id} is stored as metered and has no usage record")
    return faults


def _record_faults(held: Held, record: UsageRecord) -> list[str]:
    faults: list[str] = []
    if (record.type, record.rehearsal, record.accelerators) != (held.type, held.rehearsal, held.accelerators):
        faults.append(f"usage record {record.id} is of other accelerators than its allocation held")
    if record.billed_ams + record.waived_ams != (record.end_ms - record.start_ms) * record.accelerators:
        faults.append(f"usage record {record.id}: billed and waived are not its time x accelerators")
    if min(record.billed_ams, record.waived_ams) < 0 or record.start_ms >= record.end_ms:
        faults.append(f"usage record {record.id} is empty or negative")
    if hour_floor(record.start_ms) != record.hour_ms or record.end_ms > record.hour_ms + HOUR_MS:
        faults.append(f"usage record {record.id} is not inside its UTC hour")
    return faults


def _span(start_ms: int, end_ms: int) -> str:
    return f"from {to_iso(start_ms)} to {to_iso(end_ms)} ({end_ms - start_ms} ms)"
