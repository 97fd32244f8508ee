"""Room: free accelerators by pool, node and count, changed only inside one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from petahour.model.resources import Gang, Node, NodeState, Slot


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Like nodes behind one engine: a gang lies in one of them."""

    name: str
    type: str
    rehearsal: bool
    nodes: tuple[str, ...]


class Room:
    """Free accelerators as bit masks over the snapshot's; a gang is placed whole or not at all."""

    def __init__(self, nodes: Mapping[str, Node], free: Mapping[str, int]) -> None:
        self._nodes = nodes
        self._free = {name: free[name] for name, node in nodes.items() if node.state is NodeState.UP}
        members: dict[tuple[str, str, bool], list[str]] = {}
        for name in sorted(nodes):
            node = nodes[name]
            members.setdefault((node.type, node.pool, node.rehearsal), []).append(name)
        self._pools: dict[str, list[Pool]] = {}
        for (type_name, pool, rehearsal), names in members.items():
            self._pools.setdefault(type_name, []).append(
                Pool(name=pool, type=type_name, rehearsal=rehearsal, nodes=tuple(names))
            )

    def pools(self, type_name: str) -> Iterable[Pool]:
        """Pools of a type, real ones before rehearsals."""
        return sorted(self._pools.get(type_name, ()), key=lambda pool: (pool.rehearsal, pool.name))

    def fit(self, pool: Pool, gang: Gang, extra: Mapping[str, int] | None = None) -> tuple[Slot, ...] | None:
        """Slots for the gang, or None. ``extra`` masks are counted as free too.

        Best fit: one switch that suffices and has the least left over, then the fullest nodes that still fit.
        """
        need = gang.accelerators_per_node
        fitting: dict[str, list[tuple[int, str, int]]] = {}
        for name in pool.nodes:
            mask = self._free.get(name, 0)
            if extra and name in self._free:
                mask |= extra.get(name, 0)
            count = mask.bit_count()
            if count >= need:
                fitting.setdefault(self._nodes[name].switch, []).append((count, name, mask))
        groups = [
            (sum(row[0] for row in rows), switch, rows) for switch, rows in fitting.items() if len(rows) >= gang.nodes
        ]
        if groups:
            chosen = min(groups, key=lambda group: (group[0], group[1]))[2]
        else:
            chosen = [row for rows in fitting.values() for row in rows]
        if len(chosen) < gang.nodes:
            return None
        best = sorted(chosen)[: gang.nodes]
        return tuple(sorted(Slot(node=name, indexes=_lowest(mask, need)) for _, name, mask in best))

    def take(self, slots: Iterable[Slot]) -> None:
        """These accelerators are no longer free in this pass."""
        for slot in slots:
            if slot.node in self._free:
                self._free[slot.node] &= ~mask_of(slot)

    def free_in(self, pool: Pool) -> int:
        """Free accelerators on nodes of the pool that take work."""
        return sum(self._free.get(name, 0).bit_count() for name in pool.nodes)


def mask_of(slot: Slot) -> int:
    """The slot's indexes as a bit mask."""
    return sum(1 << index for index in slot.indexes)


def _lowest(mask: int, count: int) -> tuple[int, ...]:
    found: list[int] = []
    while len(found) < count:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return tuple(found)
