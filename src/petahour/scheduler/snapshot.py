"""The snapshot: all that a scheduling pass may know, as a view over state kept incrementally elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from petahour.model.allocations import Allocation
from petahour.model.jobs import Job, Tier
from petahour.model.resources import Node
from petahour.model.tenants import Quota


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """State at ``now_ms``. The mappings are views: the owner must not change them during a pass.

    ``free``: node name -> bit mask of unheld accelerator indexes (bit i set: index i is free), every node
    listed whatever its state. ``queued``: jobs in state QUEUED in order of ``seq``. ``allocations``: those
    that hold accelerators. ``used``: (tenant, type) -> accelerators held. ``available_micros``: tenant ->
    prepaid credit not held. ``prices_micros``: (tenant, type, tier) -> micro-units per accelerator-hour in
    the tenant's currency; absent: not for sale. ``hold_interval_ms``: a placement holds money for the
    shorter of its walltime and this. ``min_run_ms`` and ``max_preemptions`` bound preemption per job.
    """

    now_ms: int
    nodes: Mapping[str, Node]
    free: Mapping[str, int]
    queued: Sequence[Job]
    allocations: Mapping[str, Allocation]
    quotas: Mapping[tuple[str, str], Quota]
    used: Mapping[tuple[str, str], int]
    available_micros: Mapping[str, int]
    prices_micros: Mapping[tuple[str, str, Tier], int]
    walltimes_ms: Mapping[str, int | None]
    preemptions: Mapping[str, int]
    hold_interval_ms: int
    min_run_ms: int = 0
    max_preemptions: int = 10
