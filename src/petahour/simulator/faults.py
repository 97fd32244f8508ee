"""Faults: nodes and accelerators that fail and are repaired, drawn beforehand from a seed, and planned drains.

What happens when depends on the seed, the fleet and the plan alone: under every policy the same nodes fail at the
same instants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from math import log
from typing import NamedTuple

from petahour.model.errors import ValidationError
from petahour.model.time import HOUR_MS
from petahour.scheduler.room import Room
from petahour.simulator.drains import Drain
from petahour.simulator.generate.draw import Source

WHOLE = -1  # in the place of an accelerator's index: the node


class Cause(IntEnum):
    """Why something is out of service. A drain keeps what runs; the others leave nothing running."""

    NODE = 0
    ACCELERATOR = 1
    DRAIN = 2
    MAINTENANCE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """Every node, and every accelerator by itself, fails on average after such a time in service; None: never.

    It is back after ``repair_ms`` on average. All times are exponentially distributed. What runs on what fails is
    not told: it loses what it did since its last checkpoint, or since its start where it keeps none by the clock.
    A failed accelerator takes the gang that holds it along, and nothing else of its node. ``drains`` are planned.
    """

    node_mtbf_ms: int | None = None
    accelerator_mtbf_ms: int | None = None
    repair_ms: int = 4 * HOUR_MS
    drains: Sequence[Drain] = field(default=())

    def __post_init__(self) -> None:
        for name in ("node_mtbf_ms", "accelerator_mtbf_ms", "repair_ms"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValidationError(
                    field=name, value=value, rule="longer than nothing", remedy='Write it like "30d".'
                )

    def any(self) -> bool:
        """Whether anything ever goes out of service."""
        return self.node_mtbf_ms is not None or self.accelerator_mtbf_ms is not None or bool(self.drains)


class Change(NamedTuple):
    """Something of a pool goes out of service, or is back. ``accelerator`` is its index on the node, or ``WHOLE``.

    ``order`` parts what happens at one instant; ``plan`` tells a drain from others that cover the same node.
    """

    at_ms: int
    order: int
    pool: int
    node: int
    accelerator: int
    cause: Cause
    begins: bool
    plan: int = -1


class FaultClock:
    """Failures, repairs and planned changes in order; each repair draws the next failure."""

    def __init__(self, faults: Faults, room: Room, seed: int) -> None:
        self._faults = faults
        self._source = Source(seed)
        self._drawn: dict[str, list[float]] = {}
        self._changes: list[Change] = []
        self._order = 0
        for pool in room.pools:
            for node, size in enumerate(pool.sizes):
                if faults.node_mtbf_ms is not None:
                    self._draw(0, pool.index, node, WHOLE, Cause.NODE, begins=True)
                if faults.accelerator_mtbf_ms is not None:
                    for accelerator in range(size):
                        self._draw(0, pool.index, node, accelerator, Cause.ACCELERATOR, begins=True)
        for plan, drain in enumerate(faults.drains):
            self._plan(plan, drain, room)

    def next_ms(self) -> int | None:
        """When something next fails, is back, or changes by plan; None: never again."""
        return self._changes[0].at_ms if self._changes else None

    def pop(self) -> Change:
        """The next change."""
        change = heappop(self._changes)
        if change.plan < 0:
            self._draw(
                change.at_ms, change.pool, change.node, change.accelerator, change.cause, begins=not change.begins
            )
        return change

    def _draw(self, after_ms: int, pool: int, node: int, accelerator: int, cause: Cause, *, begins: bool) -> None:
        """The failure or repair that follows, exponentially distributed."""
        faults = self._faults
        mtbf_ms = faults.node_mtbf_ms if cause is Cause.NODE else faults.accelerator_mtbf_ms
        mean_ms = mtbf_ms if begins and mtbf_ms is not None else faults.repair_ms
        length_ms = -log(1.0 - self._uniform(f"{cause.name.lower()} {'failure' if begins else 'repair'}")) * mean_ms
        self._add(after_ms + max(1, round(length_ms)), pool, node, accelerator, cause, begins=begins)

    def _uniform(self, purpose: str) -> float:
        """The purpose's next number; a thousand are drawn at a time."""
        left = self._drawn.get(purpose)
        if not left:
            left = self._drawn[purpose] = self._source.uniform(purpose, 1_000).tolist()[::-1]
        return left.pop()

    def _plan(self, plan: int, drain: Drain, room: Room) -> None:
        for pool in room.pools:
            for node, name in enumerate(pool.names):
                if not drain.covers(name):
                    continue
                opens_ms = max(0, drain.from_ms - drain.notice_ms)
                spans = [(opens_ms, drain.until_ms, Cause.DRAIN)]
                if drain.maintenance:
                    spans.append((drain.from_ms, drain.until_ms, Cause.MAINTENANCE))
                for from_ms, until_ms, cause in spans:
                    self._add(from_ms, pool.index, node, WHOLE, cause, begins=True, plan=plan)
                    self._add(until_ms, pool.index, node, WHOLE, cause, begins=False, plan=plan)

    def _add(
        self, at_ms: int, pool: int, node: int, accelerator: int, cause: Cause, *, begins: bool, plan: int = -1
    ) -> None:
        self._order += 1
        heappush(self._changes, Change(at_ms, self._order, pool, node, accelerator, cause, begins, plan))
