"""Conservation: every accelerator-millisecond is somewhere once, and what is wrong is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from petahour.billing.conservation import MAX_FAULTS, Conservation, conservation_json, conserve
from petahour.billing.meter import meter
from petahour.billing.tally import Sums
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.errors import InvariantError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS, MINUTE_MS
from petahour.model.usage import UsageRecord

NOON = 482_000 * HOUR_MS


def at(minute: int) -> int:
    return NOON + minute * MINUTE_MS


def registered(minute: int, *, node: str = "n1", accelerators: int = 2, **data: object) -> Event:
    shape = {"type": "cpu", "accelerators": accelerators, "rehearsal": False, "pool": "p", **data}
    return Event(kind=EventKind.NODE_REGISTERED, at_ms=at(minute), node=node, data=shape)


def turned(minute: int, after: str, *, node: str = "n1") -> Event:
    data = {"before": "up", "after": after, "cause": "test"}
    return Event(kind=EventKind.NODE_STATE, at_ms=at(minute), node=node, data=data)


def allocation(
    name: str, placed: int, ended: int | None, *, indexes: tuple[int, ...] = (0,), metered: int | None = None
) -> Allocation:
    """One that starts a minute after its placement."""
    return Allocation(
        id=name,
        job=f"job-{name}",
        tenant="acme",
        project="llm",
        attempt=1,
        type="cpu",
        tier=Tier.SPOT,
        engine="local",
        slots=(Slot(node="n1", indexes=indexes),),
        rehearsal=False,
        borrowed=False,
        price_book="book-1",
        price_micros=1,
        currency="CNY",
        state=AllocationState.RUNNING if ended is None else AllocationState.ENDED,
        placed_ms=at(placed),
        started_ms=at(placed + 1),
        ended_ms=None if ended is None else at(ended),
        end_kind=None if ended is None else EndKind.SUCCEEDED,
        metered_ms=None if metered is None else at(metered),
    )


def history(one: Allocation) -> list[Event]:
    slots = [{"node": slot.node, "indexes": list(slot.indexes)} for slot in one.slots]
    data = {"slots": slots, "type": one.type, "rehearsal": one.rehearsal}
    events = [Event(kind=EventKind.JOB_PLACED, at_ms=one.placed_ms, allocation=one.id, data=data)]
    if one.ended_ms is not None:
        events.append(Event(kind=EventKind.JOB_ENDED, at_ms=one.ended_ms, allocation=one.id))
    return events


def used(one: Allocation) -> tuple[UsageRecord, ...]:
    until_ms = one.metered_ms if one.ended_ms is None else one.ended_ms
    return () if until_ms is None else meter(replace(one, metered_ms=None), until_ms=until_ms)


def check(
    events: Iterable[Event],
    allocations: Iterable[Allocation] = (),
    *,
    minutes: tuple[int, int] = (0, 120),
    usage: Iterable[UsageRecord] | None = None,
) -> Conservation:
    allocations = list(allocations)
    records = [record for one in allocations for record in used(one)] if usage is None else usage
    told = [*events, *(event for one in allocations for event in history(one))]
    return conserve(events=told, usage=records, from_ms=at(minutes[0]), to_ms=at(minutes[1]))


def rows(result: Conservation) -> list[tuple[int, int, int, int, int, int, int]]:
    """Hour after noon, then billed, waived, open, idle, down and capacity in accelerator-minutes."""
    return [
        (
            (cell.hour_ms - NOON) // HOUR_MS,
            cell.sums.billed_ams // MINUTE_MS,
            cell.sums.waived_ams // MINUTE_MS,
            cell.sums.open_ams // MINUTE_MS,
            cell.sums.idle_ams // MINUTE_MS,
            cell.sums.down_ams // MINUTE_MS,
            cell.sums.capacity_ams // MINUTE_MS,
        )
        for cell in result.cells
    ]


def test_every_kind_of_time_has_its_column() -> None:
    done = allocation("a", 20, 80)
    runs = allocation("b", 70, None, indexes=(1,), metered=90)
    result = check([registered(10), turned(30, "draining"), turned(60, "down"), turned(65, "up")], [done, runs])
    assert result.ok, result.faults
    assert rows(result) == [
        # index 0: idle 10-20, waived 20-21, billed 21-60; index 1: idle 10-30, draining 30-60
        (0, 39, 1, 0, 30, 30, 100),
        # index 0: billed 60-80, idle 80-120; index 1: down 60-65, idle 65-70, waived 70-71, billed 71-90, open 90-120
        (1, 39, 1, 30, 45, 5, 120),
    ]
    assert result.total() == Sums(
        billed_ams=78 * MINUTE_MS,
        waived_ams=2 * MINUTE_MS,
        open_ams=30 * MINUTE_MS,
        idle_ams=75 * MINUTE_MS,
        down_ams=35 * MINUTE_MS,
        capacity_ams=220 * MINUTE_MS,
    )


def test_a_window_cuts_on_both_sides() -> None:
    result = check([registered(0)], [allocation("a", 20, 80)], minutes=(30, 50))
    assert result.ok, result.faults
    assert rows(result) == [(0, 20, 0, 0, 20, 0, 40)]


def test_registering_again_changes_nothing_or_what_it_says() -> None:
    again = check([registered(0), turned(10, "draining"), registered(20), registered(30, accelerators=4)])
    # idle 2 x 10; draining 2 x 20 and, as registering again brings nobody back, 4 x 30
    assert rows(again) == [(0, 0, 0, 0, 20, 160, 180), (1, 0, 0, 0, 0, 240, 240)]
    revived = check([registered(0), turned(10, "down"), registered(20, state="up")], minutes=(0, 30))
    assert rows(revived) == [(0, 0, 0, 0, 40, 20, 60)]
    retyped = check([registered(0), registered(30, type="h20", rehearsal=True)], minutes=(0, 60))
    assert [(cell.type, cell.rehearsal) for cell in retyped.cells] == [("cpu", False), ("h20", True)]
    assert retyped.total(rehearsal=True).capacity_ams == 60 * MINUTE_MS
    assert retyped.ok


def test_an_idle_year_costs_its_hours_only() -> None:
    minutes = 365 * 24 * 60
    events = [registered(0, node=f"n{number}", accelerators=8) for number in range(500)]
    result = check(events, minutes=(0, minutes))
    assert result.ok
    assert len(result.cells) == 365 * 24
    assert result.total().idle_ams == 4_000 * minutes * MINUTE_MS


def test_a_dropped_record_is_reported() -> None:
    one = allocation("a", 20, 190)
    whole = used(one)
    assert len(whole) == 5
    for dropped in whole:
        left = [record for record in whole if record is not dropped]
        result = check([registered(0)], [one], minutes=(0, 240), usage=left)
        assert not result.ok
        assert any("not metered" in fault for fault in result.faults)
        assert any("capacity" in fault for fault in result.faults)


def test_a_repeated_record_is_reported() -> None:
    one = allocation("a", 20, 50)
    result = check([registered(0)], [one], usage=[*used(one), used(one)[1]])
    assert any("metered twice" in fault for fault in result.faults)


def test_an_accelerator_held_twice_is_reported() -> None:
    result = check([registered(0)], [allocation("a", 20, 50, indexes=(0, 1)), allocation("b", 40, 60, indexes=(1,))])
    assert any("accelerator 1 of node n1 was held twice" in fault and "a and b" in fault for fault in result.faults)
    assert not any("accelerator 0" in fault for fault in result.faults)
    touching = check([registered(0)], [allocation("a", 20, 50), allocation("b", 50, 60)])
    assert touching.ok, touching.faults


def test_what_is_held_where_nothing_is_is_reported() -> None:
    too_early = check([registered(30)], [allocation("a", 20, 50)])
    assert any("held for 600000 ms while it was not registered" in fault for fault in too_early.faults)
    beyond = check([registered(0, accelerators=1)], [allocation("a", 20, 50, indexes=(1,))])
    assert any("accelerator 1 of node n1" in fault for fault in beyond.faults)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "h20"}, "other accelerators"),
        ({"accelerators": 2}, "other accelerators"),
        ({"rehearsal": True}, "other accelerators"),
        ({"billed_ams": 1}, "time x accelerators"),
        ({"billed_ams": -1, "waived_ams": 29 * MINUTE_MS + 1}, "negative"),
        ({"hour_ms": NOON + HOUR_MS}, "UTC hour"),
        ({"end_ms": at(55)}, "past its end"),
        ({"allocation": "ghost"}, "never placed"),
    ],
)
def test_a_wrong_record_is_reported(changes: dict[str, object], said: str) -> None:
    one = allocation("a", 20, 50)
    waived, billed = used(one)
    wrong = replace(billed, **changes)  # type: ignore[arg-type]
    result = check([registered(0)], [one], usage=[waived, wrong])
    assert any(said in fault for fault in result.faults), result.faults


def test_events_that_contradict_themselves_are_reported() -> None:
    one = allocation("a", 20, 50)
    placed, ended = history(one)
    for events, said in (
        ([placed, placed, ended], "placed twice"),
        ([placed, ended, replace(ended, at_ms=at(51))], "ended twice"),
        ([ended], "without having been placed"),
        ([placed, ended, turned(0, "down", node="n9")], "before it was registered"),
    ):
        result = check([registered(0), *events], usage=used(one))
        assert any(said in fault for fault in result.faults), result.faults


def test_stored_allocations_are_compared_with_their_events() -> None:
    one = replace(allocation("a", 20, 50), metered_ms=at(50))
    events = [registered(0), *history(one)]

    def faults(stored: Allocation, usage: Iterable[UsageRecord] = used(one)) -> str:
        result = conserve(events=events, usage=usage, from_ms=at(0), to_ms=at(60), allocations=[stored])
        return "; ".join(result.faults)

    assert faults(one) == ""
    assert "its events say" in faults(replace(one, ended_ms=at(51)))
    assert "metered to" in faults(replace(one, metered_ms=at(40)))
    assert "no usage record" in faults(one, usage=())
    assert "no event of its placement" in faults(replace(one, id="b"))


@pytest.mark.parametrize(
    "event",
    [
        Event(kind=EventKind.NODE_REGISTERED, at_ms=at(0), node="n1"),
        replace(registered(0), node=None),
        registered(0, accelerators=-1),
        registered(0, rehearsal="no"),
        Event(kind=EventKind.JOB_PLACED, at_ms=at(0), allocation="a", data={"type": "cpu", "rehearsal": False}),
        Event(
            kind=EventKind.JOB_PLACED,
            at_ms=at(0),
            allocation="a",
            data={"type": "cpu", "rehearsal": False, "slots": [{"node": "n1", "indexes": ["0"]}]},
        ),
        Event(kind=EventKind.JOB_ENDED, at_ms=at(0)),
    ],
)
def test_an_event_without_its_data_is_refused(event: Event) -> None:
    with pytest.raises(InvariantError):
        check([event])


def test_many_faults_are_counted_not_listed() -> None:
    ghosts = [replace(used(allocation("a", 20, 50))[1], id=f"use-{n}", allocation=f"ghost-{n}") for n in range(300)]
    result = check([registered(0)], usage=ghosts)
    assert len(result.faults) == MAX_FAULTS + 1
    assert result.faults[-1] == "and 201 more"  # 300 ghosts and one hour out of balance


def test_as_json() -> None:
    values = conservation_json(check([registered(0, rehearsal=True)], minutes=(0, 60)))
    idle = {"billed": 0, "waived": 0, "open": 0, "idle": 7_200_000, "down": 0, "capacity": 7_200_000}
    assert values["ok"] is True
    assert values["rehearsal"] == idle
    assert values["capacity"] == 7_200_000
    assert values["real"] == dict.fromkeys(idle, 0)
    assert values["cells"] == [{"hour_ms": NOON, "type": "cpu", "rehearsal": True, **idle}]


def test_a_hold_before_the_node_was_there_makes_no_idle_time() -> None:
    result = check([registered(30)], [allocation("a", 10, 20)], minutes=(0, 60))
    assert result.total().idle_ams == 60 * MINUTE_MS
    assert result.total().capacity_ams == 60 * MINUTE_MS


def test_a_record_inside_another_is_one_fault_and_no_gap() -> None:
    one = allocation("a", 20, 50)
    inner = replace(used(one)[1], id="use-inner", start_ms=at(30), end_ms=at(40), billed_ams=10 * MINUTE_MS)
    result = check([registered(0)], [one], usage=[*used(one), inner])
    assert sum("metered twice" in fault for fault in result.faults) == 1
    assert not any("not metered" in fault for fault in result.faults)


def test_a_window_before_a_later_job_does_not_see_it() -> None:
    result = check([registered(0)], [allocation("a", 70, 80)], minutes=(0, 60))
    assert result.ok, result.faults
