"""Room: which accelerators are free, kept as bit sets so that a gang is fitted in a handful of operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from petahour.model.errors import InvariantError
from petahour.model.resources import Gang, Node, NodeState, Slot, Switch
from petahour.scheduler.ask import Ask, Grant


class Pool:
    """Like nodes behind one engine: a gang lies in one pool.

    Nodes are numbered in the order of switch and name. ``_by_free[c]`` is the set (bit i: node i) of nodes that
    take work and have exactly ``c`` accelerators free, so the fullest node that fits is the lowest bit of the
    first set that is not empty. ``free`` counts the free accelerators of the nodes that take work.
    """

    __slots__ = (
        "_aside",
        "_by_free",
        "_free",
        "_index",
        "_of_size",
        "_switches",
        "_taking",
        "accelerators",
        "free",
        "index",
        "name",
        "names",
        "rehearsal",
        "shut_accelerators",
        "sizes",
        "type",
        "width",
    )

    def __init__(self, index: int, nodes: Sequence[Node]) -> None:
        ordered = sorted(nodes, key=lambda node: (node.switch, node.name))
        first = ordered[0]
        self.index, self.name, self.type, self.rehearsal = index, first.pool, first.type, first.rehearsal
        self.names = tuple(node.name for node in ordered)
        self.sizes = tuple(node.accelerators for node in ordered)
        self.width = max(self.sizes)
        self._index = {name: number for number, name in enumerate(self.names)}
        self._free = [(1 << size) - 1 for size in self.sizes]
        self._taking = 0
        self._aside: tuple[int, list[int], int] = (0, [], 0)
        self.accelerators = self.shut_accelerators = sum(self.sizes)
        self.free = 0
        self._by_free = [0] * (self.width + 1)
        self._switches = _ranges([node.switch for node in ordered])
        self._of_size: dict[int, int] = {}
        for number, size in enumerate(self.sizes):
            self._of_size[size] = self._of_size.get(size, 0) | 1 << number
        for number, node in enumerate(ordered):
            if node.state is NodeState.UP:
                self.open(number)

    # -- what changes ------------------------------------------------------------------------------------------

    def open(self, node: int) -> None:
        """The node takes work."""
        bit = 1 << node
        if not self._taking & bit:
            self._taking |= bit
            self.shut_accelerators -= self.sizes[node]
            count = self._free[node].bit_count()
            self._by_free[count] |= bit
            self.free += count

    def shut(self, node: int) -> None:
        """The node takes nothing new; what runs there stays."""
        bit = 1 << node
        if self._taking & bit:
            self._taking &= ~bit
            self.shut_accelerators += self.sizes[node]
            count = self._free[node].bit_count()
            self._by_free[count] &= ~bit
            self.free -= count

    def narrow(self, nodes: int) -> None:
        """Take nothing on these nodes (bit i: node i) until ``widen``; what is free of them is then as before."""
        self._aside = (self._taking, self._by_free, nodes)
        self._taking &= ~nodes
        self._by_free = [free & ~nodes for free in self._by_free]
        self.free = self._count_free()

    def widen(self) -> None:
        """Take work again on the nodes that were left out."""
        self._taking, before, nodes = self._aside
        self._by_free = [free | old & nodes for free, old in zip(self._by_free, before, strict=True)]
        self.free = self._count_free()

    def take(self, grants: Iterable[Grant]) -> None:
        """These accelerators are held. Raises InvariantError when one is held already."""
        free, by_free = self._free, self._by_free
        for node, mask in grants:
            before = free[node]
            if before & mask != mask:
                raise InvariantError(rule="no accelerator is given twice", value=self.names[node])
            after = free[node] = before ^ mask
            bit = 1 << node
            if self._taking & bit:
                old, new = before.bit_count(), after.bit_count()
                by_free[old] ^= bit
                by_free[new] |= bit
                self.free += new - old

    def give(self, grants: Iterable[Grant]) -> None:
        """These accelerators are free again. Raises InvariantError when one was free."""
        free, by_free = self._free, self._by_free
        for node, mask in grants:
            before = free[node]
            if before & mask:
                raise InvariantError(rule="only what is held is given back", value=self.names[node])
            after = free[node] = before | mask
            bit = 1 << node
            if self._taking & bit:
                old, new = before.bit_count(), after.bit_count()
                by_free[old] ^= bit
                by_free[new] |= bit
                self.free += new - old

    # -- what is asked -----------------------------------------------------------------------------------------

    def fit(self, gang: Gang, rest: int = 0) -> tuple[Grant, ...] | None:
        """Accelerators for the gang, or None.

        Best fit: the fullest nodes that still fit; for several nodes one switch that suffices, the fullest such.
        """
        need = gang.accelerators_per_node
        if gang.nodes == 1 and not rest and not gang.exclusive:
            for free in self._by_free[need:]:
                if free:
                    node = (free & -free).bit_length() - 1
                    return (Grant(node, lowest(self._free[node], need)),)
            return None
        if gang.bound:
            return self._fit_bound(gang, rest)
        fitting = self._at_least(need)
        if fitting.bit_count() < gang.nodes:
            return None
        if rest == 0 and len(self._switches) > 1:
            fitting = self._one_switch(fitting, gang.nodes) or fitting
        chosen = self._fullest(fitting, need, gang.nodes)
        grants = [Grant(node, lowest(self._free[node], need)) for node in chosen]
        if rest:
            used = sum(1 << node for node in chosen)
            last = self._fullest(self._at_least(rest) & ~used, rest, 1)
            if not last:
                return None
            grants.append(Grant(last[0], lowest(self._free[last[0]], rest)))
        return tuple(sorted(grants))

    def fits(self, gang: Gang, rest: int = 0) -> bool:
        """Whether ``fit`` would find a place."""
        if gang.nodes == 1 and not rest and not gang.exclusive:
            return any(self._by_free[gang.accelerators_per_node :])
        if gang.bound:
            return self._fit_bound(gang, rest) is not None
        if rest:
            return self.fit(gang, rest) is not None
        return sum(free.bit_count() for free in self._by_free[gang.accelerators_per_node :]) >= gang.nodes

    def could_hold(self, gang: Gang, rest: int = 0) -> bool:
        """Whether the gang would fit if all nodes took work and were empty."""
        groups = self._switches if gang.switch is Switch.REQUIRED else [(0, (1 << len(self.sizes)) - 1)]
        for low, ones in groups:
            sizes = self.sizes[low : low + ones.bit_length()]
            wide = sum(1 for size in sizes if size >= gang.accelerators_per_node)
            if wide >= gang.nodes and (not rest or sum(1 for size in sizes if size >= rest) > gang.nodes):
                return True
        return False

    def holds(self, ask: Ask) -> int:
        """How many accelerators a gang of this ask holds here; where its nodes may differ in size, the most."""
        return ask.gang.nodes * self.width if ask.gang.exclusive else ask.accelerators

    def number(self, name: str) -> int | None:
        """The index of the node of this name, None for a stranger."""
        return self._index.get(name)

    def grants(self, slots: Iterable[Slot]) -> tuple[Grant, ...]:
        """Slots of this pool as grants."""
        return tuple(Grant(self._index[slot.node], mask_of(slot)) for slot in slots)

    def slots(self, grants: Iterable[Grant]) -> tuple[Slot, ...]:
        """Grants as slots, by node name."""
        return tuple(sorted(Slot(node=self.names[node], indexes=_indexes(mask)) for node, mask in grants))

    def free_mask(self, node: int) -> int:
        """The node's free accelerators, whether or not it takes work."""
        return self._free[node]

    def _count_free(self) -> int:
        return sum(count * free.bit_count() for count, free in enumerate(self._by_free))

    def _fit_bound(self, gang: Gang, rest: int) -> tuple[Grant, ...] | None:
        """``fit`` for a gang that wants one switch, or nodes of its own."""
        among = self._whole() if gang.exclusive else self._taking
        groups = [ones << low for low, ones in self._switches]
        everywhere = (1 << len(self.sizes)) - 1
        if gang.switch is not Switch.REQUIRED:
            groups.append(everywhere)
        best: list[int] | None = None
        fewest = len(self.sizes) + 1
        for group in groups:
            count = (self._at_least(gang.accelerators_per_node) & among & group).bit_count()
            if gang.nodes <= count < fewest:
                chosen = self._in_group(gang, rest, among & group)
                if chosen is not None:
                    best, fewest = chosen, count
        if best is None:
            return None
        needs = [gang.accelerators_per_node] * gang.nodes + [rest] * (len(best) - gang.nodes)
        return tuple(
            sorted(
                Grant(node, self._free[node] if gang.exclusive else lowest(self._free[node], need))
                for node, need in zip(best, needs, strict=True)
            )
        )

    def _in_group(self, gang: Gang, rest: int, among: int) -> list[int] | None:
        chosen = self._fullest(among, gang.accelerators_per_node, gang.nodes)
        if len(chosen) < gang.nodes or not rest:
            return chosen if len(chosen) == gang.nodes else None
        last = self._fullest(among & ~sum(1 << node for node in chosen), rest, 1)
        return chosen + last if last else None

    def _whole(self) -> int:
        """Nodes that take work and of which nothing is held."""
        whole = 0
        for size, nodes in self._of_size.items():
            whole |= self._by_free[size] & nodes
        return whole

    def _at_least(self, need: int) -> int:
        fitting = 0
        for free in self._by_free[need:]:
            fitting |= free
        return fitting

    def _one_switch(self, fitting: int, nodes: int) -> int:
        """The eligible nodes of the switch that suffices with the fewest of them; 0 when none suffices."""
        best, fewest = 0, len(self.sizes) + 1
        for low, ones in self._switches:
            members = fitting >> low & ones
            count = members.bit_count()
            if nodes <= count < fewest:
                best, fewest = members << low, count
                if count == nodes:
                    break
        return best

    def _fullest(self, among: int, need: int, nodes: int) -> list[int]:
        chosen: list[int] = []
        for free in self._by_free[need:]:
            left = free & among
            while left:
                bit = left & -left
                chosen.append(bit.bit_length() - 1)
                if len(chosen) == nodes:
                    return chosen
                left ^= bit
        return chosen


