"""Posted spot prices of a replay: what the floor would have posted hour by hour, from the occupancy there was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from petahour.billing.spot import next_price
from petahour.model.jobs import Tier
from petahour.model.resources import Node
from petahour.model.time import HOUR_MS, hour_floor
from petahour.simulator.faults import WHOLE
from petahour.simulator.money.prices import Prices
from petahour.simulator.result import NEVER, Outage, Placements, Result, Runs

Ints = NDArray[np.int64]
LAST_MS = 2**62  # after every instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """Micro-units per accelerator-hour of each type with a rule, by the hour since ``first_ms`` of the calendar."""

    first_ms: int
    prices: dict[str, list[int]] = field(default_factory=dict)

    def at(self, type_name: str, at_ms: int) -> int | None:
        """The price of the hour of an instant of the calendar; None where none is posted for the type."""
        prices = self.prices.get(type_name)
        if not prices or at_ms < self.first_ms:
            return None
        return prices[min((at_ms - self.first_ms) // HOUR_MS, len(prices) - 1)]


class Seen(Protocol):
    """What ``occupancy`` looks at: runs, the present as the end of those that go on, and what was out of service."""

    @property
    def runs(self) -> Runs: ...
    @property
    def placements(self) -> Placements: ...
    @property
    def types(self) -> tuple[str, ...]: ...
    @property
    def nodes(self) -> Sequence[Node]: ...
    @property
    def outages(self) -> Sequence[Outage]: ...


def posted_of(result: Result, prices: Prices) -> Posted:
    """The prices that the rules of the books would have posted during the replay, of which none is ever changed.

    As on the floor, the price of an hour is posted in the first step of the hour before, and follows what was held in
    the one before that. The replay's first hour has the book's price, and its second one the same.
    """
    first_ms = hour_floor(prices.begins_ms)
    names = sorted({name for book in prices.books for name in book.spot} & set(result.types))
    if not names:
        return Posted(first_ms=first_ms)
    last_ms = prices.begins_ms + int(result.runs.end_ms.max(initial=0))
    hours = (last_ms - first_ms) // HOUR_MS + 1
    edges = first_ms - prices.begins_ms + np.arange(hours + 1, dtype=np.int64) * HOUR_MS
    made = {}
    for name in names:
        held_ams, capacity_ams = occupancy(result, name, edges)
        made[name] = _prices(prices, name, first_ms, held_ams.tolist(), capacity_ams.tolist())
    return Posted(first_ms=first_ms, prices=made)


def occupancy(result: Seen, type_name: str, edges: Ints) -> tuple[Ints, Ints]:
    """Accelerator-milliseconds of a type between edges (instants of the trace): held, and of nodes that took work.

    Before the trace begins there is no capacity. What is held on a node that takes no work counts as both, so that
    draining a node moves no price by itself; a failed accelerator is capacity, as the floor knows nodes alone.
    """
    runs, placed = result.runs, result.placements
    mine = np.flatnonzero(runs.type == result.types.index(type_name))
    held = _between(runs.start_ms[mine], runs.end_ms[mine], runs.accelerators[mine].astype(np.int64), edges)
    sizes = np.array([node.accelerators for node in result.nodes if node.type == type_name], np.int64)
    whole = np.array([sizes.sum()], np.int64)
    capacity = _between(np.zeros(1, np.int64), np.full(1, LAST_MS), whole, edges)
    for node, spans in _shut(result, type_name).items():
        size = result.nodes[node].accelerators
        on_it = np.flatnonzero(placed.node == node)
        for from_ms, until_ms in spans:
            span = np.array([from_ms], np.int64), np.array([until_ms], np.int64)
            capacity -= _between(*span, np.array([size], np.int64), edges)
            start_ms = np.maximum(runs.start_ms[placed.run[on_it]], from_ms)
            end_ms = np.maximum(np.minimum(runs.end_ms[placed.run[on_it]], until_ms), start_ms)
            capacity += _between(start_ms, end_ms, placed.accelerators[on_it].astype(np.int64), edges)
    return held, capacity


def _prices(prices: Prices, name: str, first_ms: int, held: list[int], capacity: list[int]) -> list[int]:
    made = [first_price(prices, name, first_ms)]
    for hour in range(1, len(held)):
        seen = (held[hour - 2], capacity[hour - 2]) if hour > 1 else (0, 0)
        made.append(following(prices, name, first_ms + hour * HOUR_MS, made[-1], seen))
    return made


def first_price(prices: Prices, name: str, first_ms: int) -> int:
    """The price of the replay's first hour: the book's."""
    first = prices.book_at(max(0, first_ms - prices.begins_ms))
    return first.prices.get((name, Tier.SPOT), 0) if first is not None else 0


def following(prices: Prices, name: str, hour_ms: int, before_micros: int, seen: tuple[int, int]) -> int:
    """The price of an hour of the calendar after the hour's before. ``seen``: what was held, and of how much."""
    book = prices.book_at(hour_ms - prices.begins_ms)
    rule = None if book is None else book.spot.get(name)
    if rule is None:
        return before_micros
    return next_price(rule, before_micros, held_ams=seen[0], capacity_ams=seen[1])


def _shut(result: Seen, type_name: str) -> dict[int, list[tuple[int, int]]]:
    """When nodes of the type took no work, whatever the cause, as spans that do not overlap."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for one in sorted(result.outages, key=lambda one: one.from_ms):
        if one.accelerator != WHOLE or result.nodes[one.node].type != type_name:
            continue
        until_ms = LAST_MS if one.until_ms == NEVER else one.until_ms
        known = spans.setdefault(one.node, [])
        if known and one.from_ms <= known[-1][1]:
            known[-1] = (known[-1][0], max(known[-1][1], until_ms))
        else:
            known.append((one.from_ms, until_ms))
    return spans


def _between(start_ms: Ints, end_ms: Ints, count: Ints, edges: Ints) -> Ints:
    """Between each edge and the next: the sum of count x time within a span."""
    until = _before(start_ms, count, edges) - _before(end_ms, count, edges)
    return np.diff(until)


def _before(instants: Ints, count: Ints, edges: Ints) -> Ints:
    """At each edge: the sum of count x time since the instant, over the instants before it."""
    order = np.argsort(instants, kind="stable")
    sums = np.concatenate(([0], np.cumsum(count[order])))
    place = np.searchsorted(instants[order], edges, "left")
    # Weighed by whole edges first, so that no sum leaves the 64 bits: instants beyond the last edge never count.
    known = np.minimum(instants[order], edges[-1])
    weighed = np.concatenate(([0], np.cumsum(count[order] * known)))
    return edges * sums[place] - weighed[place]
