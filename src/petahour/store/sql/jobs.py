"""Jobs in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert, select, update

from petahour.model.jobs import FINAL_STATES, Job, JobState
from petahour.store.protocol import JobFilter, Submission
from petahour.store.sql.rows import job_of, job_row
from petahour.store.sql.schema import jobs
from petahour.store.sql.statements import batches, one, rows

_UNFINISHED = [state.value for state in JobState if state not in FINAL_STATES]


class SqlJobs:
    """Jobs and their submission keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job, *, key: str | None, request_hash: str) -> Job:
        row = {**job_row(job), "submission_key": key, "request_hash": request_hash}
        seq = self._connection.execute(insert(jobs).returning(jobs.c.seq), row).scalar_one()
        return replace(job, seq=seq)

    def save(self, job: Job) -> None:
        row = job_row(job)
        for fixed in ("id", "spec", "tenant", "project", "user", "submitted_ms"):
            del row[fixed]
        self._connection.execute(update(jobs).where(jobs.c.seq == job.seq), row)

    def get(self, job_id: str) -> Job | None:
        return one(self._connection, select(jobs).where(jobs.c.id == job_id), job_of)

    def many(self, job_ids: Iterable[str]) -> Sequence[Job]:
        found: list[Job] = []
        for batch in batches(job_ids):
            found += rows(self._connection, select(jobs).where(jobs.c.id.in_(batch)), job_of)
        return sorted(found, key=lambda job: job.seq)

    def find(self, wanted: JobFilter) -> Sequence[Job]:
        query = select(jobs).order_by(jobs.c.seq.desc()).limit(wanted.limit)
        if wanted.tenant is not None:
            query = query.where(jobs.c.tenant == wanted.tenant)
        if wanted.project is not None:
            query = query.where(jobs.c.project == wanted.project)
        if wanted.states:
            query = query.where(jobs.c.state.in_([state.value for state in wanted.states]))
        if wanted.array is not None:
            query = query.where(jobs.c.id.startswith(f"{wanted.array}-", autoescape=True))
        if wanted.before_seq is not None:
            query = query.where(jobs.c.seq < wanted.before_seq)
        return rows(self._connection, query, job_of)

    def unfinished(self) -> Sequence[Job]:
        query = select(jobs).where(jobs.c.state.in_(_UNFINISHED)).order_by(jobs.c.seq)
        return rows(self._connection, query, job_of)

    def submission(self, tenant: str, key: str) -> Submission | None:
        query = select(jobs.c.id, jobs.c.request_hash).where(jobs.c.tenant == tenant, jobs.c.submission_key == key)
        return one(self._connection, query, lambda row: Submission(job=row["id"], request_hash=row["request_hash"]))
