"""Snapshots in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.jobs import Job, JobSpec, JobState, Tier
from petahour.model.resources import Gang, Node, NodeState, Slot, Switch
from petahour.model.tenants import Quota
from petahour.model.time import HOUR_MS
from petahour.scheduler.room import mask_of
from petahour.scheduler.snapshot import Snapshot

A100 = "a100-80g-sxm"
ASCEND = "ascend-910b3"
NOW_MS = 1_800_000_000_000
PRICE = 1_000_000  # one unit an accelerator-hour


def node(name: str, accelerators: int = 4, type_: str = A100, **more: object) -> Node:
    plain = Node(name=name, pool=f"pool-{type_}", engine="local", type=type_, accelerators=accelerators)
    return replace(plain, **more)  # type: ignore[arg-type]


def job(
    seq: int,
    gang: tuple[int, int] = (1, 1),
    *,
    tenant: str = "acme",
    types: Sequence[str] = (A100,),
    tier: Tier = Tier.ON_DEMAND,
    priority: int = 0,
    walltime_ms: int | None = HOUR_MS,
    switch: Switch = Switch.PREFERRED,
    exclusive: bool = False,
) -> Job:
    spec = JobSpec(
        name=f"job{seq}",
        command=("train",),
        workdir="/work",
        gang=Gang(nodes=gang[0], accelerators_per_node=gang[1], switch=switch, exclusive=exclusive),
        types=tuple(types),
        tier=tier,
        priority=priority,
        walltime_ms=walltime_ms,
    )
    return Job(
        id=f"job-{seq}", seq=seq, tenant=tenant, project="default", user="u", spec=spec, state=JobState.QUEUED,
        submitted_ms=NOW_MS - 1000 + seq,
    )  # fmt: skip


def allocation(
    name: str,
    slots: Mapping[str, Sequence[int]],
    *,
    tenant: str = "other-tenant",
    tier: Tier = Tier.SPOT,
    type_: str = A100,
    borrowed: bool = True,
    placed_ms: int = NOW_MS - 60_000,
    state: AllocationState = AllocationState.RUNNING,
    stop_for: str = "",
) -> Allocation:
    return Allocation(
        id=f"alloc-{name}", job=f"running-{name}", tenant=tenant, project="p", attempt=1, type=type_, tier=tier,
        engine="local", slots=tuple(Slot(node=key, indexes=tuple(value)) for key, value in sorted(slots.items())),
        rehearsal=False, borrowed=borrowed, price_book="b", price_micros=PRICE, currency="CNY", state=state,
        placed_ms=placed_ms, started_ms=placed_ms, stop_for=stop_for,
    )  # fmt: skip


def snapshot(
    nodes: Sequence[Node],
    queued: Sequence[Job] = (),
    running: Sequence[Allocation] = (),
    *,
    quotas: Sequence[Quota] = (),
    funds: Mapping[str, int] | None = None,
    min_run_ms: int = 0,
    walltimes_ms: Mapping[str, int | None] | None = None,
    preemptions: Mapping[str, int] | None = None,
) -> Snapshot:
    free = {item.name: (1 << item.accelerators) - 1 for item in nodes}
    used: dict[tuple[str, str], int] = {}
    for item in running:
        used[item.tenant, item.type] = used.get((item.tenant, item.type), 0) + item.accelerators
        for slot in item.slots:
            assert free[slot.node] & mask_of(slot) == mask_of(slot)
            free[slot.node] &= ~mask_of(slot)
    tenants = {one.tenant for one in queued}
    sold = [(type_, tier) for type_ in (A100, ASCEND) for tier in Tier]
    return Snapshot(
        now_ms=NOW_MS,
        nodes={item.name: item for item in nodes},
        free=free,
        queued=sorted(queued, key=lambda one: one.seq),
        allocations={item.id: item for item in running},
        quotas={(item.tenant, item.type): item for item in quotas},
        used=used,
        available_micros=dict.fromkeys(tenants, 10**12) if funds is None else funds,
        prices_micros={(tenant, *pair): PRICE for tenant in tenants for pair in sold},
        walltimes_ms=walltimes_ms or {item.job: None for item in running},
        preemptions=preemptions or {},
        hold_interval_ms=HOUR_MS,
        min_run_ms=min_run_ms,
        max_preemptions=3,
    )


DRAINING = NodeState.DRAINING
