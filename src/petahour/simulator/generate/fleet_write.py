"""Writing fleet.toml: nodes in order, folded into as few groups as their names and switches allow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from petahour.model.errors import InvariantError, ValidationError
from petahour.model.resources import Node, NodeState
from petahour.simulator.fleet import ENGINE
from petahour.simulator.generate.fleet_file import parse_fleet, switch_name


def write_fleet(nodes: Sequence[Node], path: Path, *, speeds: Mapping[str, float] | None = None) -> None:
    """Write nodes, and speeds by type, so that ``read_fleet`` gives the same in the same order.

    Raises ValidationError for what such a file cannot hold (a node that is not up, named devices, a speed of a type
    that is not there) and writes nothing then.
    """
    for node in nodes:
        if node.state is not NodeState.UP or node.reason or node.devices:
            raise ValidationError(
                field=f"node {node.name}",
                value=node.state.value,
                rule="a fleet file holds nodes that are up, their accelerators counted from 0",
                remedy="Leave the node out, or bring it up.",
            )
    left = dict(speeds or {})
    blocks, at = [], 0
    while at < len(nodes):
        block, count = _block(nodes, at, left.pop(nodes[at].type, None))
        blocks.append(block)
        at += count
    if left:
        raise ValidationError(
            field="speeds", value=min(left), rule="a type of the fleet", remedy="Leave it out, or add its nodes."
        )
    text = "\n".join(blocks)
    # What cannot be read back is refused here, with the reader's words, before the file is touched.
    back = parse_fleet(text, path.name)
    if tuple(back.nodes) != tuple(nodes) or dict(back.speeds) != dict(speeds or {}):
        raise InvariantError(rule="a fleet file reads back as it was written", value=path.name)
    path.write_text(text, "utf-8")


def _block(nodes: Sequence[Node], at: int, speed: float | None) -> tuple[str, int]:
    """The text of the group that begins at this node, and how many nodes it takes."""
    first = nodes[at]
    prefix = first.name.removesuffix("-0")
    run = _numbered(nodes, at, prefix)
    same = _same_switch(nodes, at, run)
    per_switch, counted = _counted_switches(nodes, at, run, prefix)
    count = max(same, counted)
    if counted <= same:
        per_switch = 0
    name = prefix if count > 1 else first.name
    default_pool = ("rehearsal-" if first.rehearsal else "") + first.type
    lines = [
        ("name", name, name != first.type),
        ("type", first.type, True),
        ("count", count, count > 1),
        ("accelerators", first.accelerators, True),
        ("pool", first.pool, first.pool != default_pool),
        ("switch", first.switch, bool(first.switch) and not per_switch),
        ("nodes_per_switch", per_switch, per_switch > 0),
        ("speed", speed, speed is not None),
        ("rehearsal", first.rehearsal, first.rehearsal),
        ("engine", first.engine, first.engine != ENGINE),
    ]
    return "[[node]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value, said in lines if said), count


def _numbered(nodes: Sequence[Node], at: int, prefix: str) -> int:
    """How many nodes from here on are prefix-0, prefix-1 and so on, and alike but for the switch."""
    first, run = nodes[at], 0
    while at + run < len(nodes):
        node = nodes[at + run]
        like = (node.type, node.accelerators, node.pool, node.engine, node.rehearsal)
        if like != (first.type, first.accelerators, first.pool, first.engine, first.rehearsal):
            break
        if node.name != f"{prefix}-{run}":
            break
        run += 1
    return max(run, 1)


def _same_switch(nodes: Sequence[Node], at: int, run: int) -> int:
    count = 1
    while count < run and nodes[at + count].switch == nodes[at].switch:
        count += 1
    return count


def _counted_switches(nodes: Sequence[Node], at: int, run: int, prefix: str) -> tuple[int, int]:
    """How many nodes lie under each of the counted switches, and how many nodes that holds for."""
    if nodes[at].switch != switch_name(prefix, 0, 1):
        return 0, 0
    per_switch = count = _same_switch(nodes, at, run)
    while count < run and nodes[at + count].switch == switch_name(prefix, count, per_switch):
        count += 1
    return per_switch, count


def _toml(value: object) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's, but TOML wants the delete character escaped too.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
