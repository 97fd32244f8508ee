"""Expected starts, and what would have a job start at once, on floors where the answer is plain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.scheduler.building import A100, ASCEND, NOW_MS, PRICE, allocation, job, node, snapshot

from petahour.model.jobs import Job, Tier
from petahour.model.resources import Node
from petahour.model.time import HOUR_MS, MINUTE_MS
from petahour.scheduler.ask import Grant
from petahour.scheduler.foresee import Expected, foresee
from petahour.scheduler.policies import PETAHOUR
from petahour.scheduler.present import present_of
from petahour.scheduler.reserve import Reservation
from petahour.scheduler.schedule import state_of
from petahour.scheduler.snapshot import Snapshot
from petahour.scheduler.sooner import Sooner, sooner
from petahour.scheduler.state import State
from petahour.scheduler.take_in import waiting_of


def seen(before: Snapshot, ran_ms: int = 0, ends: int = 0) -> State:
    """The state, having seen jobs of all queued kinds end after so long."""
    state = state_of(before, PETAHOUR)
    for _ in range(ends):
        for queued in before.queued:
            state.expectation.learn(waiting_of(state, queued), ran_ms)
    return state


def busy(walltime_ms: int | None = None) -> tuple[list[Node], list[object]]:
    run = allocation("x", {"a": (0, 1, 2, 3)}, tier=Tier.ON_DEMAND, placed_ms=NOW_MS - 20 * MINUTE_MS)
    return [node("a", 4)], [run, {run.job: walltime_ms}]


def minutes(expected: Expected) -> tuple[float | None, ...]:
    return tuple(
        None if at is None else round((at - NOW_MS) / MINUTE_MS)
        for at in (expected.earliest_ms, expected.median_ms, expected.latest_ms)
    )


def test_it_starts_by_the_walltime_of_what_it_waits_for() -> None:
    nodes, (run, walltimes) = busy(HOUR_MS)
    before = snapshot(nodes, [job(1, (1, 4))], [run], walltimes_ms=walltimes)  # type: ignore[list-item,arg-type]
    expected = foresee(present_of(state_of(before, PETAHOUR), NOW_MS), NOW_MS, ["job-1"])["job-1"]
    assert expected.earliest_ms is not None
    assert expected.latest_ms is not None
    assert NOW_MS < expected.earliest_ms <= expected.latest_ms <= NOW_MS + 40 * MINUTE_MS


def test_what_was_learned_makes_the_interval_narrow() -> None:
    first, second = job(1, (1, 4), walltime_ms=None), job(2, (1, 4), walltime_ms=None)
    before = snapshot([node("a", 4)], [first, second])
    expected = foresee(present_of(seen(before, HOUR_MS, ends=400), NOW_MS), NOW_MS, ["job-1", "job-2"])
    assert minutes(expected["job-1"]) == (0, 0, 0)
    earliest, median, latest = minutes(expected["job-2"])
    assert earliest is not None
    assert latest is not None
    assert median is not None
    # A bin of run times is a factor of the root of two wide.
    assert 60 / 2**0.5 <= earliest <= median <= latest <= 60 * 2**0.5


def test_nothing_is_promised_where_nothing_can_be_foreseen() -> None:
    before = snapshot([node("a", 4)], [job(1, (1, 8))])
    assert minutes(foresee(present_of(state_of(before, PETAHOUR), NOW_MS), NOW_MS, ["job-1"])["job-1"]) == (
        None,
        None,
        None,
    )


def test_another_type_is_offered_with_its_price() -> None:
    nodes, (run, walltimes) = busy()
    nodes.append(node("b", 4, ASCEND))
    before = snapshot(nodes, [job(1, (1, 4))], [run], walltimes_ms=walltimes)  # type: ignore[list-item,arg-type]
    before = replace(before, prices_micros={**before.prices_micros, ("acme", ASCEND, Tier.ON_DEMAND): PRICE * 9 // 8})
    assert offer(before) == Sooner(type=ASCEND, tier=Tier.ON_DEMAND, change=0.125)


def test_a_firmer_tier_is_offered_where_spot_would_yield_to_it() -> None:
    spot = job(1, (1, 4), tier=Tier.SPOT)
    run = allocation("x", {"a": (0, 1, 2, 3)}, placed_ms=NOW_MS - HOUR_MS)
    before = snapshot([node("a", 4)], [spot], [run])
    before = replace(before, prices_micros={**before.prices_micros, ("acme", A100, Tier.ON_DEMAND): 2 * PRICE})
    assert offer(before) == Sooner(type=A100, tier=Tier.ON_DEMAND, change=1.0)


@pytest.mark.parametrize("funds", [0, 3 * PRICE])
def test_what_cannot_be_paid_is_not_offered(funds: int) -> None:
    nodes, (run, walltimes) = busy()
    nodes.append(node("b", 4, ASCEND))
    waits: list[Job] = [job(1, (1, 4))]
    before = snapshot(nodes, waits, [run], walltimes_ms=walltimes, funds={"acme": funds})  # type: ignore[list-item,arg-type]
    assert offer(before) is None


def test_what_the_last_pass_keeps_for_a_gang_is_not_offered() -> None:
    nodes, (run, walltimes) = busy()
    nodes.append(node("b", 4, ASCEND))
    before = snapshot(nodes, [job(1, (1, 2))], [run], walltimes_ms=walltimes)  # type: ignore[list-item,arg-type]
    state = state_of(before, PETAHOUR)
    (pool,) = state.room.by_type[ASCEND]
    kept = (Grant(0, 0b0111),)
    later_ms = NOW_MS + HOUR_MS
    state.reserved = Reservation(
        job="gang", pool=pool.index, begins_ms=later_ms, until_ms=later_ms, grants=kept, claimed=kept
    )
    assert offered(state) is None
    state.reserved = state.reserved._replace(grants=kept[:0], claimed=kept[:0])
    assert offered(state) == Sooner(type=ASCEND, tier=Tier.ON_DEMAND, change=0.0)


def offer(before: Snapshot) -> Sooner | None:
    return offered(state_of(before, PETAHOUR))


def offered(state: State) -> Sooner | None:
    waits = state.lines.job("job-1")
    assert waits is not None
    return sooner(state, present_of(state, NOW_MS), waits, NOW_MS)
