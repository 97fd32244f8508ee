"""Seating: which accelerators a reservation gets, or from when on too few are free to promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from petahour.model.promises import Maintenance, Reservation
from petahour.model.resources import Node, NodeState, Slot

Place = tuple[str, int]  # node, index


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What runs, and when it is surely gone; None: nobody knows. What makes way for a reservation is left out."""

    slots: tuple[Slot, ...]
    ends_ms: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """All that a new promise has to go by. ``kept_percent`` of a type's accelerators are promised to nobody."""

    nodes: Sequence[Node]
    held: Sequence[Held]
    reservations: Sequence[Reservation]
    windows: Sequence[Maintenance]
    kept_percent: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Short:
    """Why there are no seats: at ``at_ms`` only ``free`` of ``total`` accelerators can still be promised.

    ``scattered``: so many are free, but not in the shape that is wanted.
    """

    at_ms: int
    free: int
    total: int
    kept: int
    scattered: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Seats:
    """The accelerators of one pool that are kept for a reservation."""

    slots: tuple[Slot, ...]
    rehearsal: bool


def seat(wanted: Reservation, floor: Floor, *, now_ms: int) -> Seats | Short:
    """``nodes`` x ``per_node`` accelerators that are nobody else's in the window, or why there are none.

    Of several pools the first that has them, real ones before rehearsals. In it, nodes under one switch where one
    suffices, those that are promised in part already, then the last: work without a promise takes the first.
    """
    pools: dict[tuple[bool, str], list[Node]] = {}
    for node in floor.nodes:
        if node.type == wanted.type and node.state is not NodeState.DOWN:
            pools.setdefault((node.rehearsal, node.pool), []).append(node)
    shorts = []
    for (rehearsal, _), nodes in sorted(pools.items()):
        taken = _taken(wanted, floor, {node.name for node in nodes}, now_ms)
        short = _short(wanted, floor, nodes, taken)
        if short is None:
            chosen = _choose(wanted, nodes, taken, _promised(wanted, floor))
            if chosen:
                return Seats(slots=chosen, rehearsal=rehearsal)
            free = sum(node.accelerators for node in nodes) - len(taken)
            total = sum(node.accelerators for node in nodes)
            short = Short(at_ms=wanted.from_ms, free=free, total=total, kept=_kept(total, floor), scattered=True)
        shorts.append(short)
    return max(shorts, key=lambda one: one.free, default=Short(at_ms=wanted.from_ms, free=0, total=0, kept=0))


def still_seated(wanted: Reservation, floor: Floor, *, now_ms: int) -> bool:
    """Whether the seats it has can be kept in its window."""
    places = {(slot.node, index) for slot in wanted.seats for index in slot.indexes}
    nodes = {node.name: node for node in floor.nodes}
    known = all(slot.node in nodes and nodes[slot.node].state is not NodeState.DOWN for slot in wanted.seats)
    return known and not places & _taken(wanted, floor, {slot.node for slot in wanted.seats}, now_ms)


def _short(wanted: Reservation, floor: Floor, nodes: Sequence[Node], taken: set[Place]) -> Short | None:
    """The first instant of the window at which too few could be promised, by number."""
    names = {node.name: node.accelerators for node in nodes}
    total = sum(names.values())
    kept = _kept(total, floor)
    others = [one for one in floor.reservations if one.id != wanted.id and _meets(one, wanted)]
    closed = [one for one in floor.windows if _meets(one, wanted)]
    begins = [*(one.from_ms for one in others), *(one.from_ms for one in closed)]
    instants = {wanted.from_ms, *(max(at_ms, wanted.from_ms) for at_ms in begins)}
    for at_ms in sorted(instants):
        away = {name for one in closed if one.from_ms <= at_ms < one.to_ms for name in one.nodes if name in names}
        gone = {(name, index) for name in away for index in range(names[name])}
        gone |= {place for one in others if one.from_ms <= at_ms < one.to_ms for place in _places(one.seats)}
        free = total - kept - len({place for place in gone if place[0] in names})
        if free < wanted.accelerators:
            return Short(at_ms=at_ms, free=max(0, free), total=total, kept=kept)
    return None


def _kept(total: int, floor: Floor) -> int:
    return total * floor.kept_percent // 100


def _taken(wanted: Reservation, floor: Floor, nodes: set[str], now_ms: int) -> set[Place]:
    """Places of these nodes that cannot be its seats."""
    taken: set[Place] = set()
    begins_ms = max(wanted.from_ms, now_ms)
    for run in floor.held:
        if run.ends_ms is None or run.ends_ms > begins_ms:
            taken |= _places(run.slots)
    taken |= _promised(wanted, floor)
    sizes = {node.name: node.accelerators for node in floor.nodes}
    for window in floor.windows:
        if _meets(window, wanted):
            taken |= {(name, index) for name in window.nodes for index in range(sizes.get(name, 0))}
    return {place for place in taken if place[0] in nodes}


def _promised(wanted: Reservation, floor: Floor) -> set[Place]:
    """What is others' at some time of the window."""
    others = (one for one in floor.reservations if one.id != wanted.id and _meets(one, wanted))
    return {place for one in others for place in _places(one.seats)}


def _choose(wanted: Reservation, nodes: Iterable[Node], taken: set[Place], promised: set[Place]) -> tuple[Slot, ...]:
    free: Mapping[str, list[int]] = {
        node.name: [index for index in range(node.accelerators) if (node.name, index) not in taken] for node in nodes
    }
    partly = {name for name, _ in promised}
    fitting = [node for node in nodes if len(free[node.name]) >= wanted.per_node]
    switches: dict[str, list[Node]] = {}
    for node in fitting:
        switches.setdefault(node.switch, []).append(node)
    enough = [members for members in switches.values() if len(members) >= wanted.nodes]
    among = min(reversed(enough), key=len) if enough and wanted.nodes > 1 else fitting
    if len(among) < wanted.nodes:
        return ()
    ordered = sorted(among, key=lambda node: node.name, reverse=True)
    ordered.sort(key=lambda node: (node.name not in partly, len(free[node.name])))
    chosen = [
        Slot(node=node.name, indexes=tuple(free[node.name][-wanted.per_node :])) for node in ordered[: wanted.nodes]
    ]
    return tuple(sorted(chosen))


def _places(slots: Iterable[Slot]) -> set[Place]:
    return {(slot.node, index) for slot in slots for index in slot.indexes}


def _meets(one: Reservation | Maintenance, other: Reservation) -> bool:
    return one.from_ms < other.to_ms and other.from_ms < one.to_ms
