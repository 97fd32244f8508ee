"""Jobs: none lost, every history legal, every stored state the one its history ends in."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import Facts
from petahour.model.events import Event, EventKind
from petahour.model.jobs import TRANSITIONS, JobState

_STATES = {state.value: state for state in JobState}


def job_checks(facts: Facts) -> tuple[Check, ...]:
    """The promises about jobs."""
    return (
        checked("no job is lost", _lost(facts)),
        checked("job histories are legal", _illegal(facts)),
        checked("stored jobs agree with their history", _disagreeing(facts)),
    )


def _lost(facts: Facts) -> Iterator[str]:
    for name in facts.jobs.keys() - facts.histories.keys():
        yield f"job {name} is stored but no event tells of it"
    for name in facts.histories.keys() - facts.jobs.keys():
        yield f"job {name} is in the events but not stored"
    for name, history in facts.histories.items():
        count = sum(1 for event in history if event.kind is EventKind.JOB_SUBMITTED)
        if count != 1:
            yield f"job {name} was submitted {count} times"


def _illegal(facts: Facts) -> Iterator[str]:
    for name, history in facts.histories.items():
        state: JobState | None = None
        for event in history:
            before, after = _state(event, "before"), _state(event, "after")
            if after is None:
                yield f"job {name}: event {event.seq} names no state that there is"
                break
            if event.kind is EventKind.JOB_SUBMITTED:
                if state is not None or before is not None or after is not JobState.QUEUED:
                    yield f"job {name}: event {event.seq} is no beginning"
            elif before is not state:
                yield f"job {name}: event {event.seq} leaves {before} where the job was {state}"
            elif event.kind is EventKind.HOURS_CLOSED and before is after:
                pass  # It runs on.
            elif event.kind is EventKind.JOB_STOPPING and before is after is JobState.STOPPING:
                pass  # A stop under way was given another cause.
            elif before is None or after not in TRANSITIONS[before]:
                yield f"job {name}: event {event.seq} goes from {before} to {after}"
            state = after


def _disagreeing(facts: Facts) -> Iterator[str]:
    for name, history in facts.histories.items():
        job = facts.jobs.get(name)
        if job is None:
            continue
        last = history[-1]
        state = _state(last, "after")
        if job.state is not state:
            yield f"job {name} is stored as {job.state}, its history ends in {state}"
        if job.ended_ms != (last.at_ms if state is not None and state.final else None):
            yield f"job {name} is stored as ended at {job.ended_ms}, its history ends at {last.at_ms} in {state}"
        if any(event.tenant != job.tenant for event in history):
            yield f"job {name} of {job.tenant} has events of another tenant"
        placements = sum(1 for event in history if event.kind is EventKind.JOB_PLACED)
        if job.attempt != placements:
            yield f"job {name} counts {job.attempt} attempts, its history {placements}"


def _state(event: Event, name: str) -> JobState | None:
    return _STATES.get(str(event.data.get(name)))
