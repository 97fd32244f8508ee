"""Histories: numbers that grow, and jobs that go from state to state as jobs do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from petahour.control.audit.stream.picture import FINAL, Fault, Picture
from petahour.model.events import Event, EventKind

_NUMBERED = "events are numbered upwards"
_STATES = "jobs go from state to state as jobs do"
_ONCE = "a job runs once at a time, its attempts numbered one by one"
_ORDER = "an allocation is placed, started and ended in this order"

# By kind: (before, after) of a job.
_STEPS: Mapping[EventKind, frozenset[tuple[str, str]]] = {
    EventKind.JOB_PLACED: frozenset({("queued", "starting")}),
    EventKind.JOB_STARTED: frozenset({("starting", "running")}),
    EventKind.JOB_STOPPING: frozenset({("starting", "stopping"), ("running", "stopping"), ("stopping", "stopping")}),
    EventKind.JOB_ENDED: frozenset(
        {
            *((before, after) for before in ("starting", "running") for after in ("succeeded", "failed", "queued")),
            *(("stopping", after) for after in ("succeeded", "failed", "queued", "preempted", "cancelled")),
        }
    ),
    EventKind.JOB_STATE: frozenset(
        {("preempted", "queued"), ("queued", "cancelled"), ("preempted", "cancelled"), ("queued", "failed")}
    ),
    EventKind.HOURS_CLOSED: frozenset({("running", "running"), ("stopping", "stopping")}),
}


def history_faults(picture: Picture, event: Event) -> Iterator[Fault]:
    if event.seq <= picture.seq:
        yield _NUMBERED, f"event {event.seq} comes after {picture.seq}"
    data: Mapping[str, Any] = event.data
    if event.kind is EventKind.JOB_SUBMITTED:
        if event.job in picture.jobs:
            yield _STATES, f"{event.job} was submitted before"
        if data["after"] != "queued":
            yield _STATES, f"{event.job} begins as {data['after']}"
    elif event.kind in _STEPS:
        yield from _step(picture, event, data)


def _step(picture: Picture, event: Event, data: Mapping[str, Any]) -> Iterator[Fault]:
    job = picture.jobs.get(event.job or "")
    if job is None:
        yield _STATES, f"{event.job} was never submitted"
        return
    step = (data["before"], data["after"])
    if job.state != step[0]:
        yield _STATES, f"{event.job} is {job.state}, the event says {step[0]}"
    if step not in _STEPS[event.kind]:
        yield _STATES, f"{event.job}: no {event.kind} goes from {step[0]} to {step[1]}"
    if event.tenant != job.tenant:
        yield _STATES, f"{event.job} is {job.tenant}'s, the event {event.tenant}'s"
    if event.kind is EventKind.JOB_PLACED:
        if job.run is not None:
            yield _ONCE, f"{event.job} is placed as {event.allocation} while it runs as {job.run}"
        if data["attempt"] != job.attempts + 1:
            yield _ONCE, f"{event.allocation} is attempt {data['attempt']} of {event.job} after {job.attempts}"
    elif event.kind is EventKind.JOB_STATE:
        if job.run is not None and data["after"] in FINAL:
            yield _ONCE, f"{event.job} is over while it runs as {job.run}"
    elif job.run != event.allocation:
        yield _ONCE, f"{event.job} runs as {job.run}, the event is about {event.allocation}"
    else:
        yield from _in_order(picture, event, data)


def _in_order(picture: Picture, event: Event, data: Mapping[str, Any]) -> Iterator[Fault]:
    run = picture.runs[event.allocation or ""]
    if event.kind is EventKind.JOB_STARTED and event.at_ms < run.placed_ms:
        yield _ORDER, f"{event.allocation} started {run.placed_ms - event.at_ms} ms before it was placed"
    if event.kind is EventKind.JOB_ENDED:
        started_ms = data.get("started_ms")
        if event.at_ms < max(run.placed_ms, started_ms or 0):
            yield _ORDER, f"{event.allocation} ended before it was placed or started"
        if run.started_ms is not None and started_ms != run.started_ms:
            yield _ORDER, f"{event.allocation} started at {run.started_ms}, its end says at {started_ms}"
