"""The stream auditor: a clean log has no finding, and every rule that is broken is seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.property.control.floor import A100, OPERATOR, HandPlane

from petahour.control.audit.stream import RULES, audit_log
from petahour.control.reservations import Wish, reserve
from petahour.model.events import Event, EventKind
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS

Log = list[Event]
Tamper = Callable[[Log], Event | None]


def full_log(home: Path) -> Log:
    """All that the rules speak of: a preemption, quotas, hours closed, a loss, a failure, a drain, a cancel, a
    maintenance window.
    """
    plane = HandPlane(home)
    plane.quota("acme", "cpu", 2, 4)
    plane.quota("beta", "cpu", 8, 0)
    plane.submit("acme", tier="spot", types=(A100,), nodes=2, accelerators_per_node=4, run_ms=HOUR_MS)
    plane.submit("acme", accelerators_per_node=4, run_ms=3 * HOUR_MS)
    plane.submit("beta", accelerators_per_node=2, run_ms=20_000, kind="lost", name="lost")
    plane.step(SECOND_MS)
    plane.submit("beta", types=(A100,), accelerators_per_node=4, run_ms=MINUTE_MS)
    for _ in range(4):
        plane.step(SECOND_MS)
    plane.drain("show-1")
    waiting = plane.submit("coop", accelerators_per_node=4, nodes=2)
    plane.submit("coop", run_ms=5_000, kind="failed", retries=1)
    plane.step(30 * SECOND_MS)
    plane.cancel(waiting.id)
    for _ in range(4):
        plane.step(HOUR_MS)
    plane.resume("show-1")
    plane.submit("beta", nodes=2, accelerators_per_node=2, switch="preferred", run_ms=MINUTE_MS)
    plane.step(SECOND_MS)
    plane.step(2 * MINUTE_MS)
    plane.maintain("cpu-*", 10 * MINUTE_MS, HOUR_MS)
    plane.submit("coop", tier="spot", run_ms=HOUR_MS)
    plane.submit("coop", walltime="5m", run_ms=MINUTE_MS)
    plane.step(SECOND_MS)
    for _ in range(4):
        plane.step(5 * MINUTE_MS)
    log = plane.log()
    plane.close()
    return log


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return full_log(tmp_path_factory.mktemp("floor"))


def test_a_clean_log_has_no_finding(clean: Log) -> None:
    assert list(audit_log(clean)) == []
    kinds = {event.kind for event in clean}
    assert {EventKind.HOURS_CLOSED, EventKind.JOB_STOPPING, EventKind.PASS_MADE, EventKind.NODE_STATE} <= kinds


def nth(log: Log, kind: EventKind, number: int = 0, **data: object) -> int:
    """Where the event of the kind is whose data has these."""
    found = [
        place
        for place, event in enumerate(log)
        if event.kind is kind and all(event.data.get(name) == value for name, value in data.items())
    ]
    return found[number]


def change(kind: EventKind, number: int = 0, *, where: dict[str, object] | None = None, **changes: object) -> Tamper:
    """The event with other data, or another instant."""

    def tamper(log: Log) -> Event:
        place = nth(log, kind, number, **(where or {}))
        event = log[place]
        fields = {name: value for name, value in changes.items() if name in ("at_ms", "tenant", "node", "allocation")}
        data = {**event.data, **{name: value for name, value in changes.items() if name not in fields}}
        log[place] = replace(event, data=data, **fields)  # type: ignore[arg-type]
        return log[place]

    return tamper


def slots(kind_of: str, make: Callable[[list[Any]], list[Any]]) -> Tamper:
    """A placement on this type with other slots, as the pass is said to have decided too."""

    def tamper(log: Log) -> Event:
        place = nth(log, EventKind.JOB_PLACED, type=kind_of)
        event = log[place]
        told: list[Any] = copy.deepcopy(event.data["slots"])  # type: ignore[arg-type]
        log[place] = replace(event, data={**event.data, "slots": make(told)})
        return log[place]

    return tamper


def terms(job_of: EventKind, number: int, rule: str, **changes: object) -> Tamper:
    """The job of this event was submitted on other terms."""

    def tamper(log: Log) -> Event:
        later = log[nth(log, job_of, number)]
        place = next(at for at, one in enumerate(log) if one.kind is EventKind.JOB_SUBMITTED and one.job == later.job)
        event = log[place]
        known: dict[str, Any] = event.data["terms"]  # type: ignore[assignment]
        gang = {**known["gang"], **{name: value for name, value in changes.items() if name in known["gang"]}}
        rest = {name: value for name, value in changes.items() if name not in gang}
        log[place] = replace(event, data={**event.data, "terms": {**known, "gang": gang, **rest}})
        return later

    return tamper


def drop(kind: EventKind, number: int = 0, *, next_of: EventKind | None = None) -> Tamper:
    """The event is not there; the next of ``next_of`` shows it."""

    def tamper(log: Log) -> Event:
        place = nth(log, kind, number)
        del log[place]
        return next(event for event in log[place:] if next_of is None or event.kind is next_of)

    return tamper


def again(kind: EventKind, number: int = 0) -> Tamper:
    """The event comes twice."""

    def tamper(log: Log) -> Event | None:
        place = nth(log, kind, number)
        log[place + 1 :] = [replace(event, seq=event.seq + 1) for event in log[place:]]
        return log[place + 1]

    return tamper


def both(one: Tamper, other: Tamper) -> Tamper:
    """Two faults that show together."""

    def tamper(log: Log) -> Event | None:
        one(log)
        return other(log)

    return tamper


def swap_numbers(log: Log) -> Event:
    log[5], log[6] = replace(log[5], seq=log[6].seq), replace(log[6], seq=log[5].seq)
    return log[6]


PLACED, ENDED, STOPPING = EventKind.JOB_PLACED, EventKind.JOB_ENDED, EventKind.JOB_STOPPING
READ, NUMBERED, STATES, ONCE, ORDER, TWICE, NODES, GANG, QUOTA, WINDOWS, SEATS = RULES[:11]
YIELD, DECIDED, PROMISED, CREDIT, CHARGE, HELD = RULES[11:]
PREEMPTED = {"stop_cause": "preempted"}
OTHERWISE = {"quote": "quote-1", "price_book": "another", "for_ms": HOUR_MS}


@pytest.mark.parametrize(
    ("rule", "tamper"),
    [
        (READ, change(PLACED, slots=7)),
        (READ, change(EventKind.JOB_SUBMITTED, terms=None)),
        (NUMBERED, swap_numbers),
        (STATES, change(EventKind.JOB_STARTED, after="succeeded")),
        (STATES, change(ENDED, before="queued")),
        (STATES, change(EventKind.JOB_STARTED, tenant="coop")),
        (STATES, again(EventKind.JOB_SUBMITTED)),
        (STATES, drop(EventKind.JOB_SUBMITTED, next_of=PLACED)),
        (ONCE, change(PLACED, 1, attempt=2)),
        (ONCE, change(EventKind.JOB_STARTED, allocation="alloc-other")),
        (ORDER, change(EventKind.JOB_STARTED, at_ms=1)),
        (ORDER, change(ENDED, started_ms=7)),
        (ORDER, change(ENDED, at_ms=1)),
        (TWICE, again(PLACED)),
        (TWICE, drop(ENDED, 0, next_of=PLACED)),
        (NODES, slots("cpu", lambda told: [{**told[0], "node": "nowhere"}])),
        (NODES, slots("cpu", lambda told: [{**told[0], "indexes": [0, 1, 2, 9]}])),
        (NODES, slots(A100, lambda told: [{**told[0], "node": "cpu-2"}, told[1]])),
        (NODES, change(PLACED, rehearsal=False, where={"rehearsal": True})),
        (GANG, slots("cpu", lambda told: [{**told[0], "indexes": told[0]["indexes"][:-1]}])),
        (GANG, slots(A100, lambda told: told[:1])),
        (GANG, terms(PLACED, 0, GANG, types=["a10"])),
        (GANG, terms(PLACED, 0, GANG, nodes=3)),
        (QUOTA, change(EventKind.QUOTA_SET, nominal=1, borrowing_limit=1)),
        (QUOTA, change(PLACED, borrowed=False, where={"borrowed": True, "type": "cpu"})),
        (QUOTA, terms(PLACED, 1, QUOTA, tier="reserved")),
        (WINDOWS, terms(PLACED, -2, WINDOWS, walltime_ms=HOUR_MS)),
        (WINDOWS, terms(PLACED, -2, WINDOWS, walltime_ms=None)),
        (WINDOWS, terms(PLACED, -1, WINDOWS, tier="on-demand")),
        (WINDOWS, terms(STOPPING, -1, WINDOWS, tier="on-demand")),
        (
            YIELD,
            both(terms(STOPPING, 0, YIELD, tier="on-demand"), change(PLACED, borrowed=False, where={"type": A100})),
        ),
        (YIELD, change(STOPPING, stop_for="job-nobody", where=PREEMPTED)),
        (DECIDED, change(EventKind.PASS_MADE, places=[])),
        (DECIDED, slots("cpu", lambda told: [{**told[0], "indexes": told[0]["indexes"][::-1]}])),
        (DECIDED, change(STOPPING, stop_for="job-1", where=PREEMPTED)),
        (PROMISED, terms(PLACED, 1, PROMISED, promise=OTHERWISE)),
        (CREDIT, change(EventKind.CREDIT_ADDED, amount_micros=1)),
        (CREDIT, change(PLACED, available_micros=5, where={"rehearsal": False})),
        (CREDIT, change(PLACED, available_micros=5, where={"rehearsal": True})),
        (CREDIT, drop(EventKind.HOURS_CLOSED)),
        (CHARGE, change(PLACED, price_micros=1, where={"borrowed": True, "type": "cpu"})),
        (CHARGE, change(EventKind.HOURS_CLOSED, charged_micros=1)),
        (CHARGE, change(ENDED, end_kind="lost", where={"end_kind": "failed"})),
        (HELD, change(PLACED, held_micros=1, where={"rehearsal": False})),
        (HELD, change(PLACED, available_micros=-1, where={"rehearsal": False})),
    ],
)
def test_a_rule_that_is_broken_is_seen(clean: Log, rule: str, tamper: Tamper) -> None:
    log = list(clean)
    tamper(log)
    found = {finding.rule for finding in audit_log(log)}
    assert rule in found


def test_the_finding_is_at_the_event_that_breaks_the_rule(clean: Log) -> None:
    log = list(clean)
    event = change(EventKind.HOURS_CLOSED, charged_micros=1)(log)
    assert event is not None
    first = next(audit_log(log))
    assert (first.seq, first.rule) == (event.seq, CREDIT)


def test_too_many_preemptions_are_seen(clean: Log) -> None:
    log = list(clean)
    place = nth(log, EventKind.PASS_MADE)
    loaded: dict[str, Any] = log[place].data["loaded"]  # type: ignore[assignment]
    strict = {**loaded, "max_preemptions": 0, "preemptions_per_hour": 0.0, "min_run_ms": HOUR_MS}
    log[place] = replace(log[place], data={**log[place].data, "loaded": strict})
    assert [finding.rule for finding in audit_log(log)] == [YIELD, YIELD]


@pytest.fixture(scope="module")
def promised(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Two reservations beside each other: spot on lent seats yields to the owner, and a short job ends before."""
    plane = HandPlane(tmp_path_factory.mktemp("promised"))
    for tenant in ("acme", "beta"):
        wish = Wish(tenant=tenant, type="cpu", count=4, months=1, price="0.01", lends=tenant == "acme")
        reserve(plane.context, OPERATOR, wish)
    hour_ms = plane.clock.at_ms - plane.clock.at_ms % HOUR_MS + 5 * HOUR_MS
    later = Wish(tenant="coop", type=A100, nodes=2, per_node=4, months=1, price="1", from_ms=hour_ms)
    reserve(plane.context, OPERATOR, later)
    plane.submit("coop", tier="spot", accelerators_per_node=4, run_ms=HOUR_MS)
    plane.submit("coop", types=(A100,), accelerators_per_node=4, run_ms=MINUTE_MS, walltime="1h")
    plane.step(SECOND_MS)
    plane.step(SECOND_MS)
    plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=HOUR_MS)
    for _ in range(4):
        plane.step(SECOND_MS)
    log = plane.log()
    plane.close()
    return log


