"""Nouns as the JSON that the API answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from petahour.control.outlook import Outlook
from petahour.control.queries import Holder
from petahour.model.allocations import Allocation
from petahour.model.events import Event
from petahour.model.jobs import Job, JobState
from petahour.model.resources import Node
from petahour.model.tenants import ApiKey
from petahour.model.usage import Balance, Charge, UsageRecord
from petahour.scheduler.plan import Hold

View = dict[str, object]


def job_view(job: Job, latest: Allocation | None, hold: Hold | None) -> View:
    """A job; ``hold`` only while it is queued."""
    spec = job.spec
    waits = hold is not None and job.state is JobState.QUEUED
    return {
        "id": job.id,
        "seq": job.seq,
        "tenant": job.tenant,
        "project": job.project,
        "user": job.user,
        "name": spec.name,
        "state": job.state.value,
        "tier": spec.tier.value,
        "priority": spec.priority,
        "command": spec.command,
        "workdir": spec.workdir,
        "environment": dict(spec.environment),
        "gang": asdict(spec.gang),
        "after": [asdict(after) for after in spec.after],
        "array": asdict(spec.array) if spec.array else None,
        "types": spec.types,
        "walltime_ms": spec.walltime_ms,
        "retries": spec.retries,
        "checkpoint_dir": spec.checkpoint_dir,
        "preemption_signal": spec.preemption_signal,
        "grace_ms": spec.grace_ms,
        "memory_bytes": spec.memory_bytes,
        "limit_micros": spec.limit_micros,
        "submitted_ms": job.submitted_ms,
        "ended_ms": job.ended_ms,
        "attempt": job.attempt,
        "failures": job.failures,
        "preemptions": job.preemptions,
        "losses": job.losses,
        "exit_code": job.exit_code,
        "message": job.message,
        "hold": {"code": hold.code.value, "text": hold.text} if waits and hold else None,
        "type": latest.type if latest else None,
        "rehearsal": latest.rehearsal if latest else None,
        "started_ms": latest.started_ms if latest else None,
    }


def outlook_view(outlook: Outlook | None) -> View | None:
    return None if outlook is None else asdict(outlook)


def allocation_view(allocation: Allocation) -> View:
    shown = asdict(allocation)
    for internal in ("job", "tenant", "project", "stop_for", "preempted_ms", "hold_transfer", "engine"):
        del shown[internal]
    return shown


def history_view(event: Event) -> View:
    data = event.data
    return {
        "seq": event.seq,
        "at_ms": event.at_ms,
        "kind": event.kind.value,
        "before": data.get("before"),
        "after": data.get("after"),
        "cause": data.get("cause"),
        "attempt": data.get("attempt"),
        "allocation": event.allocation,
    }


def event_view(event: Event) -> View:
    return {**asdict(event), "data": dict(event.data)}


def node_view(node: Node, holders: Sequence[Holder]) -> View:
    free = sum(1 for holder in holders if holder.tenant is None)
    return {**asdict(node), "free": free, "holders": [asdict(holder) for holder in holders]}


def key_view(key: ApiKey) -> View:
    shown = asdict(key)
    del shown["secret_hash"]
    return shown


def balance_view(tenant: str, balance: Balance) -> View:
    return {
        "tenant": tenant,
        "currency": balance.currency,
        "posted_micros": balance.posted_micros,
        "held_micros": balance.pending_debits_micros,
        "available_micros": balance.available_micros,
    }


def usage_view(record: UsageRecord, charge: Charge | None) -> View:
    shown = asdict(record)
    del shown["tenant"]
    return {
        **shown,
        "charge": None if charge is None else charge.id,
        "amount_micros": charge.amount_micros if charge else 0,
    }