class Room:
    """All pools, found by type; real ones before rehearsals."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        members: dict[tuple[bool, str, str], list[Node]] = {}
        for node in nodes:
            members.setdefault((node.rehearsal, node.pool, node.type), []).append(node)
        self.pools = [Pool(index, members[key]) for index, key in enumerate(sorted(members))]
        self.by_type: dict[str, tuple[Pool, ...]] = {}
        for pool in self.pools:
            self.by_type[pool.type] = (*self.by_type.get(pool.type, ()), pool)

    def holds(self, ask: Ask, type_name: str) -> int:
        """How many accelerators of the type a gang of this ask holds, at the most."""
        if not ask.gang.exclusive:
            return ask.accelerators
        return max((pool.holds(ask) for pool in self.by_type.get(type_name, ())), default=ask.accelerators)

    def fits(self, ask: Ask) -> bool:
        """Whether any pool of an acceptable type has a place for a gang of this ask."""
        for name in ask.types:
            for pool in self.by_type.get(name, ()):
                if pool.fits(ask.gang, ask.rest):
                    return True
        return False

    def find(self, node: str) -> Pool | None:
        """The pool a node belongs to."""
        return next((pool for pool in self.pools if pool.number(node) is not None), None)


def mask_of(slot: Slot) -> int:
    """The slot's indexes as a bit mask."""
    return sum(1 << index for index in slot.indexes)


def lowest(mask: int, count: int) -> int:
    """The ``count`` lowest bits of the mask."""
    if mask.bit_count() == count:
        return mask
    taken = 0
    for _ in range(count):
        bit = mask & -mask
        taken |= bit
        mask ^= bit
    return taken


def _indexes(mask: int) -> tuple[int, ...]:
    return tuple(index for index in range(mask.bit_length()) if mask >> index & 1)


def _ranges(switches: Sequence[str]) -> list[tuple[int, int]]:
    """Each switch's nodes as (first number, mask of as many ones)."""
    ranges, low = [], 0
    for size in Counter(switches).values():
        ranges.append((low, (1 << size) - 1))
        low += size
    return ranges