def moved_seats(number: int, **changes: object) -> Tamper:
    """The reservation was set on other terms."""

    def tamper(log: Log) -> Event:
        place = nth(log, EventKind.RESERVATION_SET, number)
        told: dict[str, Any] = log[place].data["reservation"]  # type: ignore[assignment]
        log[place] = replace(log[place], data={**log[place].data, "reservation": {**told, **changes}})
        return log[place]

    return tamper


@pytest.mark.parametrize(
    "tamper",
    [
        moved_seats(0, per_node=3),
        moved_seats(0, tenant="coop"),
        moved_seats(0, lends=False),
        moved_seats(0, to_ms=1),
        moved_seats(1, seats=[{"node": "cpu-2", "indexes": [0, 1, 2, 3]}]),
        moved_seats(1, seats=[{"node": "show-1", "indexes": [0, 1, 2, 3]}]),
        moved_seats(1, seats=[{"node": "cpu-1", "indexes": [1, 2, 3, 4]}]),
        moved_seats(2, from_ms=1),
        terms(PLACED, -1, SEATS, tier="on-demand"),
        terms(PLACED, 0, SEATS, walltime_ms=None),
        change(PLACED, -1, reservation=""),
        change(PLACED, -1, reservation="res-none"),
    ],
)
def test_a_reservation_that_is_not_kept_is_seen(promised: Log, tamper: Tamper) -> None:
    assert list(audit_log(promised)) == []
    log = list(promised)
    tamper(log)
    assert SEATS in {finding.rule for finding in audit_log(log)}


def test_a_log_of_an_older_petahour_is_judged_by_what_it_tells(clean: Log) -> None:
    """It says nothing of credit and of passes."""
    silent = [
        replace(
            event,
            data={
                name: value
                for name, value in event.data.items()
                if name not in ("available_micros", "held_micros", "charged_micros")
            },
        )
        for event in clean
        if event.kind not in (EventKind.PASS_MADE, EventKind.HOURS_CLOSED)
    ]
    assert list(audit_log(silent)) == []
