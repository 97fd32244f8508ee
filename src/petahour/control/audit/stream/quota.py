"""Quotas and who yields: nobody holds more than his share allows, and only work that may be stopped is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from petahour.control.audit.stream.picture import Fault, Ordered, Picture, Run
from petahour.control.audit.stream.promises import on_seats_of
from petahour.model.events import Event, EventKind

_QUOTA = "quotas are kept"
_YIELD = "only spot and borrowed work yields, and not too often"
_HOUR_MS = 3_600_000


def quota_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    data: Mapping[str, Any] = event.data
    job = picture.jobs.get(event.job or "")
    if job is None:
        return
    if event.kind is EventKind.JOB_PLACED:
        yield from _share(picture, event, data, job)
    elif event.kind is EventKind.JOB_STOPPING and data["stop_cause"] == "preempted":
        run = picture.runs.get(event.allocation or "")
        if run is not None:
            yield from _yields(picture, event, job, run)


def _share(picture: Picture, event: Event, data: Mapping[str, Any], job: Ordered) -> Iterator[Fault]:
    if data.get("reservation"):
        return  # It lies on seats of its tenant's, which are no part of a quota.
    share = (job.tenant, data["type"])
    asked = sum(len(slot["indexes"]) for slot in data["slots"])
    total = picture.used[share] + asked
    # Without a quota the share is nothing, and borrowing has no bound.
    nominal, limit = picture.quotas.get(share, (0, None))
    held = f"{job.tenant} holds {total} {data['type']} with {event.allocation}"
    if limit is not None and total > nominal + limit:
        yield _QUOTA, f"{held}, its quota is {nominal} and {limit} to borrow"
    if total > nominal and not data["borrowed"]:
        yield _QUOTA, f"{held}, its quota is {nominal}, and it is not said to be borrowed"
    if total > nominal and job.terms["tier"] == "reserved":
        yield _QUOTA, f"{held}: reserved work beyond the quota of {nominal}"


def _yields(picture: Picture, event: Event, job: Ordered, run: Run) -> Iterator[Fault]:
    for_job = event.data.get("stop_for", "")
    other = picture.jobs.get(str(for_job))
    spot = job.terms["tier"] == "spot"
    seated = other is not None and other.terms["tier"] == "reserved"
    if other is not None and seated and on_seats_of(picture, other.tenant, run, event.at_ms):
        if not spot and not run.borrowed and not run.reservation:
            yield _YIELD, f"{event.allocation} is {job.terms['tier']} within its quota and yields to {for_job}"
        return  # The seats are promised, however often this one yielded.
    if not spot and not run.borrowed and not run.reservation:
        yield _YIELD, f"{event.allocation} is {job.terms['tier']} within its quota and yields to {for_job}"
    if other is None or other.state != "queued":
        yield _YIELD, f"{event.allocation} yields to {for_job}, which is not queued"
    elif other.terms["tier"] == "spot" and not (spot and job.terms["checkpoint_dir"] is not None):
        yield _YIELD, f"{event.allocation} keeps no checkpoints and yields to {for_job}, which is spot too"
    bounds = picture.bounds
    if not bounds:
        return
    hours = (event.at_ms - job.submitted_ms) / _HOUR_MS
    allowed = bounds["max_preemptions"] + bounds["preemptions_per_hour"] * hours
    if job.preemptions >= allowed:
        yield _YIELD, f"{event.job} is stopped after {job.preemptions} preemptions, {allowed:.1f} are allowed by now"
    if event.at_ms - run.placed_ms < bounds["min_run_ms"]:
        yield _YIELD, f"{event.allocation} is stopped after {event.at_ms - run.placed_ms} ms"
