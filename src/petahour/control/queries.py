"""Queries: what a caller may see of jobs, fleet, usage and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from petahour.control.authorize import Action, authorize
from petahour.control.cancel import visible_job
from petahour.control.context import Context
from petahour.control.quotes.so_far import quoted_job
from petahour.control.tenants import known_tenant
from petahour.engines.protocol import LogChunk
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.errors import NotFoundError, ValidationError
from petahour.model.events import Event
from petahour.model.jobs import Job
from petahour.model.quotes import QuotedJob
from petahour.model.resources import Node
from petahour.model.tenants import Caller
from petahour.model.time import month_bounds
from petahour.model.usage import Charge, UsageRecord
from petahour.store.protocol import JobFilter

OTHER = "other"  # stands for any other tenant in what a tenant is shown


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDetail:
    """A job with its attempts and its history, oldest first; ``quoted`` where it was submitted under a quote."""

    job: Job
    allocations: Sequence[Allocation]
    history: Sequence[Event]
    quoted: QuotedJob | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds one accelerator; another tenant is shown as ``other`` without job or allocation."""

    index: int
    tenant: str | None
    job: str | None
    allocation: str | None


def list_jobs(context: Context, caller: Caller, wanted: JobFilter) -> tuple[Sequence[Job], Mapping[str, Allocation]]:
    """Jobs, newest first, with the latest allocation of each that has one."""
    tenant = wanted.tenant if caller.role.of_operator else (wanted.tenant or caller.tenant)
    authorize(caller, Action.READ_JOBS, tenant)
    limit = max(1, min(wanted.limit, context.settings.listing_limit))
    with context.store.read() as tx:
        jobs = tx.jobs.find(replace(wanted, tenant=tenant, limit=limit))
        return jobs, tx.allocations.latest(job.id for job in jobs)


def find_job(context: Context, caller: Caller, job_id: str) -> JobDetail:
    """One job in full."""
    with context.store.read() as tx:
        job = visible_job(tx, caller, job_id)
        authorize(caller, Action.READ_JOBS, job.tenant)
        allocations = tx.allocations.of_job(job_id)
        return JobDetail(
            job=job,
            allocations=allocations,
            history=tx.events.of_job(job_id),
            quoted=quoted_job(tx, context.prices, job, allocations, context.clock.now_ms()),
        )


def read_log(
    context: Context, caller: Caller, job_id: str, *, attempt: int | None, rank: int, offset: int, limit_bytes: int
) -> tuple[int, LogChunk]:
    """Output of one rank of an attempt (the latest unless named), from a byte offset."""
    with context.store.read() as tx:
        job = visible_job(tx, caller, job_id)
        authorize(caller, Action.READ_JOBS, job.tenant)
        allocations = {item.attempt: item for item in tx.allocations.of_job(job_id)}
    if not allocations:
        return 0, LogChunk(text="", next_offset=0, complete=job.state.final)
    chosen = allocations.get(attempt if attempt is not None else max(allocations))
    if chosen is None:
        raise NotFoundError(
            field="attempt", value=attempt, rule=f"an attempt from 1 to {max(allocations)}", remedy="Leave it out."
        )
    if not 0 <= rank < chosen.accelerators:
        raise NotFoundError(
            field="rank",
            value=rank,
            rule=f"a rank from 0 to {chosen.accelerators - 1}",
            remedy="Choose one of those.",
        )
    engine = context.engines[chosen.engine]
    most = max(1, min(limit_bytes, context.settings.log_read_bytes))
    chunk = engine.log(chosen.id, rank, offset=offset, limit_bytes=most)
    if chosen.state is AllocationState.ENDED and not chunk.text:
        # An engine of another replica may know nothing of it any more.
        chunk = replace(chunk, complete=True)
    return chosen.attempt, chunk


def fleet_for(context: Context, caller: Caller) -> Sequence[tuple[Node, Sequence[Holder]]]:
    """Every node with the holder of each accelerator."""
    authorize(caller, Action.READ_FLEET)
    with context.store.read() as tx:
        nodes = tx.fleet.every()
        active = tx.allocations.active()
    held: dict[tuple[str, int], Allocation] = {}
    for allocation in active:
        for slot in allocation.slots:
            held |= {(slot.node, index): allocation for index in slot.indexes}
    return [
        (node, [_holder(caller, index, held.get((node.name, index))) for index in range(node.accelerators)])
        for node in nodes
    ]


def _holder(caller: Caller, index: int, allocation: Allocation | None) -> Holder:
    if allocation is None:
        return Holder(index=index, tenant=None, job=None, allocation=None)
    if not caller.role.of_operator and allocation.tenant != caller.tenant:
        return Holder(index=index, tenant=OTHER, job=None, allocation=None)
    return Holder(index=index, tenant=allocation.tenant, job=allocation.job, allocation=allocation.id)


def usage_for(
    context: Context, caller: Caller, tenant: str, month: str
) -> tuple[str, Sequence[tuple[UsageRecord, Charge | None]]]:
    """The tenant's currency and its usage records of a month, each with its charge."""
    authorize(caller, Action.READ_USAGE, tenant)
    from_ms, to_ms = month_bounds(month)
    with context.store.read() as tx:
        currency = known_tenant(tx, tenant).currency
        charges = {charge.usage: charge for charge in tx.ledger.charges(tenant=tenant, from_ms=from_ms, to_ms=to_ms)}
        records = tx.ledger.usage(tenant=tenant, from_ms=from_ms, to_ms=to_ms)
    return currency, [(record, charges.get(record.id)) for record in records]


def events_for(context: Context, caller: Caller, *, after: int, limit: int) -> Sequence[Event]:
    """The raw log, in commit order."""
    authorize(caller, Action.READ_EVENTS)
    if after < 0:
        raise ValidationError(field="after", value=after, rule="zero or more", remedy="Start with 0.")
    with context.store.read() as tx:
        return tx.events.after(after, limit=max(1, min(limit, context.settings.events_per_read)))
