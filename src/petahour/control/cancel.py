"""Cancel: a queued job ends at once; a running one is asked to stop and ends when its processes have."""

from __future__ import annotations

from dataclasses import replace

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.transitions import move, note
from petahour.model.allocations import Allocation, AllocationState, StopCause
from petahour.model.errors import ConflictError, InvariantError, NotFoundError
from petahour.model.events import EventKind
from petahour.model.jobs import Job, JobState
from petahour.model.tenants import Caller
from petahour.store.protocol import JobFilter, Transaction

_UNFINISHED = tuple(state for state in JobState if not state.final)


def cancel(context: Context, caller: Caller, job_id: str) -> Job:
    """The job after the request. Cancelling twice is one cancel; a finished job cannot be cancelled.

    The id of an array cancels those of its jobs that are not over, and gives the first of them.
    """
    with context.store.read() as tx:
        # Of the store: another replica may have taken the submission a moment ago.
        wanted = JobFilter(array=job_id, states=_UNFINISHED, limit=context.settings.array_size)
        tasks = [job.id for job in tx.jobs.find(wanted)]
    done = [_cancel_one(context, caller, task) for task in sorted(tasks)] or [_cancel_one(context, caller, job_id)]
    context.wake()
    return done[0]


def _cancel_one(context: Context, caller: Caller, job_id: str) -> Job:
    with context.store.write() as tx:
        job = visible_job(tx, caller, job_id)
        authorize(caller, Action.CANCEL_JOB, job.tenant)
        if job.state is JobState.CANCELLED:
            return job
        if job.state.final:
            raise ConflictError(
                field="job",
                value=job_id,
                rule=f"a job that has {job.state} stays so",
                remedy="There is nothing to stop.",
            )
        now_ms = context.clock.now_ms()
        cause = f"cancelled by {caller.user}"
        if job.state in (JobState.QUEUED, JobState.PREEMPTED):
            job = move(tx, job, JobState.CANCELLED, kind=EventKind.JOB_STATE, at_ms=now_ms, cause=cause)
        else:
            job = _cancel_running(tx, job, now_ms, cause)
    return job


def visible_job(tx: Transaction, caller: Caller, job_id: str) -> Job:
    """The job if the caller may know of it; NotFoundError otherwise, in the same words."""
    job = tx.jobs.get(job_id)
    if job is None or not (caller.role.of_operator or caller.tenant == job.tenant):
        raise NotFoundError(
            field="job", value=job_id, rule="no such job", remedy='List jobs with "petahour ps --all".'
        )
    return job


def ask_to_stop(
    tx: Transaction, job: Job, allocation: Allocation, *, cause: StopCause, for_job: str, at_ms: int, text: str
) -> Job:
    """Store the intent to stop a running allocation; the control step carries it out."""
    stopping = replace(
        allocation,
        state=AllocationState.STOPPING,
        stop_cause=cause,
        stop_for=for_job,
        stop_ms=at_ms,
        preempted_ms=at_ms if cause.yields else None,
    )
    tx.allocations.save(stopping)
    return move(
        tx,
        job,
        JobState.STOPPING,
        kind=EventKind.JOB_STOPPING,
        at_ms=at_ms,
        cause=text,
        allocation=allocation.id,
        data={"stop_cause": cause.value, "stop_for": for_job},
    )


def _cancel_running(tx: Transaction, job: Job, now_ms: int, cause: str) -> Job:
    allocation = tx.allocations.latest([job.id]).get(job.id)
    if allocation is None or allocation.state is AllocationState.ENDED:
        raise InvariantError(rule="a job that holds accelerators has an active allocation", value=job.id)
    if job.state is JobState.STOPPING:
        if allocation.stop_cause is not StopCause.CANCELLED:
            # A preemption under way becomes a cancellation: the job shall not be queued again.
            tx.allocations.save(replace(allocation, stop_cause=StopCause.CANCELLED))
            note(
                tx,
                job,
                kind=EventKind.JOB_STOPPING,
                at_ms=now_ms,
                cause=cause,
                allocation=allocation.id,
                data={"stop_cause": StopCause.CANCELLED.value},
            )
        return job
    return ask_to_stop(tx, job, allocation, cause=StopCause.CANCELLED, for_job="", at_ms=now_ms, text=cause)
