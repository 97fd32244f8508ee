"""Capacity: gangs whole, nothing given twice, and what is held is what runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from petahour.control.audit.check import Check, checked
from petahour.control.audit.facts import EVER_MS, Facts, Life
from petahour.model.allocations import Allocation, AllocationState

Interval = tuple[int, int, str]


def capacity_checks(facts: Facts) -> tuple[Check, ...]:
    """The promises about allocations and accelerators."""
    return (
        *life_checks(facts),
        checked("attempts are numbered one by one", _attempts(facts)),
        checked("no job runs twice at once", _jobs_twice(facts)),
        checked("no accelerator is given twice", _accelerators_twice(facts)),
        checked("gangs are whole", _gangs(facts)),
        checked("held accelerators are those of live allocations", _held(facts)),
    )


def life_checks(facts: Facts) -> tuple[Check, ...]:
    """The promises about the life of each allocation, from which its usage follows."""
    return (
        checked("allocations begin once and end at most once", _lives(facts)),
        checked("stored allocations agree with the events", _stored(facts)),
    )


def _lives(facts: Facts) -> Iterator[str]:
    for name, life in facts.lives.items():
        if len(life.placed) != 1 or len(life.ended) > 1 or len(life.started) > 1:
            counts = f"{len(life.placed)}, {len(life.started)} and {len(life.ended)}"
            yield f"allocation {name} was placed, started and ended {counts} times"
            continue
        in_order = [event.seq for event in (*life.placed, *life.started, *life.ended)]
        times = [life.placed_ms, *(event.at_ms for event in (*life.started, *life.ended))]
        if in_order != sorted(in_order) or times != sorted(times):
            yield f"allocation {name} was not placed, started and ended in this order"
        if len({event.job for event in (*life.placed, *life.started, *life.ended)}) != 1:
            yield f"allocation {name} has events of several jobs"


def _stored(facts: Facts) -> Iterator[str]:
    for name in facts.allocations.keys() - facts.lives.keys():
        yield f"allocation {name} is stored but was never placed"
    for name, life in facts.lives.items():
        allocation = facts.allocations.get(name)
        if allocation is None:
            yield f"allocation {name} is in the events but not stored"
        elif life.placed:
            yield from _differences(allocation, life)


def _differences(allocation: Allocation, life: Life) -> Iterator[str]:
    placed = life.placed[0]
    if (allocation.state is AllocationState.ENDED) is not bool(life.ended):
        yield f"allocation {allocation.id} is stored as {allocation.state}, the events know {len(life.ended)} ends"
    if (allocation.state is AllocationState.RUNNING) and not life.started:
        yield f"allocation {allocation.id} is stored as running, no event tells of its start"
    pairs = {
        "job": (allocation.job, placed.job),
        "tenant": (allocation.tenant, placed.tenant),
        "attempt": (allocation.attempt, placed.data.get("attempt")),
        "type": (allocation.type, placed.data.get("type")),
        "rehearsal": (allocation.rehearsal, placed.data.get("rehearsal")),
        "slots": (allocation.slots, life.slots),
        "placed_ms": (allocation.placed_ms, life.placed_ms),
        "ended_ms": (allocation.ended_ms, life.ended_ms),
        "end_kind": (allocation.end_kind, life.end_kind),
    }
    # A start that was heard after the request to stop has no event until the end tells of it.
    if allocation.state is not AllocationState.STOPPING or life.started:
        pairs["started_ms"] = (allocation.started_ms, life.started_ms)
    for field, (stored, told) in pairs.items():
        if stored != told:
            yield f"allocation {allocation.id}: {field} is stored as {stored}, the events say {told}"


def _attempts(facts: Facts) -> Iterator[str]:
    attempts: dict[str, list[int]] = defaultdict(list)
    for allocation in facts.allocations.values():
        attempts[allocation.job].append(allocation.attempt)
    for job, numbers in attempts.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield f"job {job} has the attempts {sorted(numbers)}"


def _jobs_twice(facts: Facts) -> Iterator[str]:
    of_job: dict[str, list[Interval]] = defaultdict(list)
    live: dict[str, list[str]] = defaultdict(list)
    for name, life in facts.lives.items():
        if life.placed:
            job = life.placed[0].job or "?"
            of_job[job].append(_interval(name, life))
            if not life.ended:
                live[job].append(name)
    for job, intervals in of_job.items():
        for first, second in overlaps(intervals):
            yield f"job {job} ran twice at once as {first} and {second}"
        if len(live[job]) > 1:
            yield f"job {job} has the live allocations {', '.join(sorted(live[job]))}"


def _accelerators_twice(facts: Facts) -> Iterator[str]:
    of_accelerator: dict[tuple[str, int], list[Interval]] = defaultdict(list)
    for name, life in facts.lives.items():
        for slot in life.slots if life.placed else ():
            for index in slot.indexes:
                of_accelerator[slot.node, index].append(_interval(name, life))
    for (node, index), intervals in sorted(of_accelerator.items()):
        for first, second in overlaps(intervals):
            yield f"accelerator {index} of {node} was given to {first} and {second}"


def _gangs(facts: Facts) -> Iterator[str]:
    for allocation in facts.allocations.values():
        job = facts.jobs.get(allocation.job)
        if job is None:
            yield f"allocation {allocation.id} is of a job that is not stored"
            continue
        gang = job.spec.gang
        sizes = [len(slot.indexes) for slot in allocation.slots]
        distinct = len({slot.node for slot in allocation.slots})
        enough = all(
            size >= gang.accelerators_per_node if gang.exclusive else size == gang.accelerators_per_node
            for size in sizes
        )
        if not enough or len(sizes) != gang.nodes or distinct != gang.nodes:
            shown = ", ".join(f"{slot.node}{list(slot.indexes)}" for slot in allocation.slots)
            yield f"allocation {allocation.id} of a gang {gang} holds {shown}"
        if allocation.type not in job.spec.types:
            yield f"allocation {allocation.id} is on {allocation.type}, which job {job.id} does not accept"


def _held(facts: Facts) -> Iterator[str]:
    due = {
        (slot.node, index): name
        for name, life in facts.lives.items()
        if life.placed and not life.ended
        for slot in life.slots
        for index in slot.indexes
    }
    for place in sorted(due.keys() | facts.held.keys()):
        if due.get(place) != facts.held.get(place):
            node, index = place
            yield f"accelerator {index} of {node} is held by {facts.held.get(place)}, should be by {due.get(place)}"


def overlaps(intervals: Iterable[Interval]) -> Iterator[tuple[str, str]]:
    """Pairs of names whose half-open intervals share an instant; an empty interval shares none."""
    last_end, last = -1, ""
    for start_ms, end_ms, name in sorted(intervals):
        if start_ms == end_ms:
            continue
        if start_ms < last_end:
            yield last, name
        if end_ms > last_end:
            last_end, last = end_ms, name


def _interval(name: str, life: Life) -> Interval:
    return life.placed_ms, EVER_MS if life.ended_ms is None else life.ended_ms, name
