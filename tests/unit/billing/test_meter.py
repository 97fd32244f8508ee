"""Metering: cut at hours and at the start, nothing empty, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from petahour.billing.meter import meter
from petahour.model.allocations import Allocation, AllocationState, EndKind, StopCause
from petahour.model.errors import InvariantError
from petahour.model.jobs import Tier
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS, MINUTE_MS
from petahour.model.time import to_ms as to_ms_of
from petahour.model.usage import WaiveReason

NOON = 482_000 * HOUR_MS


def allocation() -> Allocation:
    """Three accelerators on two nodes, placed at 12:50."""
    return Allocation(
        id="alc-1",
        job="job-1",
        tenant="acme",
        project="llm",
        attempt=1,
        type="a100-80g-sxm",
        tier=Tier.ON_DEMAND,
        engine="local",
        slots=(Slot(node="n1", indexes=(0, 1)), Slot(node="n2", indexes=(4,))),
        rehearsal=False,
        borrowed=False,
        price_book="book-1",
        price_micros=12_000_000,
        currency="CNY",
        state=AllocationState.STARTING,
        placed_ms=NOON + 50 * MINUTE_MS,
    )


def running(started_min: int = 52) -> Allocation:
    return replace(allocation(), state=AllocationState.RUNNING, started_ms=NOON + started_min * MINUTE_MS)


def ended(one: Allocation, end_min: int, kind: EndKind = EndKind.SUCCEEDED) -> Allocation:
    return replace(one, state=AllocationState.ENDED, ended_ms=NOON + end_min * MINUTE_MS, end_kind=kind)


def pieces(one: Allocation, until_min: int) -> list[tuple[int, int, int, int, WaiveReason | None]]:
    """Start and end in minutes after noon, billed and waived in accelerator-minutes."""
    return [
        (
            (record.start_ms - NOON) // MINUTE_MS,
            (record.end_ms - NOON) // MINUTE_MS,
            record.billed_ams // MINUTE_MS,
            record.waived_ams // MINUTE_MS,
            record.waive_reason,
        )
        for record in meter(one, until_ms=NOON + until_min * MINUTE_MS)
    ]


def test_provisioning_is_waived_and_hours_are_cut() -> None:
    assert pieces(ended(running(), 130), 999) == [
        (50, 52, 0, 6, WaiveReason.PROVISIONING),
        (52, 60, 24, 0, None),
        (60, 120, 180, 0, None),
        (120, 130, 30, 0, None),
    ]


def test_provisioning_over_an_hour_is_cut_too() -> None:
    assert pieces(ended(running(started_min=61), 62), 999) == [
        (50, 60, 0, 30, WaiveReason.PROVISIONING),
        (60, 61, 0, 3, WaiveReason.PROVISIONING),
        (61, 62, 3, 0, None),
    ]


def test_a_running_allocation_gives_the_part_up_to_then() -> None:
    assert pieces(running(), 60) == [(50, 52, 0, 6, WaiveReason.PROVISIONING), (52, 60, 24, 0, None)]
    assert pieces(running(), 51) == [(50, 51, 0, 3, WaiveReason.PROVISIONING)]
    assert pieces(running(), 50) == []
    assert pieces(running(), 10) == []


def test_metering_goes_on_where_it_stopped() -> None:
    later = replace(running(), metered_ms=NOON + 60 * MINUTE_MS)
    assert pieces(later, 60) == []
    assert pieces(later, 120) == [(60, 120, 180, 0, None)]
    assert pieces(replace(ended(later, 60), metered_ms=NOON + 60 * MINUTE_MS), 999) == []


def test_what_has_neither_started_nor_ended_is_not_metered() -> None:
    assert pieces(allocation(), 999) == []
    assert pieces(replace(allocation(), state=AllocationState.STOPPING), 999) == []


def test_what_never_started_is_all_provisioning() -> None:
    for kind in (EndKind.STOPPED, EndKind.FAILED, EndKind.LOST):
        assert pieces(ended(allocation(), 61, kind), 999) == [
            (50, 60, 0, 30, WaiveReason.PROVISIONING),
            (60, 61, 0, 3, WaiveReason.PROVISIONING),
        ]


def test_a_loss_waives_what_is_not_metered_yet() -> None:
    lost = ended(running(), 61, EndKind.LOST)
    assert pieces(lost, 999) == [
        (50, 52, 0, 6, WaiveReason.PROVISIONING),
        (52, 60, 0, 24, WaiveReason.LOST),
        (60, 61, 0, 3, WaiveReason.LOST),
    ]
    assert pieces(replace(lost, metered_ms=NOON + 60 * MINUTE_MS), 999) == [(60, 61, 0, 3, WaiveReason.LOST)]


def test_an_end_in_its_first_instant_gives_nothing() -> None:
    assert pieces(ended(running(started_min=50), 50), 999) == []


def test_the_record_carries_who_and_what() -> None:
    record = meter(ended(running(), 60), until_ms=NOON * 2)[1]
    start_ms = NOON + 52 * MINUTE_MS
    assert (record.id, record.start_ms, record.hour_ms) == (f"use-alc-1-{start_ms}", start_ms, NOON)
    assert (record.allocation, record.job, record.tenant, record.project) == ("alc-1", "job-1", "acme", "llm")
    assert (record.type, record.tier, record.rehearsal, record.accelerators) == (
        "a100-80g-sxm",
        Tier.ON_DEMAND,
        False,
        3,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        replace(allocation(), started_ms=NOON),
        replace(allocation(), ended_ms=NOON),
        replace(running(), ended_ms=NOON + 51 * MINUTE_MS),
        replace(running(), metered_ms=NOON),
    ],
)
def test_impossible_times_are_refused(wrong: Allocation) -> None:
    with pytest.raises(InvariantError):
        meter(wrong, until_ms=NOON + HOUR_MS)


def test_the_time_from_a_request_to_yield_is_waived() -> None:
    started = NOON + 51 * MINUTE_MS
    yielding = replace(
        allocation(),
        started_ms=started,
        ended_ms=NOON + HOUR_MS + 2 * MINUTE_MS,
        stop_cause=StopCause.CANCELLED,
        stop_ms=NOON + 55 * MINUTE_MS,
        preempted_ms=NOON + 55 * MINUTE_MS,
    )
    records = meter(yielding, until_ms=NOON + 9 * HOUR_MS)
    assert [(one.end_ms - one.start_ms, one.waive_reason) for one in records] == [
        (MINUTE_MS, WaiveReason.PROVISIONING),
        (4 * MINUTE_MS, None),
        (5 * MINUTE_MS, WaiveReason.PREEMPTION),
        (2 * MINUTE_MS, WaiveReason.PREEMPTION),
    ]
    billed = meter(replace(yielding, preempted_ms=None), until_ms=NOON + 9 * HOUR_MS)
    assert {one.waive_reason for one in billed[1:]} == {None}


def test_a_leap_day_has_twenty_four_hours_and_no_day_another_count() -> None:
    """In UTC; the days on which Europe's clocks change are days like any other."""
    for day, following in (("2028-02-29", "2028-03-01"), ("2028-03-26", "2028-03-27"), ("2028-10-29", "2028-10-30")):
        from_ms, to_ms = (to_ms_of(datetime.fromisoformat(f"{at}T00:00:00Z")) for at in (day, following))
        held = replace(allocation(), placed_ms=from_ms, started_ms=from_ms, ended_ms=to_ms)
        records = meter(held, until_ms=to_ms)
        assert [one.end_ms - one.start_ms for one in records] == [HOUR_MS] * 24
