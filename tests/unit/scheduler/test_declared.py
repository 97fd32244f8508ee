"""Declared walltimes tell run times as far as a tenant's did before."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS
from petahour.scheduler.ask import Waiting
from petahour.scheduler.declared import Declared
from petahour.scheduler.expect import Expectation
from petahour.scheduler.near import SPREAD, Told
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import State
from petahour.simulator.fleet import plain_nodes

Habit = Callable[[float, Random], float]

USUAL = 20.0  # log2 of some 17 minutes in ms: all below is in doublings beyond that
HABITS: dict[str, Habit] = {
    "exact": lambda ran, drawn: ran,
    "twice as long": lambda ran, drawn: ran + 1,
    "up to eight times as long": lambda ran, drawn: ran + drawn.uniform(0, 3),
    "always the same": lambda ran, drawn: 12.0,
    "anything": lambda ran, drawn: drawn.gauss(2, SPREAD),
}


def taught(habit: str, ends: int = 300, before: Declared | None = None) -> Declared:
    drawn, declared = Random(3), before or Declared()
    for _ in range(ends):
        ran = drawn.gauss(0, SPREAD)
        declared.learn(USUAL + ran, USUAL + HABITS[habit](ran, drawn))
    return declared


def heard(habit: str, declared: float) -> Told:
    """What is expected of a job of an unknown row with this walltime, in doublings beyond the usual."""
    told = taught(habit).heard(Told(USUAL, SPREAD**2, 7), USUAL + declared)
    assert told.holds_ms == 7
    return told._replace(mean=told.mean - USUAL)


@pytest.mark.parametrize("walltime", [-6.0, 0.0, 9.0])
def test_a_habit_is_learned(walltime: float) -> None:
    assert heard("exact", walltime).mean == pytest.approx(walltime, abs=0.3)
    assert heard("twice as long", walltime).mean == pytest.approx(walltime - 1, abs=0.3)
    assert heard("up to eight times as long", walltime).mean == pytest.approx(walltime - 1.5, abs=0.5)


def test_the_closer_walltimes_were_the_surer_it_is() -> None:
    left = [heard(habit, 2.0).variance / SPREAD**2 for habit in HABITS]
    assert max(left[:2]) < 0.02 < left[2] < 0.1
    assert min(left[3:]) > 0.9


@pytest.mark.parametrize("habit", ["always the same", "anything"])
def test_walltimes_that_tell_nothing_are_not_heard(habit: str) -> None:
    assert abs(heard(habit, 12.0).mean) < 0.15 * 12


def test_a_habit_that_changes_is_learned_anew() -> None:
    exact = taught("exact", 5_000)
    told = Told(USUAL, SPREAD**2, 0)
    assert exact.heard(told, USUAL + 6).variance < 0.02 * told.variance
    careless = taught("always the same", 2_000, exact)
    assert careless.heard(told, USUAL + 12).variance > 0.8 * told.variance


def test_who_declares_for_the_first_time_is_half_believed() -> None:
    told = Declared().heard(Told(USUAL, SPREAD**2, 0), USUAL - 8)
    assert -8 < told.mean - USUAL < -2


@given(
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40)), max_size=60),
    st.floats(0, 40),
    st.floats(0.01, 40),
    st.floats(0, 40),
)
def test_hearing_more_makes_it_no_less_sure(
    ends: list[tuple[float, float]], mean: float, variance: float, walltime: float
) -> None:
    declared = Declared()
    for ran, wall in ends:
        declared.learn(ran, wall)
    told = declared.heard(Told(mean, variance, 0), walltime)
    assert isfinite(told.mean)
    assert 0 < told.variance <= variance


ASKS = State(POLICIES["petahour"], plain_nodes(1, 8)).asks


def job_of(expectation: Expectation, number: int, walltime_ms: int | None, tier: Tier = Tier.ON_DEMAND) -> Waiting:
    ask = ASKS.of(tenant="acme", tier=tier, types=("any",), gang=Gang(nodes=1, accelerators_per_node=8))
    at_ms = number * DAY_MS
    sweep = expectation.sweeps.join(ask, at_ms)
    return Waiting(f"job-{number}", number, ask, at_ms, walltime_ms=walltime_ms, sweep=sweep, place=sweep.size)


def an_operators_month(over: int) -> Expectation:
    """Jobs of a minute to some days, declared for so many times as long."""
    drawn, expectation = Random(5), Expectation()
    for number in range(80):
        ran_ms = round(2 ** drawn.uniform(0, 12) * MINUTE_MS)
        expectation.learn(job_of(expectation, number, over * ran_ms), ran_ms)
    return expectation


def test_run_times_are_expected_by_walltime_and_never_beyond() -> None:
    expectation = an_operators_month(over=3)
    for number, walltime_ms in enumerate((3 * MINUTE_MS, 3 * HOUR_MS, 3 * DAY_MS)):
        expected_ms = expectation.run_ms(job_of(expectation, 200 + number, walltime_ms), 300 * DAY_MS)
        assert walltime_ms / 3 / 1.5 < expected_ms < min(walltime_ms / 3 * 1.5, walltime_ms)
    without_ms = expectation.run_ms(job_of(expectation, 210, None), 300 * DAY_MS)
    assert 20 * MINUTE_MS < without_ms < 2 * DAY_MS


def test_walltimes_that_are_all_alike_leave_expectations_as_they_are() -> None:
    """What is usual rises while long rows end one after the other: that is no habit of those who declare."""
    found = []
    for walltime_ms in (None, 30 * DAY_MS):
        drawn, expectation = Random(11), Expectation()
        for row in range(12):
            ran_ms = 2 ** drawn.uniform(0, 12) * MINUTE_MS
            for number in range(row * 40, row * 40 + 40):
                job = job_of(expectation, number, walltime_ms)
                expectation.learn(job, round(ran_ms * drawn.uniform(0.8, 1.2)))
        found.append(expectation.run_ms(job_of(expectation, 700, walltime_ms), 700 * DAY_MS))
    assert found[1] == pytest.approx(found[0], rel=0.05)


def test_work_that_can_be_stopped_goes_by_walltime_until_it_outlives_what_that_tells() -> None:
    expectation = an_operators_month(over=3)
    short = job_of(expectation, 200, 3 * 20 * MINUTE_MS, Tier.SPOT)
    long = job_of(expectation, 201, 3 * DAY_MS, Tier.SPOT)
    assert expectation.index_ms(short, 0) < expectation.index_ms(long, 0) / 8
    unknown = job_of(expectation, 202, None, Tier.SPOT)
    assert expectation.index_ms(short, HOUR_MS) == expectation.index_ms(unknown, HOUR_MS)


def test_what_is_left_is_within_the_walltime() -> None:
    expectation = an_operators_month(over=1)
    job = job_of(expectation, 200, 10 * HOUR_MS)
    assert expectation.remaining_ms(job, 9 * HOUR_MS) <= HOUR_MS
    assert 3 * HOUR_MS < expectation.remaining_ms(job, 5 * HOUR_MS) <= 5 * HOUR_MS
    early, middle, late = (expectation.quantile_ms(job, 0, part, 300 * DAY_MS) for part in (0.1, 0.5, 0.9))
    assert 2 * HOUR_MS < early < 5 * HOUR_MS < middle <= late <= 10 * HOUR_MS


def test_who_looks_ahead_learns_apart() -> None:
    expectation, other = an_operators_month(over=3), Expectation()
    other.know(expectation)
    job = job_of(expectation, 200, 3 * HOUR_MS)
    assert other.remaining_ms(job, 0) == expectation.remaining_ms(job, 0)
    before_ms = expectation.remaining_ms(job, 0)
    for number in range(300, 330):
        other.learn(job_of(other, number, 3 * HOUR_MS), MINUTE_MS)
    assert expectation.remaining_ms(job, 0) == before_ms
    assert other.remaining_ms(job, 0) != before_ms


def test_of_a_row_the_shortest_walltime_starts_first() -> None:
    state = State(POLICIES["petahour"], plain_nodes(1, 8))
    drawn = Random(5)
    for number in range(80):
        ran_ms = round(2 ** drawn.uniform(0, 12) * MINUTE_MS)
        job = state.enqueue(job_of(state.expectation, number, 2 * ran_ms))
        state.dequeue(job.id)
        state.expectation.learn(job, ran_ms)
    ask, come_ms = job.ask, 100 * DAY_MS
    walltimes_ms = (2 * DAY_MS, 4 * MINUTE_MS, 5 * HOUR_MS)
    for number, walltime_ms in enumerate((None, *walltimes_ms)):
        state.enqueue(Waiting(f"now-{number}", 1_000 + number, ask, come_ms, walltime_ms=walltime_ms))
    policy = POLICIES["petahour"]
    (line,) = state.lines.waiting()
    assert [job.walltime_ms for job in line] == [*sorted(walltimes_ms), None]
    urgencies = [policy.urgency(state, job, come_ms) for job in line][:3]
    assert urgencies == sorted(urgencies)
