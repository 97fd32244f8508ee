"""From Slurm's nodes and GRES to the catalogue: a site's names, its nodes, and what to ask of Slurm for a slot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from petahour.engines.protocol import OUR_REASON, THEIR_REASON
from petahour.engines.slurm.reading import SlurmNode
from petahour.engines.slurm.settings import SlurmSettings
from petahour.model.resources import CPU, MAX_ACCELERATORS_PER_NODE, Node, NodeState

_UP = frozenset({"IDLE", "MIXED", "ALLOCATED", "COMPLETING"})
_TAKES_NONE = frozenset({"DRAIN", "FAIL", "FAILING", "MAINT", "NOT_RESPONDING", "POWERING_DOWN", "POWERED_DOWN",
                         "POWER_DOWN", "REBOOT_ISSUED", "REBOOT_REQUESTED", "RESERVED", "PLANNED_DOWN"})  # fmt: skip
_ENTRY = re.compile(r"(?P<name>\w+)(?::(?P<type>[^:(,]+))??(?::(?P<count>\d+))?(?:\((?:[^)]*)\))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gres:
    """So many of a kind on a node; ``first`` is the device number of the first, counted within the name."""

    name: str
    type: str
    count: int
    first: int

    @property
    def site_name(self) -> str:
        return f"{self.name}:{self.type}" if self.type else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a node of Petahour's lies in Slurm, and what one of its accelerators is called and comes with.

    ``accelerators``: how many it has. ``whole``: the host is this node and no other.
    """

    node: str
    address: str
    gres: str | None
    cpus_each: int
    memory_mb_each: int
    accelerators: int
    whole: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """Petahour's nodes with their present state, where each lies, and GRES that the table does not have."""

    nodes: tuple[Node, ...]
    places: Mapping[str, Place]
    unmapped: tuple[str, ...]


def gres_of(text: str) -> Iterator[Gres]:
    """The entries of a node's GRES such as ``gpu:h100:4(S:0-1),gpu:l40:4``. An entry without a count is one."""
    seen: dict[str, int] = {}
    for entry in re.split(r",(?![^(]*\))", text):
        found = _ENTRY.fullmatch(entry.strip())
        if found is None or entry.strip() in ("", "(null)", "N/A"):
            continue
        name, kind, count = found["name"], found["type"] or "", int(found["count"] or 1)
        yield Gres(name=name, type=kind, count=count, first=seen.get(name, 0))
        seen[name] = seen.get(name, 0) + count


def discover(
    found: Iterable[SlurmNode],
    settings: SlurmSettings,
    engine: str,
    switches: Mapping[str, str] = MappingProxyType({}),
) -> Discovery:
    """What the partition rents, in the order of names; ``switches``: the leaf switch above each host.

    A host with accelerators of one type is one node of its name; with several, each type is a node of its own,
    as a node has one type. ``cpu`` in the table stands for a host's CPUs.
    """
    nodes: list[Node] = []
    places: dict[str, Place] = {}
    unmapped: set[str] = set()
    for host in sorted(found, key=lambda one: one.name):
        if settings.partition not in host.partitions:
            continue
        known = []
        for gres in gres_of(host.gres):
            if gres.site_name in settings.gres or gres.name in settings.gres:
                known.append(gres)
            else:
                unmapped.add(gres.site_name)
        if not known and CPU in settings.gres and host.cpus:
            known = [Gres(name=CPU, type="", count=host.cpus, first=0)]
        for gres in known:
            node = _node(host, gres, settings, engine, alone=len(known) == 1)
            nodes.append(replace(node, switch=switches.get(host.name, "")))
            places[node.name] = _place(host, gres, node, settings, whole=len(known) == 1)
    return Discovery(nodes=tuple(nodes), places=places, unmapped=tuple(sorted(unmapped)))


def _node(host: SlurmNode, gres: Gres, settings: SlurmSettings, engine: str, *, alone: bool) -> Node:
    kind = settings.gres.get(gres.site_name) or settings.gres[gres.name]
    count = min(gres.count, MAX_ACCELERATORS_PER_NODE)
    state, reason = state_of(host)
    return Node(
        name=host.name if alone else f"{host.name}-{kind}",
        pool=("rehearsal-" if settings.rehearsal else "") + f"{engine}-{kind}",
        engine=engine,
        type=kind,
        accelerators=count,
        rehearsal=settings.rehearsal,
        devices=tuple(range(gres.first, gres.first + count)) if gres.first else (),
        state=state,
        reason=reason,
    )


def _place(host: SlurmNode, gres: Gres, node: Node, settings: SlurmSettings, *, whole: bool) -> Place:
    share = max(1, host.cpus // node.accelerators)
    return Place(
        node=host.name,
        address=host.address,
        gres=None if node.type == CPU else gres.site_name,
        cpus_each=1 if node.type == CPU else settings.cpus_per_accelerator or share,
        memory_mb_each=max(1, host.memory_mb // node.accelerators),
        accelerators=node.accelerators,
        whole=whole,
    )


def state_of(host: SlurmNode) -> tuple[NodeState, str]:
    """Whether the host takes work, and why not. A reason that Petahour gave itself is handed back as it is."""
    why = host.reason if host.reason.startswith(OUR_REASON) else f"{THEIR_REASON}{host.reason or host.state.lower()}"
    if host.state not in _UP:
        return NodeState.DOWN, why
    stopped = host.flags & _TAKES_NONE
    if stopped:
        if not host.reason:
            why = f"{THEIR_REASON}{', '.join(sorted(one.lower().replace('_', ' ') for one in stopped))}"
        return NodeState.DRAINING, why
    return NodeState.UP, ""
