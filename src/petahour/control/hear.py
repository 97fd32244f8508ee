"""Hear: an engine's report becomes state, history, usage and money in one transaction."""

from __future__ import annotations

from dataclasses import replace

from petahour.control.conflicts import evidence, flag_conflict
from petahour.control.credit_accounts import funds
from petahour.control.credit_watch import measure_overspend
from petahour.control.lending import share_lent
from petahour.control.metering import NO_BOOKS, post_usages, release_hold, told
from petahour.control.prices import PriceBooks
from petahour.control.settings import Settings
from petahour.control.transitions import move
from petahour.engines.protocol import Phase, Report
from petahour.model.allocations import Allocation, AllocationState, EndKind, StopCause
from petahour.model.errors import InvariantError
from petahour.model.events import EventKind
from petahour.model.jobs import Job, JobState
from petahour.store.protocol import Transaction


def hear(tx: Transaction, report: Report, *, now_ms: int, settings: Settings, prices: PriceBooks = NO_BOOKS) -> None:
    """Take in one report; times are fitted between placement and now.

    Repeated and late ones change nothing. What contradicts an earlier report changes nothing either, and is kept
    in the log as a conflict.
    """
    allocation = tx.allocations.get(report.allocation)
    if allocation is None or report.phase is Phase.STARTING:
        return
    job = tx.jobs.get(allocation.job)
    if job is None:
        raise InvariantError(rule="an allocation has its job", value=allocation.id)
    if allocation.started_ms is not None or allocation.state is AllocationState.ENDED:
        flag_conflict(tx, allocation, job, report, now_ms=now_ms)
    if allocation.state is AllocationState.ENDED:
        return
    allocation, job = _started(tx, allocation, job, report, now_ms)
    if report.phase is Phase.ENDED:
        _ended(tx, allocation, job, report, now_ms, settings, prices)


def _started(
    tx: Transaction, allocation: Allocation, job: Job, report: Report, now_ms: int
) -> tuple[Allocation, Job]:
    if report.started_ms is None or allocation.started_ms is not None:
        return allocation, job
    started_ms = _between(allocation.placed_ms, report.started_ms, now_ms)
    stopping = allocation.state is AllocationState.STOPPING
    state = AllocationState.STOPPING if stopping else AllocationState.RUNNING
    allocation = replace(allocation, started_ms=started_ms, state=state)
    tx.allocations.save(allocation)
    if not stopping:
        job = move(
            tx,
            job,
            JobState.RUNNING,
            kind=EventKind.JOB_STARTED,
            at_ms=started_ms,
            cause="all ranks are launched",
            allocation=allocation.id,
            data=evidence(report, now_ms),
        )
    return allocation, job


def _ended(
    tx: Transaction,
    allocation: Allocation,
    job: Job,
    report: Report,
    now_ms: int,
    settings: Settings,
    prices: PriceBooks,
) -> None:
    floor_ms = max(allocation.placed_ms, allocation.started_ms or 0, allocation.metered_ms or 0)
    ended_ms = _between(floor_ms, report.ended_ms or now_ms, max(now_ms, floor_ms))
    kind = report.end_kind or EndKind.LOST
    allocation = replace(allocation, state=AllocationState.ENDED, ended_ms=ended_ms, end_kind=kind)
    tx.allocations.release(allocation.id)
    credit = funds(tx, allocation.tenant, allocation.currency)
    allocation = release_hold(tx, allocation, at_ms=now_ms)
    posted = post_usages(tx, [allocation], until_ms=ended_ms, at_ms=now_ms, prices=prices)
    allocation = replace(allocation, metered_ms=posted.metered_ms.get(allocation.id, allocation.metered_ms))
    tx.allocations.save(allocation)
    if allocation.stop_cause is StopCause.CREDIT:
        measure_overspend(tx, allocation, at_ms=ended_ms, prices=prices)

    after, job, cause = _verdict(allocation, job, report.message, settings)
    if after.final:
        message = cause if after is JobState.CANCELLED else report.message
        job = replace(job, exit_code=report.exit_code, message=message)
    data: dict[str, object] = {
        "end_kind": kind.value,
        "exit_code": report.exit_code,
        "started_ms": allocation.started_ms,
        **told(tx, allocation, credit),
        **evidence(report, now_ms),
    }
    job = move(
        tx, job, after, kind=EventKind.JOB_ENDED, at_ms=ended_ms, cause=cause, allocation=allocation.id, data=data
    )
    if job.state is JobState.PREEMPTED:
        move(
            tx, job, JobState.QUEUED, kind=EventKind.JOB_STATE, at_ms=ended_ms, cause="queued again after preemption"
        )
    share_lent(tx, posted.rated, [allocation], at_ms=now_ms, prices=prices)


def _verdict(allocation: Allocation, job: Job, message: str, settings: Settings) -> tuple[JobState, Job, str]:
    """What becomes of the job: its next state, itself with counters raised, and the cause in words."""
    kind, stop = allocation.end_kind, allocation.stop_cause
    if kind is EndKind.SUCCEEDED:
        return JobState.SUCCEEDED, job, "every rank exited with code 0"
    if stop is StopCause.CANCELLED:
        return JobState.CANCELLED, job, "stopped as asked"
    if stop is not None:
        return JobState.PREEMPTED, replace(job, preemptions=job.preemptions + 1), _STOPPED[stop]
    if kind is EndKind.LOST:
        job = replace(job, losses=job.losses + 1)
        if job.losses >= settings.lost_limit:
            return JobState.FAILED, job, f"given up, lost {job.losses} times: {message}"
        return JobState.QUEUED, job, f"lost, queued again: {message}"
    if kind is EndKind.WALLTIME:
        return JobState.FAILED, job, "walltime reached"
    job = replace(job, failures=job.failures + 1)
    if job.failures > job.spec.retries:
        return JobState.FAILED, job, message or "failed"
    return JobState.QUEUED, job, f"retry {job.failures} of {job.spec.retries}: {message}"


_STOPPED = {
    StopCause.PREEMPTED: "its processes are gone, the capacity is free",
    StopCause.CREDIT: "stopped: its credit is used up",
    StopCause.DUES: "stopped: an invoice is overdue",
    StopCause.BUDGET: "stopped: its project's budget of the month is spent",
    StopCause.LIMIT: "stopped: the spot price is above its limit",
    StopCause.MAINTENANCE: "stopped: its node is under maintenance",
    StopCause.RECALLED: "stopped: the seats that it was lent are taken back",
    StopCause.ORPHAN: "stopped: it ran without a record",
}


def _between(low_ms: int, at_ms: int, high_ms: int) -> int:
    return max(low_ms, min(at_ms, high_ms))
