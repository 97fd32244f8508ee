"""Jobs: submit, list, look at, read output of, cancel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Header, Query, status
from fastapi.responses import JSONResponse

from petahour.control.cancel import cancel
from petahour.control.context import Context
from petahour.control.outlook import outlook
from petahour.control.queries import find_job, list_jobs, read_log
from petahour.control.submit import submit
from petahour.model.jobs import Job, JobState
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import JobBody
from petahour.server.views import View, allocation_view, history_view, job_view, outlook_view
from petahour.store.protocol import JobFilter

MAX_NUMBER = 2**63 - 1  # what a database's and a file's offsets can be

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post("", status_code=status.HTTP_201_CREATED)
def submit_job(
    body: JobBody,
    context: TheContext,
    caller: TheCaller,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> JSONResponse:
    """Submit a job. The same Idempotency-Key with the same body gives the same job (200). Of an array, the first job
    is answered; GET /v1/jobs?array=ID lists them all.
    """
    job, new = submit(context, caller, body.request(), key=idempotency_key)
    return JSONResponse(_view(context, job), status.HTTP_201_CREATED if new else status.HTTP_200_OK)


@router.get("")
def jobs(
    context: TheContext,
    caller: TheCaller,
    state: Annotated[list[JobState] | None, Query()] = None,
    tenant: str | None = None,
    project: str | None = None,
    array: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before_seq: Annotated[int | None, Query(ge=0, le=MAX_NUMBER)] = None,
) -> JSONResponse:
    """Jobs, newest first."""
    wanted = JobFilter(
        tenant=tenant, project=project, states=tuple(state or ()), array=array, before_seq=before_seq, limit=limit
    )
    found, latest = list_jobs(context, caller, wanted)
    holds = context.live.holds
    return JSONResponse(
        {
            "jobs": [job_view(job, latest.get(job.id), holds.get(job.id)) for job in found],
            "next_before_seq": found[-1].seq if len(found) == limit else None,
        }
    )


@router.get("/{job_id}")
def job_detail(job_id: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A job with its attempts, its history, what was quoted of it beside what it took so far and, while it waits, the
    reason and when it is expected to start."""
    found = find_job(context, caller, job_id)
    latest = found.allocations[-1] if found.allocations else None
    return JSONResponse(
        {
            **job_view(found.job, latest, context.live.holds.get(job_id)),
            "allocations": [allocation_view(item) for item in found.allocations],
            "history": [history_view(event) for event in found.history],
            "outlook": outlook_view(outlook(context, found.job)),
            "quoted": None if found.quoted is None else asdict(found.quoted),
        }
    )


@router.post("/{job_id}/cancel", status_code=status.HTTP_202_ACCEPTED)
def cancel_job(job_id: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Cancel a job: at once when it is queued, by signal, grace period and kill when it runs."""
    return JSONResponse(_view(context, cancel(context, caller, job_id)), status.HTTP_202_ACCEPTED)


@router.get("/{job_id}/logs")
def job_logs(
    job_id: str,
    context: TheContext,
    caller: TheCaller,
    rank: int = 0,
    attempt: int | None = None,
    offset: Annotated[int, Query(ge=0, le=MAX_NUMBER)] = 0,
    limit: Annotated[int, Query(ge=1)] = 65_536,
) -> JSONResponse:
    """Output of one rank from a byte offset; ``complete`` when there will be no more."""
    shown, chunk = read_log(context, caller, job_id, attempt=attempt, rank=rank, offset=offset, limit_bytes=limit)
    return JSONResponse(
        {
            "job": job_id,
            "attempt": shown,
            "rank": rank,
            "text": chunk.text,
            "next_offset": chunk.next_offset,
            "complete": chunk.complete,
        }
    )


def _view(context: Context, job: Job) -> View:
    return job_view(job, None, context.live.holds.get(job.id))
