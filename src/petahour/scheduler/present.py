"""Present: all that looking ahead starts from, apart from the live state, which moves on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from petahour.model.resources import Node
from petahour.model.tenants import Quota
from petahour.scheduler.ask import Asks, Running, Waiting
from petahour.scheduler.expect import Expectation
from petahour.scheduler.policy import Policy
from petahour.scheduler.promises import Promises
from petahour.scheduler.reserve import Reservation
from petahour.scheduler.service import Service
from petahour.scheduler.state import Bounds, State
from petahour.scheduler.turns import Turns


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """What runs and what waits, at one instant, and what the last pass left to the next: the accelerators kept for a
    gang, and whose turn it is. It is made while nobody changes the state.
    """

    policy: Policy
    nodes: tuple[Node, ...]
    quotas: Mapping[tuple[str, str], Quota]
    bounds: Bounds
    asks: Asks
    service: Service
    known: Expectation
    running: tuple[Running, ...]
    waiting: tuple[Waiting, ...]
    promises: Promises
    reserved: Reservation | None = None
    turns: Turns | None = None


def present_of(state: State, now_ms: int) -> Present:
    """The present of a state; it costs what runs and waits."""
    known = Expectation()
    known.know(state.expectation)
    return Present(
        policy=state.policy,
        nodes=state.nodes,
        quotas=dict(state.quotas),
        bounds=state.bounds,
        asks=state.asks,
        service=state.service.at(now_ms),
        known=known,
        running=tuple(state.running.values()),
        waiting=tuple(state.lines.every()),
        promises=state.promises.copy(),
        reserved=state.reserved,
        turns=state.turns,
    )
