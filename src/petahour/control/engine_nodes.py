"""Nodes that an engine finds by itself: what it says of them and what is stored are brought to agree, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from petahour.control.context import Context
from petahour.control.fleet import change_state, put_node, shape_of
from petahour.engines.protocol import OUR_REASON, THEIR_REASON, Engine
from petahour.model.resources import Node, NodeState

NO_LONGER_THERE = "the engine no longer has it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What is to be stored of an engine's nodes, and what the engine is to be told.

    ``new``: first seen or of another shape. ``changed``: the node as it is to be, with its state and reason.
    ``drain`` and ``resume``: by name, with the reason.
    """

    new: tuple[Node, ...] = ()
    changed: tuple[Node, ...] = ()
    drain: tuple[tuple[str, str], ...] = ()
    resume: tuple[str, ...] = ()


def agreement(stored: Mapping[str, Node], said: Sequence[Node], engine: str) -> Agreement:
    """Who is right about what: the engine about nodes that are down or that its own administration drains, this
    control plane about what its operators drain. A drain is taken back by whoever began it.
    """
    new: list[Node] = []
    changed: list[Node] = []
    drain: list[tuple[str, str]] = []
    resume: list[str] = []
    for node in said:
        known = stored.get(node.name)
        if known is None or (known.engine == engine and shape_of(known) != shape_of(node)):
            new.append(node)
            continue
        if known.engine != engine:
            continue
        ours, theirs = _drained_here(known), _drained_there(node)
        if node.state is NodeState.DOWN or theirs:
            if (known.state, known.reason) != (node.state, node.reason) and not (ours and theirs):
                changed.append(node)
        elif known.state is NodeState.UP:
            if node.state is NodeState.DRAINING:
                resume.append(node.name)
        elif not ours:
            changed.append(node)
        elif node.state is NodeState.UP:
            drain.append((node.name, known.reason))
    present = {node.name for node in said}
    for name, known in stored.items():
        if known.engine == engine and name not in present and known.state is not NodeState.DOWN:
            changed.append(replace(known, state=NodeState.DOWN, reason=NO_LONGER_THERE))
    return Agreement(new=tuple(new), changed=tuple(changed), drain=tuple(drain), resume=tuple(resume))


class NodeAgreement:
    """Remembers what agreed last, so that fleets that have not changed cost nothing."""

    def __init__(self) -> None:
        self._agreed: dict[str, tuple[Sequence[Node], Mapping[str, Node]]] = {}

    def agree(self, context: Context, engine: Engine) -> bool:
        """Bring one engine's nodes and the stored ones to agree. True when something was stored."""
        said, stored = engine.nodes(), context.live.nodes
        if not said:
            return False
        before = self._agreed.get(engine.name)
        if before is not None and before[0] is said and before[1] is stored:
            return False
        found = agreement(stored, said, engine.name)
        for name, reason in found.drain:
            engine.drain(name, reason)
        for name in found.resume:
            engine.resume(name)
        wrote = bool(found.new or found.changed) and _store(context, found, engine.name)
        self._agreed[engine.name] = (said, stored)
        return wrote


def _store(context: Context, found: Agreement, engine: str) -> bool:
    now_ms = context.clock.now_ms()
    wrote = False
    with context.store.write() as tx:
        for node in found.new:
            # A node whose shape changed while jobs hold it keeps its old shape until they end.
            if not tx.allocations.held(node.name):
                put_node(tx, node, now_ms)
                wrote = True
        for node in found.changed:
            known = tx.fleet.get(node.name)
            if known is not None and (known.state, known.reason) != (node.state, node.reason):
                change_state(tx, known, node.state, node.reason, node.reason or f"{engine} has it again", now_ms)
                wrote = True
    return wrote


def _drained_here(known: Node) -> bool:
    """An operator of this control plane drained it: no reason that came from an engine."""
    return known.state is NodeState.DRAINING and not known.reason.startswith(THEIR_REASON)


def _drained_there(said: Node) -> bool:
    """The engine's own administration drained it."""
    return said.state is NodeState.DRAINING and not said.reason.startswith(OUR_REASON)
