"""Traces: the jobs of a past or imagined data centre, whatever file they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from petahour.model.jobs import Tier
from petahour.model.resources import Node

if TYPE_CHECKING:
    from petahour.simulator.reservations import Promised


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceJob:
    """One job as a trace tells it. Times are milliseconds from the trace's beginning.

    ``row`` is the job's place in the file among the jobs taken, from 0. ``duration_ms`` is its run time on the
    first of its acceptable ``types`` (any type when empty); ``speeds`` gives each type's speed relative to that
    first one. ``walltime_ms`` is what its owner declared, None when nothing. ``limit_micros``: what it
    pays at most for an accelerator-hour of spot, in the currency of the replay's price book; None without a limit.
    ``share_milli`` and the host's
    ``cpu_milli`` and ``memory_mib`` are per node of the gang and matter to the packing experiment alone: 460
    is 0.46 of one accelerator.
    """

    row: int
    id: str
    tenant: str
    submit_ms: int
    duration_ms: int
    accelerators: int
    name: str = ""
    types: tuple[str, ...] = ()
    speeds: tuple[float, ...] = ()
    tier: Tier = Tier.ON_DEMAND
    priority: int = 0
    walltime_ms: int | None = None
    limit_micros: int | None = None
    share_milli: int = 1000
    cpu_milli: int = 0
    memory_mib: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusion:
    """A line of the file that is no job of the trace, and why. Lines count from 1."""

    line: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Jobs by submit time, those of one instant in file order; what was left out; the fleet, where the file has one,
    and what was reserved on it.

    Nothing is dropped in silence: every data line is a job or an exclusion.
    """

    name: str
    jobs: Sequence[TraceJob]
    excluded: Sequence[Exclusion] = field(default=())
    nodes: Sequence[Node] = field(default=())
    reservations: Sequence[Promised] = field(default=())
