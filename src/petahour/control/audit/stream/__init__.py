"""The stream auditor: reads an event log alone, from its first event on, and judges every event as it comes.

It keeps a picture of its own and shares no code with the use cases, the scheduler or the ledger, so that a fault in
them shows here, at the event that brought it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from petahour.control.audit.stream.credit import credit_faults
from petahour.control.audit.stream.decisions import decision_faults
from petahour.control.audit.stream.history import history_faults
from petahour.control.audit.stream.picture import Fault, Picture
from petahour.control.audit.stream.placement import placement_faults
from petahour.control.audit.stream.promises import promise_faults
from petahour.control.audit.stream.quota import quota_faults
from petahour.control.audit.stream.quoted import quoted_faults
from petahour.model.events import Event

__all__ = ["RULES", "Finding", "audit_log"]

# What is promised after every event; the words are what a finding begins with.
RULES = (
    "every event can be read",
    "events are numbered upwards",
    "jobs go from state to state as jobs do",
    "a job runs once at a time, its attempts numbered one by one",
    "an allocation is placed, started and ended in this order",
    "no accelerator is given twice",
    "work is placed on nodes that are there and up",
    "gangs are whole and where they may be",
    "quotas are kept",
    "maintenance windows are kept free",
    "reservations are kept",
    "only spot and borrowed work yields, and not too often",
    "only what a pass decided is placed or stopped",
    "a job is placed under the price book that its quote promised",
    "credit is what the events make of it",
    "time is charged at the price it was placed under",
    "credit is held for what runs alone",
)
_JUDGES = (
    history_faults,
    placement_faults,
    quota_faults,
    promise_faults,
    decision_faults,
    quoted_faults,
    credit_faults,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A promise that an event breaks."""

    seq: int
    rule: str
    detail: str


def audit_log(events: Iterable[Event]) -> Iterator[Finding]:
    """Everything that is wrong with a log, in its order. Memory grows with jobs, not with events."""
    picture = Picture()
    for event in events:
        for rule, detail in _judged(picture, event):
            yield Finding(seq=event.seq, rule=rule, detail=detail)


def _judged(picture: Picture, event: Event) -> list[Fault]:
    faults: list[Fault] = []
    try:
        for judge in _JUDGES:
            faults += judge(picture, event)
        picture.take(event)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        faults.append(("every event can be read", f"{event.kind}: {type(error).__name__}: {error}"))
    return faults
