"""fleet.toml for the simulator: nodes by the group, in the words of the live control plane's own fleet file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from petahour.model.resources import MAX_ACCELERATORS_PER_NODE, Node
from petahour.simulator.drains import Drain, check_drains, parse_drains
from petahour.simulator.fleet import ENGINE
from petahour.simulator.reservations import Promised, parse_reservations
from petahour.simulator.tables import entry_of, refused

MAX_NODES = 100_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")

_Text = Annotated[str, Field(min_length=1, max_length=120)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str | None = None
    type: _Text
    count: int = Field(default=1, ge=1, le=MAX_NODES)
    accelerators: int = Field(ge=1, le=MAX_ACCELERATORS_PER_NODE)
    pool: _Text | None = None
    switch: str = Field(default="", max_length=120)
    nodes_per_switch: int | None = Field(default=None, ge=1, le=MAX_NODES)
    speed: float | None = Field(default=None, gt=0, le=1_000_000, allow_inf_nan=False)
    rehearsal: bool = False
    engine: _Text = ENGINE


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """Nodes in the order of the file, and how fast each type is that has a speed there; any unit, it is a ratio.

    ``drains`` are planned for them, and ``reservations`` promised.
    """

    nodes: Sequence[Node]
    speeds: Mapping[str, float] = field(default_factory=dict)
    drains: Sequence[Drain] = ()
    reservations: Sequence[Promised] = ()


def node_name(name: str, number: int, count: int) -> str:
    """The name of a group's node: name-0, name-1 and so on, or the name alone when it is alone."""
    return name if count == 1 else f"{name}-{number}"


def switch_name(name: str, number: int, nodes_per_switch: int) -> str:
    """The switch above a group's node where they are counted off."""
    return f"{name}-switch-{number // nodes_per_switch}"


def read_fleet(path: Path) -> Fleet:
    """The file's nodes. A live control plane's file is read as well; there are no devices behind anything here.

    Raises ValidationError naming file, group, field, rule and remedy.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise refused(str(path), None, f"a readable UTF-8 file ({error})", "Check the path and the file.") from None
    return parse_fleet(text, path.name)


def parse_fleet(text: str, file: str) -> Fleet:
    """The fleet of a file's text; ``file`` is what errors call it. Raises as ``read_fleet`` does."""
    groups, drains, reservations = _tables(text, file)
    nodes: dict[str, Node] = {}
    speeds: dict[str, float] = {}
    total = 0
    for number, entry in enumerate(groups, 1):
        where = f"{file}: node {number} ({entry.name or entry.type})"
        _check(where, entry)
        total += entry.count
        if total > MAX_NODES:
            raise refused(f"{where}.count", entry.count, f"at most {MAX_NODES} nodes in all", "Lower a count.")
        for node in _nodes(entry):
            if node.name in nodes:
                raise refused(
                    f"{where}.name", node.name, "every node has a name of its own", "Give the group a name."
                )
            nodes[node.name] = node
        if entry.speed is not None and speeds.setdefault(entry.type, entry.speed) != entry.speed:
            raise refused(
                f"{where}.speed",
                entry.speed,
                f"a type has one speed, and an earlier group says {speeds[entry.type]:g}",
                "Say the same everywhere, or once.",
            )
    check_drains(drains, list(nodes))
    return Fleet(nodes=tuple(nodes.values()), speeds=speeds, drains=drains, reservations=reservations)


def _tables(text: str, file: str) -> tuple[list[_Entry], Sequence[Drain], Sequence[Promised]]:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise refused(file, None, f"TOML ({error})", "Mend the file at that place.") from None
    tables = parsed.get("node")
    extra = sorted(set(parsed) - {"node", "drain", "reservation"})
    if extra:
        raise refused(
            f"{file}: {extra[0]}",
            None,
            "a fleet file holds [[node]] groups, [[drain]] and [[reservation]] tables",
            "Write [[node]].",
        )
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise refused(f"{file}: node", None, "at least one [[node]] group", "Add one: type, count, accelerators.")
    groups = [_entry(file, number, table) for number, table in enumerate(tables, 1)]
    drains = parse_drains(parsed.get("drain"), file)
    return groups, drains, parse_reservations(parsed.get("reservation"), file)


def _entry(file: str, number: int, table: dict[str, object]) -> _Entry:
    named = table.get("name") or table.get("type")
    label = f"{file}: node {number}" + (f" ({named})" if isinstance(named, str) else "")
    return entry_of(_Entry, table, label, f"A group's fields are {', '.join(_Entry.model_fields)}.")


def _check(where: str, entry: _Entry) -> None:
    name = entry.name if entry.name is not None else entry.type
    if _NAME.fullmatch(name) is None:
        raise refused(
            f"{where}.name", name, "letters, digits, dots, dashes and underscores", "Give the group a plain name."
        )
    if entry.nodes_per_switch is not None and entry.switch:
        raise refused(
            f"{where}.nodes_per_switch",
            entry.nodes_per_switch,
            "a group has one switch by name or several by count",
            "Leave out switch or nodes_per_switch.",
        )


def _nodes(entry: _Entry) -> Iterator[Node]:
    name = entry.name if entry.name is not None else entry.type
    pool = entry.pool or ("rehearsal-" if entry.rehearsal else "") + entry.type
    for number in range(entry.count):
        per_switch = entry.nodes_per_switch
        yield Node(
            name=node_name(name, number, entry.count),
            pool=pool,
            engine=entry.engine,
            type=entry.type,
            accelerators=entry.accelerators,
            switch=switch_name(name, number, per_switch) if per_switch else entry.switch,
            rehearsal=entry.rehearsal,
        )
