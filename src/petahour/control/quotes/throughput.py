"""Throughput of a job: read from its output once it is over."""

from __future__ import annotations

from dataclasses import dataclass, replace

from petahour.control.authorize import Action, authorize
from petahour.control.cancel import visible_job
from petahour.control.context import Context
from petahour.engines.protocol import LOCAL
from petahour.model.allocations import Allocation
from petahour.model.errors import ConflictError
from petahour.model.jobs import Job, JobState
from petahour.model.tenants import Caller
from petahour.quoting.throughput import UNMETERED, Throughput, read_throughput

MOST_OUTPUT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredJob:
    """A finished job and what its output told: the calibration of further runs of the same gang."""

    job: Job
    type: str
    accelerators: int
    run_ms: int
    throughput: Throughput


def measured_job(context: Context, caller: Caller, job_id: str) -> MeasuredJob:
    """Read the throughput of a job. Raises ConflictError unless it has succeeded in one attempt."""
    with context.store.read() as tx:
        job = visible_job(tx, caller, job_id)
        authorize(caller, Action.READ_JOBS, job.tenant)
        last = tx.allocations.latest([job.id]).get(job.id)
    if job.state is not JobState.SUCCEEDED or last is None or job.attempt != 1:
        raise ConflictError(
            field="measured",
            value=f"{job.id} ({job.state}, {job.attempt} attempts)",
            rule="a calibration is a job that succeeded at its first attempt",
            remedy='Wait until it has, or run another with "petahour quote calibrate".',
        )
    run_ms = max(1, (last.ended_ms or 0) - (last.started_ms or last.placed_ms))
    return MeasuredJob(
        job=job,
        type=last.type,
        accelerators=last.accelerators,
        run_ms=run_ms,
        throughput=_with_reason(read_throughput(_output(context, last), run_ms / 1000), job, last),
    )


def _with_reason(found: Throughput, job: Job, allocation: Allocation) -> Throughput:
    """Why there is no reading where a meter was asked for and could not run."""
    if found.power_w is not None or not job.spec.meter_power or found.power_unknown != UNMETERED:
        return found
    if allocation.rehearsal:
        return replace(found, power_unknown="rehearsal nodes have no devices to meter")
    if allocation.engine != LOCAL:
        return replace(found, power_unknown=f"engine {allocation.engine} does not meter its nodes")
    return replace(found, power_unknown="the meter beside the first rank said nothing")


def _output(context: Context, allocation: Allocation) -> str:
    """The output of the first rank, up to a bound."""
    engine, texts, offset = context.engines[allocation.engine], [], 0
    while offset < MOST_OUTPUT_BYTES:
        chunk = engine.log(allocation.id, 0, offset=offset, limit_bytes=context.settings.log_read_bytes)
        if not chunk.text:
            break
        texts.append(chunk.text)
        offset = chunk.next_offset
    return "".join(texts)
