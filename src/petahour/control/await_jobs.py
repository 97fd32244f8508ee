"""Jobs that wait for others: whom they may wait for, and what becomes of them when that never ends well."""

from __future__ import annotations

from petahour.control.context import Context
from petahour.control.transitions import move
from petahour.model.errors import ImpossibleError, NotFoundError
from petahour.model.events import EventKind
from petahour.model.jobs import JobSpec, JobState
from petahour.store.protocol import Transaction


def require_awaited(tx: Transaction, tenant: str, spec: JobSpec) -> dict[str, bool]:
    """Those that are over already, and whether they succeeded. Raises NotFoundError for a job that is not the
    tenant's, ImpossibleError when one has failed already."""
    known = {job.id: job for job in tx.jobs.many(after.job for after in spec.after)}
    for after in spec.after:
        other = known.get(after.job)
        field = "after_ok" if after.ok else "after_any"
        if other is None or other.tenant != tenant:
            raise NotFoundError(
                field=field,
                value=after.job,
                rule="no such job of this tenant",
                remedy='Name jobs by their id; "petahour ps --all" lists them.',
            )
        if after.ok and other.state.final and other.state is not JobState.SUCCEEDED:
            raise ImpossibleError(
                field=field,
                value=after.job,
                rule=f"a job to wait for until it has succeeded; this one has {other.state}",
                remedy="Leave it out, or use after_any.",
            )
    return {job.id: job.state is JobState.SUCCEEDED for job in known.values() if job.state.final}


def cancel_hopeless(context: Context) -> int:
    """Cancel the queued jobs that wait for the success of one that did not succeed; how many."""
    hopeless = dict(context.live.state.gates.never)
    if not hopeless:
        return 0
    with context.store.write() as tx:
        now_ms = context.clock.now_ms()
        for job in tx.jobs.many(hopeless):
            if job.state is JobState.QUEUED:
                cause = f"{hopeless[job.id]}, which it waited for, did not succeed"
                move(tx, job, JobState.CANCELLED, kind=EventKind.JOB_STATE, at_ms=now_ms, cause=cause)
    return len(hopeless)
