"""Start: when a gang submitted now would start, by playing the live queue forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petahour.control.context import Context
from petahour.control.outlook import MANY
from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.model.jobs import JobSpec, Tier
from petahour.model.quotes import ExpectedStart
from petahour.model.resources import Gang
from petahour.scheduler.ask import Waiting
from petahour.scheduler.foresee import Expected, foresee
from petahour.scheduler.impossible import why_impossible

PROBE = "quote"  # stands for a job that is not there yet


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """When it would start, and the gang's shape on this fleet; None where the fleet could never run it."""

    start: ExpectedStart
    gang: Gang | None


def expected_starts(
    context: Context, tenant: str, estimates: Sequence[TypeEstimate], tier: Tier, now_ms: int
) -> list[Placed]:
    """Of each estimate, when a job of its type and gang would start if it were submitted now.

    The present jobs end as jobs of their kind do; nothing new arrives. The jobs are taken to say how long they run.
    All are put into one look ahead: of different types, they do not stand in one another's way, and one look is what
    somebody waits for.
    """
    placed = [_possible(context, tenant, estimate, tier) for estimate in estimates]
    state = context.live.state
    probes = {
        f"{PROBE}-{number}": _probe(context, f"{PROBE}-{number}", tenant, estimate, one.gang, tier, now_ms)
        for number, (estimate, one) in enumerate(zip(estimates, placed, strict=True))
        if one.gang is not None
    }
    if not probes or len(state.running) + len(state.lines) > MANY:
        return placed
    found = foresee(context.live.present(now_ms), now_ms, list(probes), extra=list(probes.values()))
    return [_foreseen(one, found.get(f"{PROBE}-{number}")) for number, one in enumerate(placed)]


def _possible(context: Context, tenant: str, estimate: TypeEstimate, tier: Tier) -> Placed:
    live = context.live
    gang = gang_here(context, estimate.type, estimate.accelerators)
    if gang is None:
        return Placed(start=ExpectedStart(never=f"this fleet has no {estimate.type}"), gang=None)
    spec = JobSpec(name=PROBE, command=(PROBE,), workdir="/", gang=gang, types=(estimate.type,), tier=tier)
    why = why_impossible(spec, live.nodes.values(), live.quotas, tenant)
    if why is not None:
        return Placed(start=ExpectedStart(never=why.rule), gang=None)
    return Placed(start=ExpectedStart(), gang=gang)


def _probe(
    context: Context, name: str, tenant: str, estimate: TypeEstimate, gang: Gang, tier: Tier, now_ms: int
) -> Waiting:
    return Waiting(
        id=name,
        seq=2**62,
        ask=context.live.state.asks.of(tenant=tenant, tier=tier, types=(estimate.type,), gang=gang),
        submitted_ms=now_ms,
        walltime_ms=max(1, round(estimate.high_s * 1000)),
        name=PROBE,
    )


def _foreseen(placed: Placed, found: Expected | None) -> Placed:
    if found is None:
        return placed
    start = ExpectedStart(earliest_ms=found.earliest_ms, median_ms=found.median_ms, latest_ms=found.latest_ms)
    return replace(placed, start=start)


def gang_here(context: Context, type_name: str, accelerators: int) -> Gang | None:
    """So many accelerators on as few nodes of this fleet as can be, all alike; None where it has no such type."""
    widths = [node.accelerators for node in list(context.live.nodes.values()) if node.type == type_name]
    if not widths:
        return None
    widest = max(width for width in range(1, min(max(widths), accelerators) + 1) if accelerators % width == 0)
    return Gang(nodes=accelerators // widest, accelerators_per_node=widest)
