"""What is rented: accelerators on nodes, and the gang shape that asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from petahour.model.errors import InvariantError, ValidationError

CPU = "cpu"
MAX_GANG_NODES = 100_000
MAX_ACCELERATORS_PER_NODE = 1_024


class NodeState(StrEnum):
    """Whether a node takes new allocations. A draining node keeps what runs and takes nothing new."""

    UP = "up"
    DRAINING = "draining"
    DOWN = "down"


class Switch(StrEnum):
    """Whether a gang's nodes must lie under one leaf switch, or do so only where that is to be had."""

    PREFERRED = "preferred"
    REQUIRED = "required"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gang:
    """``nodes`` x ``accelerators_per_node``; starts together or not at all.

    ``exclusive``: nobody else's work runs on its nodes, all of whose accelerators it holds and pays for, though its
    ranks run on ``accelerators_per_node`` of them.
    """

    nodes: int = 1
    accelerators_per_node: int = 1
    switch: Switch = Switch.PREFERRED
    exclusive: bool = False

    def __post_init__(self) -> None:
        _bounded("gang.nodes", self.nodes, MAX_GANG_NODES)
        _bounded("gang.accelerators_per_node", self.accelerators_per_node, MAX_ACCELERATORS_PER_NODE)

    @property
    def accelerators(self) -> int:
        return self.nodes * self.accelerators_per_node

    @property
    def bound(self) -> bool:
        """Whether enough nodes with enough accelerators are not enough for it."""
        return self.exclusive or (self.switch is Switch.REQUIRED and self.nodes > 1)

    def __str__(self) -> str:
        text = f"{self.nodes} x {self.accelerators_per_node}"
        if self.switch is Switch.REQUIRED and self.nodes > 1:
            text += " under one switch"
        return text + (" on nodes of its own" if self.exclusive else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A host with ``accelerators`` chips of one type, indexed from 0.

    ``rehearsal`` nodes have no devices behind them: jobs run there as ordinary processes, and their usage
    is never invoiced as real. ``switch`` names the leaf switch above the node. ``devices`` gives the vendor's
    number of each accelerator where it differs from the index (a host with two types, a chip left out).
    """

    name: str
    pool: str
    engine: str
    type: str
    accelerators: int
    switch: str = ""
    rehearsal: bool = False
    devices: tuple[int, ...] = ()
    state: NodeState = NodeState.UP
    reason: str = ""

    def device(self, index: int) -> int:
        """The vendor's number of the accelerator with this index."""
        return self.devices[index] if self.devices else index


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Slot:
    """The accelerators of one node that an allocation holds. Indexes are sorted and distinct."""

    node: str
    indexes: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.indexes or list(self.indexes) != sorted(set(self.indexes)):
            raise InvariantError(rule="a slot names distinct accelerators in order", value=self.indexes)


def accelerators_of(slots: tuple[Slot, ...]) -> int:
    """How many accelerators the slots hold together."""
    return sum([len(slot.indexes) for slot in slots])


def _bounded(field: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValidationError(
            field=field, value=value, rule=f"a whole number from 1 to {most}", remedy="Ask for at least one."
        )
