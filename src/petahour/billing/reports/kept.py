"""Kept: what became of the seats of reservations that their owners did not use: lent to spot, or left unused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from petahour.billing.timeline import Timeline, read_timeline
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.promises import ReservationState, reservation_from
from petahour.model.usage import UsageRecord

Place = tuple[str, int]  # node, accelerator
Span = tuple[int, int]  # start, end, ms
Key = tuple[bool, str]  # rehearsal, type


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Accelerator-milliseconds in a window: ``unused`` stood idle on kept seats of nodes that took work, by rehearsal
    and type; ``lent`` was billed as spot on seats that were lent, by usage record.
    """

    unused: Mapping[Key, int]
    lent: Mapping[str, int]


NOTHING = Kept(unused={}, lent={})


def kept_time(events: Iterable[Event], usage: Iterable[UsageRecord], *, from_ms: int, to_ms: int) -> Kept:
    """From all events since the beginning, in order, and the usage records of the window."""
    told = list(events)
    kept, lent = _seats(told, from_ms, to_ms)
    if not kept:
        return NOTHING
    timeline = read_timeline(told, to_ms=to_ms)
    return Kept(unused=_unused(timeline, kept, to_ms), lent=_lent(timeline, usage, lent))


def _seats(
    events: Iterable[Event], from_ms: int, to_ms: int
) -> tuple[dict[Place, list[Span]], dict[Place, list[Span]]]:
    """When each accelerator was a tenant's in the window, and when it was lent, as the events say."""
    states: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for event in events:
        if event.kind is EventKind.RESERVATION_SET:
            data: Mapping[str, Any] = event.data
            one = reservation_from(data["reservation"])
            states[one.id].append((event.at_ms, one))
    kept: dict[Place, list[Span]] = defaultdict(list)
    lent: dict[Place, list[Span]] = defaultdict(list)
    for told in states.values():
        ends = [at_ms for at_ms, _ in told[1:]] + [to_ms]
        for (at_ms, one), until_ms in zip(told, ends, strict=True):
            span = (max(at_ms, one.from_ms, from_ms), min(until_ms, one.to_ms, to_ms))
            if one.state is not ReservationState.CONFIRMED or span[0] >= span[1]:
                continue
            for slot in one.seats:
                for index in slot.indexes:
                    kept[slot.node, index].append(span)
                    if one.lends:
                        lent[slot.node, index].append(span)
    return kept, lent


def _unused(timeline: Timeline, kept: Mapping[Place, list[Span]], to_ms: int) -> dict[Key, int]:
    held: dict[Place, list[Span]] = defaultdict(list)
    for one in timeline.held.values():
        for slot in one.slots:
            for index in slot.indexes:
                held[slot.node, index].append((one.placed_ms, one.until(to_ms)))
    found: dict[Key, int] = defaultdict(int)
    for (node, index), spans in kept.items():
        busy = sorted(held[node, index])
        for segment in timeline.nodes.get(node, ()):
            if segment.up and index < segment.accelerators:
                for start_ms, end_ms in spans:
                    inside = (max(start_ms, segment.start_ms), min(end_ms, segment.end_ms))
                    found[segment.rehearsal, segment.type] += _free_ms(*inside, busy)
    return found


def _lent(timeline: Timeline, usage: Iterable[UsageRecord], lent: Mapping[Place, list[Span]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in usage:
        held = timeline.held.get(record.allocation)
        if held is None or record.tier is not Tier.SPOT or not record.billed_ams:
            continue
        ams = sum(
            max(0, min(record.end_ms, end_ms) - max(record.start_ms, start_ms))
            for place in _places(held.slots)
            for start_ms, end_ms in lent.get(place, ())
        )
        if ams:
            found[record.id] = ams
    return found


def _places(slots: Iterable[Any]) -> Iterator[Place]:
    for slot in slots:
        for index in slot.indexes:
            yield slot.node, index


def _free_ms(start_ms: int, end_ms: int, busy: Iterable[Span]) -> int:
    """What of the interval none of these, in order of their beginning, covers."""
    free_ms, cursor_ms = 0, start_ms
    for from_ms, to_ms in busy:
        if from_ms >= end_ms:
            break
        free_ms += max(0, from_ms - cursor_ms)
        cursor_ms = max(cursor_ms, to_ms)
    return free_ms + max(0, end_ms - cursor_ms)
