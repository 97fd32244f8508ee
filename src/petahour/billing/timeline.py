"""What the events say was there and what was held: the raw material of the conservation check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from petahour.model.errors import InvariantError
from petahour.model.events import Event, EventKind
from petahour.model.resources import NodeState, Slot, accelerators_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch of a node's life in which nothing about it changed; ``end_ms`` is exclusive."""

    start_ms: int
    end_ms: int
    type: str
    rehearsal: bool
    accelerators: int
    up: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What one allocation held according to its events. ``ended_ms`` None: it still does."""

    allocation: str
    type: str
    rehearsal: bool
    slots: tuple[Slot, ...]
    placed_ms: int
    ended_ms: int | None = None

    @property
    def accelerators(self) -> int:
        return accelerators_of(self.slots)

    def until(self, to_ms: int) -> int:
        """The end of the hold as seen at ``to_ms``."""
        return to_ms if self.ended_ms is None else min(self.ended_ms, to_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Every node's segments in order, every allocation's hold, and what in the events contradicts itself."""

    nodes: Mapping[str, tuple[Segment, ...]]
    held: Mapping[str, Held]
    faults: tuple[str, ...]


_READ = frozenset({EventKind.NODE_REGISTERED, EventKind.NODE_STATE, EventKind.JOB_PLACED, EventKind.JOB_ENDED})


def read_timeline(events: Iterable[Event], *, to_ms: int) -> Timeline:
    """The timeline up to ``to_ms`` from all events since the beginning, in any order.

    A node registered again keeps its state unless the event names one (``state``); with other attributes it
    changes from then on. Raises
    InvariantError on an event without the data its kind carries.
    """
    faults: list[str] = []
    nodes: dict[str, list[Segment]] = {}
    held: dict[str, Held] = {}
    for event in sorted((one for one in events if one.kind in _READ), key=lambda one: (one.at_ms, one.seq)):
        if event.kind is EventKind.JOB_ENDED:
            _end(held, event, to_ms, faults)
        elif event.at_ms >= to_ms:
            continue
        elif event.kind is EventKind.JOB_PLACED:
            _place(held, event, faults)
        else:
            _change(nodes, event, to_ms, faults)
    kept = {name: tuple(one for one in row if one.start_ms < one.end_ms) for name, row in nodes.items()}
    return Timeline(nodes=kept, held=held, faults=tuple(faults))


def _change(nodes: dict[str, list[Segment]], event: Event, to_ms: int, faults: list[str]) -> None:
    """Ends the node's present segment at the event and begins the next one."""
    name = _given(event, "node", event.node)
    row = nodes.setdefault(name, [])
    if event.kind is EventKind.NODE_REGISTERED:
        following = Segment(
            start_ms=event.at_ms,
            end_ms=to_ms,
            type=_text(event, "type"),
            rehearsal=_flag(event, "rehearsal"),
            accelerators=_count(event, "accelerators"),
            up=_registered_up(event, row),
        )
    elif row:
        following = replace(row[-1], start_ms=event.at_ms, up=_text(event, "after") == NodeState.UP)
    else:
        faults.append(f"node {name} changed its state before it was registered (event {event.seq})")
        return
    if row:
        if replace(following, start_ms=row[-1].start_ms) == row[-1]:
            return
        row[-1] = replace(row[-1], end_ms=event.at_ms)
    row.append(following)


def _registered_up(event: Event, row: list[Segment]) -> bool:
    said = event.data.get("state")
    if said is None:
        return row[-1].up if row else True
    return said == NodeState.UP


def _place(held: dict[str, Held], event: Event, faults: list[str]) -> None:
    name = _given(event, "allocation", event.allocation)
    if name in held:
        faults.append(f"allocation {name} was placed twice (event {event.seq})")
        return
    held[name] = Held(
        allocation=name,
        type=_text(event, "type"),
        rehearsal=_flag(event, "rehearsal"),
        slots=_slots(event),
        placed_ms=event.at_ms,
    )


def _end(held: dict[str, Held], event: Event, to_ms: int, faults: list[str]) -> None:
    name = _given(event, "allocation", event.allocation)
    if name not in held:
        if event.at_ms < to_ms:  # A later one may be the end of a placement that is later too.
            faults.append(f"allocation {name} ended without having been placed before (event {event.seq})")
    elif held[name].ended_ms is not None:
        faults.append(f"allocation {name} ended twice (event {event.seq})")
    else:
        held[name] = replace(held[name], ended_ms=event.at_ms)


def _slots(event: Event) -> tuple[Slot, ...]:
    raw = event.data.get("slots")
    slots: list[Slot] = []
    for entry in raw if isinstance(raw, (list, tuple)) else ():
        node = entry.get("node") if isinstance(entry, Mapping) else None
        indexes = entry.get("indexes") if isinstance(entry, Mapping) else None
        if not isinstance(node, str) or not isinstance(indexes, (list, tuple)):
            raise _malformed(event, "slots")
        if not all(isinstance(index, int) for index in indexes):
            raise _malformed(event, "slots")
        slots.append(Slot(node=node, indexes=tuple(indexes)))
    if not slots:
        raise _malformed(event, "slots")
    return tuple(slots)


def _given(event: Event, name: str, value: str | None) -> str:
    if not value:
        raise _malformed(event, name)
    return value


def _text(event: Event, name: str) -> str:
    value = event.data.get(name)
    if not isinstance(value, str):
        raise _malformed(event, name)
    return value


def _flag(event: Event, name: str) -> bool:
    value = event.data.get(name)
    if not isinstance(value, bool):
        raise _malformed(event, name)
    return value


def _count(event: Event, name: str) -> int:
    value = event.data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _malformed(event, name)
    return value


def _malformed(event: Event, name: str) -> InvariantError:
    return InvariantError(rule=f"a {event.kind} event carries its {name}", value=event.seq)
