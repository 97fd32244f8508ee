"""A job's steps from state to state: checked, stored, and recorded with their cause in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, JobState, check_transition
from petahour.model.terms import terms_of
from petahour.store.protocol import Transaction


def submitted(tx: Transaction, job: Job, over: Mapping[str, bool] | None = None) -> Event:
    """Record a new job. ``over``: of the jobs it waits for, those that are over, and whether they succeeded."""
    data: dict[str, object] = {"number": job.seq, "project": job.project, "terms": terms_of(job.spec)}
    if over:
        data["over"] = dict(over)
    return tx.events.append(_event(EventKind.JOB_SUBMITTED, job, None, job.submitted_ms, "submitted", data=data))


def move(
    tx: Transaction,
    job: Job,
    after: JobState,
    *,
    kind: EventKind,
    at_ms: int,
    cause: str,
    allocation: str | None = None,
    data: Mapping[str, object] | None = None,
) -> Job:
    """Store the job in its new state and append the event. Raises InvariantError on a step that is none."""
    check_transition(job.state, after)
    moved = replace(job, state=after)
    if after.final:
        moved = replace(moved, ended_ms=at_ms)
    tx.jobs.save(moved)
    tx.events.append(_event(kind, moved, job.state, at_ms, cause, allocation, data))
    return moved


def note(
    tx: Transaction,
    job: Job,
    *,
    kind: EventKind,
    at_ms: int,
    cause: str,
    allocation: str,
    data: Mapping[str, object],
) -> None:
    """Record what changed for a job that stays in its state."""
    tx.events.append(noted(job, kind=kind, at_ms=at_ms, cause=cause, allocation=allocation, data=data))


def noted(job: Job, *, kind: EventKind, at_ms: int, cause: str, allocation: str, data: Mapping[str, object]) -> Event:
    """What ``note`` records, for who records many at once."""
    return _event(kind, job, job.state, at_ms, cause, allocation, data)


def _event(
    kind: EventKind,
    job: Job,
    before: JobState | None,
    at_ms: int,
    cause: str,
    allocation: str | None = None,
    data: Mapping[str, object] | None = None,
) -> Event:
    known = {"before": before and before.value, "after": job.state.value, "cause": cause, "attempt": job.attempt}
    return Event(
        kind=kind, at_ms=at_ms, tenant=job.tenant, job=job.id, allocation=allocation, data={**known, **(data or {})}
    )
