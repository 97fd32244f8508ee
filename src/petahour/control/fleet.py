"""The fleet: register nodes at start, drain and resume them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.model.errors import ConflictError, NotFoundError
from petahour.model.events import Event, EventKind
from petahour.model.resources import Node, NodeState
from petahour.model.tenants import Caller
from petahour.store.protocol import Transaction


def register(context: Context, nodes: Iterable[Node], *, found_later: Container[str] = ()) -> None:
    """Make the stored fleet agree with what was found and declared at this start.

    New nodes are added. Known ones keep their drain state. One that is no longer there goes down, so that its
    history stays. A node whose shape changed while jobs hold it keeps its old shape until they end.
    Nodes of the engines in ``found_later`` are left as they are: the control step brings them to agree.
    Raises ConflictError on two nodes of one name.
    """
    now_ms = context.clock.now_ms()
    found: dict[str, Node] = {}
    for node in nodes:
        if node.name in found:
            raise ConflictError(
                field="node",
                value=node.name,
                rule="every node has a name of its own",
                remedy="Rename the declared one.",
            )
        found[node.name] = node
    with context.store.write() as tx:
        known = {node.name: node for node in tx.fleet.every()}
        for name, node in found.items():
            before = known.get(name)
            if before is None:
                put_node(tx, node, now_ms)
            elif shape_of(before) != shape_of(node) and not tx.allocations.held(name):
                put_node(tx, replace(node, state=before.state, reason=before.reason), now_ms)
            if before is not None and before.state is NodeState.DOWN:
                change_state(tx, tx_node(tx, name), NodeState.UP, "", "found again", now_ms)
        for name in known.keys() - found.keys():
            if known[name].state is not NodeState.DOWN and known[name].engine not in found_later:
                change_state(tx, known[name], NodeState.DOWN, "not found at start", "not found at start", now_ms)


def drain(context: Context, caller: Caller, name: str, *, reason: str) -> Node:
    """Place nothing new on the node; what runs there runs on."""
    authorize(caller, Action.CHANGE_FLEET)
    with context.store.write() as tx:
        node = tx_node(tx, name)
        if node.state is NodeState.DOWN:
            raise ConflictError(
                field="node", value=name, rule="the node is down", remedy="There is nothing to drain."
            )
        if node.state is NodeState.UP:
            node = change_state(
                tx, node, NodeState.DRAINING, reason, f"drained by {caller.user}", context.clock.now_ms()
            )
    context.wake()
    return node


def resume(context: Context, caller: Caller, name: str) -> Node:
    """Take new work on a drained node again."""
    authorize(caller, Action.CHANGE_FLEET)
    with context.store.write() as tx:
        node = tx_node(tx, name)
        if node.state is NodeState.DOWN:
            raise ConflictError(
                field="node", value=name, rule="the node is down", remedy="It resumes when it is found again."
            )
        if node.state is NodeState.DRAINING:
            node = change_state(tx, node, NodeState.UP, "", f"resumed by {caller.user}", context.clock.now_ms())
    context.wake()
    return node


def tx_node(tx: Transaction, name: str) -> Node:
    """The node, or NotFoundError."""
    node = tx.fleet.get(name)
    if node is None:
        raise NotFoundError(field="node", value=name, rule="no such node", remedy='List nodes with "petahour fleet".')
    return node


def shape_of(node: Node) -> tuple[object, ...]:
    """What a node is, whatever its state."""
    return node.pool, node.engine, node.type, node.accelerators, node.switch, node.rehearsal, node.devices


def put_node(tx: Transaction, node: Node, now_ms: int) -> None:
    """Store a node and record it."""
    tx.fleet.put(node)
    shape: dict[str, object] = {
        "type": node.type,
        "accelerators": node.accelerators,
        "rehearsal": node.rehearsal,
        "pool": node.pool,
        "engine": node.engine,
        "switch": node.switch,
        "state": node.state.value,
    }
    tx.events.append(Event(kind=EventKind.NODE_REGISTERED, at_ms=now_ms, node=node.name, data=shape))


def change_state(tx: Transaction, node: Node, after: NodeState, reason: str, cause: str, now_ms: int) -> Node:
    """Store a node's next state and record it with its cause."""
    changed = replace(node, state=after, reason=reason)
    tx.fleet.put(changed)
    data: dict[str, object] = {"before": node.state.value, "after": after.value, "cause": cause, "reason": reason}
    tx.events.append(Event(kind=EventKind.NODE_STATE, at_ms=now_ms, node=node.name, data=data))
    return changed
