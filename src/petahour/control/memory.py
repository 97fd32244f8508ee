"""Memory: the part of the event log from which the scheduler's state is built when a control plane starts.

It is the log as if the jobs that were over before the last so many events had never been: all of those that wait or
run, and of the others what is recent enough to learn from. Hence a start takes a bounded time, however long the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from petahour.model.events import Event, EventKind
from petahour.model.jobs import FINAL_STATES
from petahour.store.protocol import Transaction

# Of the events that are about no job, those that hold until they are replaced.
LASTING = frozenset(
    {
        EventKind.NODE_REGISTERED,
        EventKind.NODE_STATE,
        EventKind.TENANT_CREATED,
        EventKind.QUOTA_SET,
        EventKind.PRICES_PUBLISHED,
        EventKind.SPOT_POSTED,
        EventKind.BARRED,
        EventKind.MAINTENANCE_SET,
        EventKind.RESERVATION_SET,
    }
)
_FINAL = frozenset(state.value for state in FINAL_STATES)


def remembered(tx: Transaction, until_seq: int, events: int, *, page: int) -> Iterator[Event]:
    """Of a stored log up to and with ``until_seq``."""
    seq = max(0, until_seq - events)
    if seq:
        jobs = {*tx.events.jobs_after(seq), *(job.id for job in tx.jobs.unfinished())}
        found = tx.events.earlier(seq, jobs=jobs, kinds=LASTING)
        yield from sorted([*found, *_of_awaited(tx, seq, found, jobs)], key=lambda event: event.seq)
    while found := tx.events.after(seq, limit=page):
        for event in found:
            if event.seq > until_seq:
                return
            yield event
        seq = found[-1].seq


def remembered_of(log: Sequence[Event], until_seq: int, events: int) -> Iterator[Event]:
    """The same of a log at hand."""
    first = max(0, until_seq - events)
    known = [event for event in log if event.seq <= until_seq]
    ended = {event.job for event in known if event.data.get("after") in _FINAL}
    jobs = {event.job for event in known if event.job and (event.seq > first or event.job not in ended)}
    earlier = [event for event in known if event.seq <= first]
    more = set(jobs)
    while more:
        more = awaited([event for event in earlier if event.job in more]) - jobs
        jobs |= more
    for event in known:
        if event.seq > first or event.job in jobs or (event.job is None and event.kind in LASTING):
            yield event


def awaited(log: Iterable[Event]) -> set[str]:
    """Jobs that others wait for, or waited."""
    found: set[str] = set()
    for event in log:
        if event.kind is EventKind.JOB_SUBMITTED:
            terms: Mapping[str, Any] = event.data
            found |= {after["job"] for after in terms["terms"].get("after", ())}
    return found


def _of_awaited(tx: Transaction, seq: int, found: Iterable[Event], jobs: set[str]) -> list[Event]:
    """What became of the jobs that these waited for, and of those that they waited for in turn."""
    known, more, events = set(jobs), awaited(found) - jobs, list[Event]()
    while more:
        known |= more
        fresh = tx.events.earlier(seq, jobs=more, kinds=())
        events += fresh
        more = awaited(fresh) - known
    return events
