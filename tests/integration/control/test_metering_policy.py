"""What is billed and what is not, as docs/concepts/metering.md names the cases; proven after each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.control.house import BEGIN_MS, OPERATOR, House, open_house

from petahour.control.audit import audit, verify
from petahour.control.cancel import ask_to_stop, cancel
from petahour.control.evidence import Evidence, compare
from petahour.engines.protocol import Phase
from petahour.model.allocations import YIELDING, EndKind, StopCause
from petahour.model.events import EventKind
from petahour.model.jobs import JobState, Tier
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.store.sql.store import sqlite_url

SLOT = Slot(node="n1", indexes=(0,))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(sqlite_url(tmp_path / "petahour.db"), tmp_path)
    yield opened
    with opened.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []
    opened.context.store.close()


def seconds(house: House, allocation: str) -> dict[str, float]:
    """Seconds of the whole gang by what became of them: billed, or the reason they are waived for."""
    found: Counter[str] = Counter()
    with house.context.store.read() as tx:
        for record in tx.ledger.usage_of(allocation):
            length_ms = record.end_ms - record.start_ms
            assert record.billed_ams + record.waived_ams == length_ms * record.accelerators
            assert 0 in (record.billed_ams, record.waived_ams)
            found[str(record.waive_reason or "billed")] += length_ms
    return {reason: total / SECOND_MS for reason, total in found.items()}


def begin(house: House, name: str = "a", *, tier: Tier = Tier.ON_DEMAND, slot: Slot = SLOT) -> str:
    """Submitted, placed, and started 40 s later; the allocation."""
    house.submit(name, tier=tier)
    house.place(name, slot)
    house.clock.at_ms += 40 * SECOND_MS
    house.report(f"alloc-{name}-1", Phase.RUNNING, started_ms=house.clock.at_ms)
    return f"alloc-{name}-1"


def end(house: House, allocation: str, kind: EndKind, after_ms: int, *, ended_ms: int | None = None) -> None:
    house.clock.at_ms += after_ms
    said_ms = house.clock.at_ms if ended_ms is None else ended_ms
    house.report(allocation, Phase.ENDED, ended_ms=said_ms, end_kind=kind, exit_code=0)


def evidence(house: House) -> list[Evidence]:
    return compare(house.context.store)


def state(house: House, job: str) -> JobState:
    with house.context.store.read() as tx:
        found = tx.jobs.get(job)
        assert found is not None
        return found.state


def test_provisioning_is_not_billed_and_the_run_is(house: House) -> None:
    allocation = begin(house)
    end(house, allocation, EndKind.SUCCEEDED, 90 * SECOND_MS)
    assert seconds(house, allocation) == {"provisioning": 40, "billed": 90}
    assert [(one.engine_ms, one.billed_ms, one.differences) for one in evidence(house)] == [(90_000, 90_000, ())]


def test_what_never_started_is_not_billed(house: House) -> None:
    house.submit("a")
    house.place("a", SLOT)
    end(house, "alloc-a-1", EndKind.FAILED, 70 * SECOND_MS)
    assert seconds(house, "alloc-a-1") == {"provisioning": 70}


def test_a_failure_of_the_job_itself_is_billed(house: House) -> None:
    for number, kind in enumerate((EndKind.FAILED, EndKind.WALLTIME)):
        allocation = begin(house, f"j{number}")
        end(house, allocation, kind, 5 * SECOND_MS)
        assert seconds(house, allocation) == {"provisioning": 40, "billed": 5}


def test_time_lost_to_a_failed_node_is_not_billed(house: House) -> None:
    allocation = begin(house)
    end(house, allocation, EndKind.LOST, 15 * MINUTE_MS)
    assert seconds(house, allocation) == {"provisioning": 40, "lost": 900}


def test_hours_closed_before_a_loss_was_known_stay_billed(house: House) -> None:
    allocation = begin(house)
    started_ms = house.clock.at_ms
    house.clock.at_ms = BEGIN_MS + 80 * MINUTE_MS  # two full hours are over, from 20 minutes past on
    house.close_hours(allocation)
    hour_ms = house.clock.at_ms - house.clock.at_ms % HOUR_MS
    end(house, allocation, EndKind.LOST, 7 * MINUTE_MS)
    closed_s = (hour_ms - started_ms) / SECOND_MS
    lost_s = (house.clock.at_ms - hour_ms) / SECOND_MS
    assert seconds(house, allocation) == {"provisioning": 40, "billed": closed_s, "lost": lost_s}


def test_the_gap_of_a_preemption_by_the_operator_is_not_billed(house: House) -> None:
    allocation = begin(house, tier=Tier.SPOT)
    house.clock.at_ms += 60 * SECOND_MS
    house.submit("b")
    house.preempt(allocation, "job-b")
    end(house, allocation, EndKind.STOPPED, 25 * SECOND_MS)  # it saves a checkpoint and goes
    assert seconds(house, allocation) == {"provisioning": 40, "billed": 60, "preemption": 25}
    # Until it runs again: queued, which holds nothing, and provisioning, which is not billed.
    house.clock.at_ms += 5 * MINUTE_MS
    house.place("a", SLOT)
    house.clock.at_ms += 10 * SECOND_MS
    house.report("alloc-a-2", Phase.RUNNING, started_ms=house.clock.at_ms)
    end(house, "alloc-a-2", EndKind.SUCCEEDED, 30 * SECOND_MS)
    assert seconds(house, "alloc-a-2") == {"provisioning": 10, "billed": 30}


def test_a_preemption_across_an_hour_and_then_a_loss(house: House) -> None:
    allocation = begin(house, tier=Tier.SPOT)
    house.submit("b")
    house.clock.at_ms = BEGIN_MS + 15 * MINUTE_MS
    run_s = (house.clock.at_ms - BEGIN_MS) / SECOND_MS - 41  # a second after the beginning, 40 s of provisioning
    house.preempt(allocation, "job-b")
    house.clock.at_ms = BEGIN_MS + 25 * MINUTE_MS  # the hour ended five minutes ago
    house.close_hours(allocation)
    assert seconds(house, allocation) == {"provisioning": 40, "billed": run_s, "preemption": 5 * 60}
    end(house, allocation, EndKind.LOST, 60 * SECOND_MS)
    assert seconds(house, allocation)["billed"] == run_s
    assert seconds(house, allocation)["lost"] == 6 * 60


def test_a_cancellation_is_billed_to_the_end_unless_it_was_to_yield_already(house: House) -> None:
    first = begin(house, "a")
    house.clock.at_ms += 10 * SECOND_MS
    cancel(house.context, OPERATOR, "job-a")
    end(house, first, EndKind.STOPPED, 20 * SECOND_MS)
    assert seconds(house, first) == {"provisioning": 40, "billed": 30}
    second = begin(house, "b", tier=Tier.SPOT)
    house.submit("c")
    house.clock.at_ms += 10 * SECOND_MS
    house.preempt(second, "job-c")
    house.clock.at_ms += 5 * SECOND_MS
    cancel(house.context, OPERATOR, "job-b")
    end(house, second, EndKind.STOPPED, 20 * SECOND_MS)
    assert seconds(house, second) == {"provisioning": 40, "billed": 10, "preemption": 25}
    assert state(house, "job-b") is JobState.CANCELLED


def test_a_week_is_billed_hour_by_hour_while_it_runs(house: House) -> None:
    allocation = begin(house)
    for _ in range(7 * 24):
        house.clock.at_ms += HOUR_MS
        house.close_hours(allocation)
        house.close_hours(allocation)
    with house.context.store.read() as tx:
        records = tx.ledger.usage_of(allocation)
        assert len(records) == 1 + 7 * 24
        assert {record.end_ms - record.hour_ms for record in records[1:]} == {HOUR_MS}
        assert len(tx.ledger.charges(tenant="acme", from_ms=0, to_ms=2**60)) == len(records)
    end(house, allocation, EndKind.SUCCEEDED, SECOND_MS)


def test_late_and_repeated_reports_change_nothing(house: House) -> None:
    allocation = begin(house)
    started_ms = house.clock.at_ms
    end(house, allocation, EndKind.SUCCEEDED, 30 * SECOND_MS)
    ended_ms = house.clock.at_ms
    before = seconds(house, allocation)
    with house.context.store.read() as tx:
        seq, head = tx.events.last_seq(), tx.ledger.head()
    house.clock.at_ms += HOUR_MS
    for _ in range(2):
        house.report(allocation, Phase.STARTING)
        house.report(allocation, Phase.RUNNING, started_ms=started_ms)
        house.report(
            allocation,
            Phase.ENDED,
            started_ms=started_ms,
            ended_ms=ended_ms,
            end_kind=EndKind.SUCCEEDED,
            exit_code=0,
        )
    assert seconds(house, allocation) == before
    with house.context.store.read() as tx:
        assert (tx.events.last_seq(), tx.ledger.head()) == (seq, head)


def test_conflicting_reports_are_kept_once_flagged_and_change_nothing(house: House) -> None:
    allocation = begin(house)
    started_ms = house.clock.at_ms
    house.report(allocation, Phase.RUNNING, started_ms=started_ms + 5_000)
    end(house, allocation, EndKind.SUCCEEDED, 30 * SECOND_MS)
    ended_ms = house.clock.at_ms
    before = seconds(house, allocation)
    for _ in range(2):
        house.report(allocation, Phase.ENDED, ended_ms=ended_ms + 9_000, end_kind=EndKind.FAILED, exit_code=7)
    assert seconds(house, allocation) == before
    assert state(house, "job-a") is JobState.SUCCEEDED
    with house.context.store.read() as tx:
        kept = [event.data for event in tx.events.of_job("job-a") if event.kind is EventKind.REPORT_CONFLICT]
    assert [(event["said"], event["believed"]) for event in kept] == [
        ({"engine_started_ms": started_ms + 5_000}, {"engine_started_ms": started_ms}),
        (
            {"engine_ended_ms": ended_ms + 9_000, "end_kind": "failed", "exit_code": 7},
            {"engine_ended_ms": ended_ms, "end_kind": "succeeded", "exit_code": 0},
        ),
    ]
    (found,) = evidence(house)
    assert found.conflicts == 2
    assert all("the engine also said" in text for text in found.differences)


def test_an_end_before_what_was_billed_is_reported(house: House) -> None:
    """The hour was closed, then the engine tells that all was over before: nothing is taken back by itself."""
    allocation = begin(house)
    started_ms = house.clock.at_ms
    house.clock.at_ms = BEGIN_MS + 21 * MINUTE_MS
    house.close_hours(allocation)
    end(house, allocation, EndKind.SUCCEEDED, SECOND_MS, ended_ms=started_ms + 10 * MINUTE_MS)
    (found,) = evidence(house)
    assert found.engine_ms == 10 * MINUTE_MS
    assert found.billed_ms > 19 * MINUTE_MS
    assert "against the engine" in found.differences[0]
    assert compare(house.context.store, tolerance_ms=HOUR_MS)[0].differences == ()
    assert compare(house.context.store, tenant="nobody") == []


def test_an_engine_that_never_told_its_end_is_reported(house: House) -> None:
    allocation = begin(house)
    house.clock.at_ms += MINUTE_MS
    house.report(allocation, Phase.ENDED, end_kind=EndKind.LOST, exit_code=None)
    (found,) = evidence(house)
    assert found.engine_ms is None
    assert seconds(house, allocation) == {"provisioning": 40, "lost": 60}


def test_a_clock_that_steps_back_loses_and_doubles_nothing(house: House) -> None:
    """As after a restart on a host whose clock was set back by an hour: records never go back."""
    allocation = begin(house)
    started_ms = house.clock.at_ms
    house.clock.at_ms = BEGIN_MS + 30 * MINUTE_MS
    house.close_hours(allocation)
    before = seconds(house, allocation)
    house.clock.at_ms -= HOUR_MS
    house.close_hours(allocation)
    other = begin(house, "b", slot=Slot(node="n2", indexes=(0,)))
    end(house, other, EndKind.SUCCEEDED, 5 * SECOND_MS)
    assert seconds(house, allocation) == before
    assert seconds(house, other) == {"provisioning": 40, "billed": 5}
    end(house, allocation, EndKind.SUCCEEDED, 0, ended_ms=started_ms + 31 * MINUTE_MS)
    assert seconds(house, allocation) == before


@pytest.mark.parametrize("cause", StopCause)
def test_whoever_cancels_a_job_that_stops_changes_nothing_of_what_is_billed(tmp_path: Path, cause: StopCause) -> None:
    house = open_house(sqlite_url(tmp_path / "petahour.db"), tmp_path)
    allocation = begin(house, tier=Tier.SPOT)
    house.clock.at_ms += 10 * SECOND_MS
    with house.context.store.write() as tx:
        job, held = tx.jobs.get("job-a"), tx.allocations.latest(["job-a"])["job-a"]
        assert job is not None
        ask_to_stop(tx, job, held, cause=cause, for_job="", at_ms=house.clock.at_ms, text="it is to stop")
    cancel(house.context, OPERATOR, "job-a")
    end(house, allocation, EndKind.STOPPED, 20 * SECOND_MS)
    billed = {"billed": 10, "preemption": 20} if cause in YIELDING else {"billed": 30}
    assert seconds(house, allocation) == {"provisioning": 40} | billed
    assert state(house, "job-a") is JobState.CANCELLED
    with house.context.store.read() as tx:  # Of money alone: nothing here is a reason to stop it.
        assert tx.jobs.get("job-a").message == "stopped as asked"  # type: ignore[union-attr]
        assert [check for check in verify(tx) if not check.ok] == []
    house.context.store.close()
