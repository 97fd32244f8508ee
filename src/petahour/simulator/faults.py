"""Faults: nodes that fail and are repaired, drawn beforehand from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from petahour.model.errors import ValidationError
from petahour.scheduler.room import Room


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Every node fails by itself, on average after ``node_mtbf_ms`` in service, and is back after ``repair_ms``.

    Both times are exponentially distributed. What runs on a node that fails is not told: it loses what it did since
    its last checkpoint, or since its start where it keeps none by the clock.
    """

    node_mtbf_ms: int
    repair_ms: int

    def __post_init__(self) -> None:
        for name in ("node_mtbf_ms", "repair_ms"):
            if getattr(self, name) <= 0:
                raise ValidationError(
                    field=name, value=getattr(self, name), rule="longer than nothing", remedy='Write it like "30d".'
                )


class Change(NamedTuple):
    """A node of a pool fails, or is back."""

    at_ms: int
    order: int
    pool: int
    node: int
    fails: bool


class FaultClock:
    """Failures and repairs in order; each repair draws the node's next failure."""

    def __init__(self, faults: Faults, room: Room, seed: int) -> None:
        self._faults = faults
        self._draw = np.random.Generator(np.random.PCG64(seed))
        self._changes: list[Change] = []
        self._order = 0
        for pool in room.pools:
            for node in range(len(pool.names)):
                self._add(0, pool.index, node, fails=True)

    def next_ms(self) -> int:
        """When the next node fails or is back."""
        return self._changes[0].at_ms

    def pop(self) -> Change:
        """The next change."""
        change = heappop(self._changes)
        self._add(change.at_ms, change.pool, change.node, fails=not change.fails)
        return change

    def _add(self, after_ms: int, pool: int, node: int, *, fails: bool) -> None:
        mean_ms = self._faults.node_mtbf_ms if fails else self._faults.repair_ms
        at_ms = after_ms + max(1, round(self._draw.exponential(mean_ms)))
        self._order += 1
        heappush(self._changes, Change(at_ms, self._order, pool, node, fails))
