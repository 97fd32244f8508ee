"""What happens in the demonstration, and what was seen of it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace

from petahour.cli.demo.stage import Stage
from petahour.cli.demo.tenants import (
    AURORA,
    BATCH,
    BOREALIS,
    CALIBRATION,
    QUOTED_STEPS,
    SPOT,
    Renter,
    admit,
    calibration,
    first_jobs,
    quoted_training,
    too_big,
    urgent_gang,
)
from petahour.cli.quote_view import span
from petahour.client import ApiError, Client, JobRequest, Quote, QuoteRequest
from petahour.client.quotes import QuoteAccuracy
from petahour.client.types import Job, JobDetail
from petahour.model.jobs import FINAL_STATES, JobState

POLL_S = 0.25
STORY_LIMIT_S = 75.0
READY_S = 10.0
_LOSS = re.compile(r"\bstep[ =:]+(\d+)\b.*?\bloss[ =:]+(\d+\.\d+)")


@dataclass(kw_only=True, slots=True)
class Seen:
    """What the running system showed. ``waited``: the first reason each job was seen waiting for, by job id."""

    renters: list[Renter] = field(default_factory=list)
    refused: ApiError | None = None
    waited: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, JobDetail] = field(default_factory=dict)
    logs: dict[tuple[str, int], str] = field(default_factory=dict)
    timed_out: bool = False
    quote: Quote | None = None
    accuracy: QuoteAccuracy | None = None


def play(operator: Client, url: str, cpus: int, stage: Stage) -> Seen:
    """The whole story, from admitting two tenants to the last job's end."""
    seen = Seen()
    # 1. Two tenants with projects, users, keys and credit.
    for renter in (AURORA, BOREALIS):
        seen.renters.append(replace(renter, key=admit(operator, renter)))
        stage.say(f"tenant {renter.tenant} ({renter.title}) has {renter.credit} {renter.currency} of credit")
    # 2. A training is measured, quoted and submitted under its quote.
    _quote_training(url, seen, stage)
    # 3. The other first jobs, and one that no fleet of this size could ever run.
    for renter, request in first_jobs(cpus):
        _submit(url, seen, renter, request)
    _try_too_big(url, seen, stage)
    # 4. Watch until all are over; meanwhile the gang comes that needs what the spot job holds.
    _watch(operator, url, seen, stage)
    # 5. Keep what they printed.
    seen.accuracy = operator.quote_accuracy()
    for job in operator.every_job():
        detail = operator.job(job.id)
        seen.jobs[detail.name] = detail
        for attempt in range(1, detail.attempt + 1):
            seen.logs[detail.name, attempt] = read_log(operator, job.id, attempt)
    return seen


def read_log(client: Client, job: str, attempt: int) -> str:
    """All that rank 0 of an attempt has printed."""
    text, offset = "", 0
    while True:
        chunk = client.log(job, attempt=attempt, offset=offset)
        if not chunk.text:
            return text
        text, offset = text + chunk.text, chunk.next_offset


def losses(text: str) -> list[tuple[int, float]]:
    """``(step, loss)`` of every line that tells one."""
    return [(int(step), float(loss)) for step, loss in _LOSS.findall(text)]


def _submit(url: str, seen: Seen, renter: Renter, request: JobRequest) -> Job:
    key = next(item.key for item in seen.renters if item.tenant == renter.tenant)
    with Client(url, key) as client:
        return client.submit(replace(request, project=renter.project))


def _quote_training(url: str, seen: Seen, stage: Stage) -> None:
    """Measure the training for a few steps, quote all of it from that, and submit it under the quote."""
    measured = _submit(url, seen, AURORA, calibration())
    key = next(item.key for item in seen.renters if item.tenant == AURORA.tenant)
    with Client(url, key) as client:
        done = client.wait(measured.id, timeout_s=STORY_LIMIT_S, poll_s=POLL_S)
        stage.say(f"{AURORA.tenant}'s {CALIBRATION} {done.state}")
        seen.quote = client.quote(QuoteRequest(measured=measured.id, amount=QUOTED_STEPS * BATCH))
        line = seen.quote.lines[0]
        stage.say(
            f"{AURORA.tenant} is quoted {span(line.run_ms.expected)} for {QUOTED_STEPS * BATCH:,} samples, and eight "
            f"times of ten {span(line.run_ms.low)} to {span(line.run_ms.high)} ({seen.quote.id})"
        )
        job = _submit(url, seen, AURORA, quoted_training(seen.quote))
        # The others come once it trains, as starting them all at once is no fair race on two cores.
        deadline_s = time.monotonic() + READY_S
        while not losses(read_log(client, job.id, 1)) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)


def _try_too_big(url: str, seen: Seen, stage: Stage) -> None:
    try:
        _submit(url, seen, BOREALIS, too_big())
    except ApiError as error:
        seen.refused = error
        stage.say(f"{BOREALIS.tenant} asks for too-big and is refused ({error.status} {error.slug}): {error}")


def _watch(operator: Client, url: str, seen: Seen, stage: Stage) -> None:
    deadline_s = time.monotonic() + STORY_LIMIT_S
    last_event, gang_came = 0, False
    while True:
        events = operator.events(after=last_event)
        jobs = list(operator.every_job())
        stage.show(jobs, events)
        for job in jobs:
            if job.state == JobState.QUEUED and job.hold is not None and job.id not in seen.waited:
                seen.waited[job.id] = job.hold.text
                stage.say(f"{job.tenant}'s {job.name} waits: {job.hold.text}")
        last_event = events[-1].seq if events else last_event
        if gang_came and all(job.state in FINAL_STATES for job in jobs):
            return
        if time.monotonic() > deadline_s:
            seen.timed_out = True
            return
        if not gang_came and _has_trained(operator, jobs):
            _submit(url, seen, BOREALIS, urgent_gang())
            gang_came = True
        time.sleep(POLL_S)


def _has_trained(operator: Client, jobs: list[Job]) -> bool:
    """Whether the spot job has come far enough that losing its work would hurt."""
    spot = next(job for job in jobs if job.name == SPOT)
    if spot.state in FINAL_STATES:
        return True
    return spot.state == JobState.RUNNING and any(step >= 15 for step, _ in losses(read_log(operator, spot.id, 1)))
