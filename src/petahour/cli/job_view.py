"""How jobs are shown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from rich.table import Table

from petahour.cli.quote_view import quoted_facts
from petahour.cli.render import Column, duration, instant, make_table, money, places, precise, print_plain, show_facts
from petahour.client.types import Allocation, HistoryEntry, Job, JobDetail
from petahour.model.jobs import FINAL_STATES

WIDE = 150  # columns of a terminal from which on reasons are shown in full
_JOB_COLUMNS = (
    Column(title="ID"),
    Column(title="TENANT"),
    Column(title="NAME", wraps=True),
    Column(title="STATE", state=True),
    Column(title="TIER"),
    Column(title="GANG"),
    Column(title="TYPE"),
    Column(title="TRY", right=True),
    Column(title="TIME", right=True),
    Column(title="REASON", wraps=True),
)


def job_table(jobs: Iterable[Job], *, now_ms: int, width: int) -> Table:
    """One row per job. TIME is how long it has run, or has waited when it waits.

    A terminal narrower than ``WIDE`` columns gets the reason's code in place of the sentence.
    """
    full = width >= WIDE
    return make_table(_JOB_COLUMNS, (_row(job, now_ms, full) for job in jobs), gap=2 if full else 1)


def _row(job: Job, now_ms: int, full: bool) -> tuple[object, ...]:
    gang = f"{job.gang.nodes}x{job.gang.accelerators_per_node}"
    kind = (job.type or job.types[0]) + ("*" if job.rehearsal else "")
    why = reason(job) if full else short_reason(job)
    time_text = duration(time_ms(job, now_ms))
    name = job.name if job.array is None else f"{job.name}[{job.array.index}]"
    return job.id, job.tenant, name, job.state, job.tier, gang, kind, job.attempt, time_text, why


def time_ms(job: Job, now_ms: int) -> int:
    """Since the latest attempt started, or since submission for a job that waits; until now or the end."""
    waits = job.state == "queued" or job.started_ms is None
    begun_ms = job.submitted_ms if waits or job.started_ms is None else job.started_ms
    return (job.ended_ms or now_ms) - begun_ms


def short_reason(job: Job) -> str:
    """Why it waits or how it ended, in a word or two."""
    if job.state == "queued":
        return job.hold.code if job.hold else ""
    if job.state == "failed" and job.exit_code is not None:
        return f"exit {job.exit_code}"
    return reason(job)[:20]


def reason(job: Job) -> str:
    """Why a queued job waits; why a job that is over ended so."""
    if job.state == "queued":
        return job.hold.text if job.hold else "not looked at yet"
    return job.message if job.state in FINAL_STATES and job.state != "succeeded" else ""


def show_job(job: JobDetail, *, now_ms: int) -> None:
    """Facts, attempts and history."""
    show_facts(_facts(job, now_ms))
    if job.allocations:
        attempts = make_table(_ATTEMPT_COLUMNS, (_attempt(item, now_ms) for item in job.allocations))
        print_plain(attempts, title="\nAttempts")
    if job.history:
        print_plain(make_table(_HISTORY_COLUMNS, (_step(item) for item in job.history)), title="\nHistory")


def _facts(job: JobDetail, now_ms: int) -> list[tuple[str, object]]:
    return [
        ("job", job.id),
        ("name", job.name),
        ("tenant", f"{job.tenant}, project {job.project}, by {job.user}"),
        ("state", job.state),
        ("waits because", reason(job) if job.state == "queued" else None),
        ("expected start", _expected_start(job, now_ms)),
        ("sooner", _sooner(job)),
        ("message", job.message if job.state != "queued" and job.message else None),
        ("exit code", job.exit_code),
        ("command", shlex.join(job.command)),
        ("workdir", job.workdir),
        ("environment", " ".join(f"{name}={value}" for name, value in job.environment.items()) or None),
        ("gang", f"{job.gang} of {' or '.join(job.types)}"),
        ("waits for", _awaited(job)),
        ("array", _array(job)),
        ("runs on", job.type and job.type + (" (rehearsal)" if job.rehearsal else "")),
        ("tier", f"{job.tier}, priority {job.priority}"),
        (
            "pays at most",
            None if job.limit_micros is None else f"{job.limit_micros / 1e6:,.6g} an accelerator-hour",
        ),
        ("walltime", None if job.walltime_ms is None else duration(job.walltime_ms)),
        ("memory", None if job.memory_bytes is None else f"{job.memory_bytes:,} bytes per rank"),
        ("checkpoints", job.checkpoint_dir),
        ("preemption", f"{job.preemption_signal}, then {duration(job.grace_ms)} to save"),
        (
            "attempts",
            f"{job.attempt}, {job.failures} failed of {job.retries + 1} allowed, {job.preemptions} preempted",
        ),
        ("submitted", instant(job.submitted_ms)),
        ("ended", instant(job.ended_ms)),
        ("time", duration(time_ms(job, now_ms))),
        *quoted_facts(job.quoted, over=job.state in FINAL_STATES),
    ]


def _awaited(job: JobDetail) -> str | None:
    return ", ".join(f"{item.job} to {'succeed' if item.ok else 'end'}" for item in job.after) or None


def _array(job: JobDetail) -> str | None:
    array = job.array
    return (
        None
        if array is None
        else f"{array.array}, index {array.index}, {array.size} jobs, at most {array.at_once} at once"
    )


def _expected_start(job: JobDetail, now_ms: int) -> str | None:
    """In words such as ``in 40m, between 25m and 1h10m from now (8 of 10 cases)``."""
    expected = job.outlook and job.outlook.expected
    if not expected:
        return None
    first, middle, last = (
        None if at_ms is None else duration(at_ms - now_ms)
        for at_ms in (expected.earliest_ms, expected.median_ms, expected.latest_ms)
    )
    if middle is None:
        return "later than can be foreseen" if first is None else f"not before {first} from now"
    if first is None:
        return f"in about {middle}"
    until = f"between {first} and {last}" if last else f"not before {first}"
    return f"in {middle}; {until} from now in 8 of 10 cases"


def _sooner(job: JobDetail) -> str | None:
    offer = job.outlook and job.outlook.sooner
    return None if not offer else f"now on {offer.type} as {offer.tier} work at {100 * offer.change:+.0f} %"


_ATTEMPT_COLUMNS = (
    Column(title="TRY", right=True),
    Column(title="STATE", state=True),
    Column(title="ON", wraps=True),
    Column(title="STARTED"),
    Column(title="RAN", right=True),
    Column(title="END"),
    Column(title="PER HOUR", right=True),
)
_HISTORY_COLUMNS = (
    Column(title="WHEN"),
    Column(title="STEP"),
    Column(title="TRY", right=True),
    Column(title="CAUSE", wraps=True),
)


def _attempt(item: Allocation, now_ms: int) -> tuple[object, ...]:
    where = places(item.slots)
    where += " (rehearsal)" if item.rehearsal else ""
    ran = None if item.started_ms is None else duration((item.ended_ms or now_ms) - item.started_ms)
    end = item.end_kind and item.end_kind + (f" ({item.stop_cause})" if item.stop_cause else "")
    price = item.reservation or money(item.price_micros, item.currency)
    return item.attempt, item.state, where, instant(item.started_ms), ran, end, price


def _step(item: HistoryEntry) -> tuple[object, ...]:
    step = f"{item.before} -> {item.after}" if item.before else (item.after or item.kind)
    return precise(item.at_ms), step, item.attempt, item.cause
