"""Start: when a gang submitted now would start, by playing the live queue forward."""

from __future__ import annotations

from petahour.control.context import Context
from petahour.control.outlook import MANY
from petahour.model.jobs import JobSpec, Tier
from petahour.model.quotes import ExpectedStart
from petahour.model.resources import Gang
from petahour.scheduler.ask import Waiting
from petahour.scheduler.foresee import foresee
from petahour.scheduler.impossible import why_impossible

PROBE = "quote"  # stands for the job that is not there yet


def expected_start(
    context: Context, tenant: str, *, type_name: str, accelerators: int, tier: Tier, run_ms: int, now_ms: int
) -> tuple[ExpectedStart, Gang | None]:
    """When it would start, and the gang's shape on this fleet; the reason when the fleet could never run it.

    The present jobs end as jobs of their kind do; nothing new arrives. The job is taken to say how long it runs.
    """
    live = context.live
    gang = gang_here(context, type_name, accelerators)
    if gang is None:
        return ExpectedStart(never=f"this fleet has no {type_name}"), None
    spec = JobSpec(name=PROBE, command=(PROBE,), workdir="/", gang=gang, types=(type_name,), tier=tier)
    why = why_impossible(spec, live.nodes.values(), live.quotas, tenant)
    if why is not None:
        return ExpectedStart(never=why.rule), None
    state = live.state
    if len(state.running) + len(state.lines) > MANY:
        return ExpectedStart(), gang
    waiting = Waiting(
        id=PROBE,
        seq=2**62,
        ask=state.asks.of(tenant=tenant, tier=tier, types=(type_name,), gang=gang),
        submitted_ms=now_ms,
        walltime_ms=run_ms,
        name=PROBE,
    )
    found = foresee(state, now_ms, [PROBE], extra=[waiting])[PROBE]
    return (
        ExpectedStart(earliest_ms=found.earliest_ms, median_ms=found.median_ms, latest_ms=found.latest_ms),
        gang,
    )


def gang_here(context: Context, type_name: str, accelerators: int) -> Gang | None:
    """So many accelerators on as few nodes of this fleet as can be, all alike; None where it has no such type."""
    widths = [node.accelerators for node in list(context.live.nodes.values()) if node.type == type_name]
    if not widths:
        return None
    widest = max(width for width in range(1, min(max(widths), accelerators) + 1) if accelerators % width == 0)
    return Gang(nodes=accelerators // widest, accelerators_per_node=widest)
