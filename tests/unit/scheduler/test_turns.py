"""Turns on a mixed fleet: a replay of few jobs whose best order is plain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petahour.model.jobs import Tier
from petahour.model.resources import Node
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import Bounds
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.result import Result
from petahour.simulator.trace import Trace, TraceJob

HOUR = 3_600_000
FREE = Costs(restart_ms=0)
UNBOUNDED = Bounds(max_preemptions=1_000)


def floor(fast: int, slow: int) -> list[Node]:
    return [
        Node(name=f"{kind}-{number}", pool=kind, engine="sim", type=kind, accelerators=1)
        for kind, count in (("fast", fast), ("slow", slow))
        for number in range(count)
    ]


def job(number: int, hours: float, slow: float, *, submit_h: float = 0.0, gang: int = 1) -> TraceJob:
    """So many hours on the fast type, and ``slow`` times as fast on the other; the steps are declared."""
    return TraceJob(
        row=number,
        id=str(number),
        tenant="a",
        submit_ms=round(submit_h * HOUR),
        duration_ms=round(hours * HOUR),
        accelerators=gang,
        types=("fast", "slow"),
        speeds=(1.0, slow),
        walltime_ms=round(hours * HOUR / slow),
    )


def wide(kind: str, nodes: int, accelerators: int) -> list[Node]:
    return [
        Node(name=f"{kind}-{number}", pool=kind, engine="sim", type=kind, accelerators=accelerators)
        for number in range(nodes)
    ]


def run(jobs: list[TraceJob], policy: str, nodes: list[Node], bounds: Bounds = UNBOUNDED) -> Result:
    how = Replay(policy=POLICIES[policy], nodes=nodes, preemptible=True, costs=FREE, bounds=bounds)
    return replay(Trace(name="t", jobs=jobs), how)


def hours(result: Result) -> list[float]:
    return [round(end / HOUR, 2) for end in result.jobs.end_ms.tolist()]


def test_the_fast_type_goes_to_whom_it_helps_most() -> None:
    # Both need an hour on the fast type; one is ten times slower on the other, one hardly slower at all.
    result = run([job(0, 1, 0.9), job(1, 1, 0.1)], "petahour", floor(1, 1))
    # What is left of the other after that hour, a tenth, is done on the fast type too.
    assert hours(result) == [1.1, 1.0]


def test_who_is_left_moves_to_the_fast_type_when_it_becomes_free() -> None:
    result = run([job(0, 1, 0.5), job(1, 4, 0.5)], "petahour", floor(1, 1))
    # An hour at half speed leaves three and a half, which the fast type then does.
    assert hours(result) == [1.0, 4.5]
    assert result.jobs.preemptions.tolist() == [0, 1]


def test_equal_jobs_get_equal_turns_under_max_min() -> None:
    result = run([job(number, 6, 0.5) for number in range(3)], "max-min", floor(1, 2))
    # Two thirds of full speed each on average: six hours of work take nine, give or take a few rounds.
    assert max(hours(result)) - min(hours(result)) <= 1.0
    assert sum(hours(result)) / 3 == pytest.approx(9, abs=0.7)


def test_turns_end_where_the_bound_on_preemption_says_so() -> None:
    jobs = [job(number, 6, 0.5) for number in range(3)]
    result = run(jobs, "max-min", floor(1, 2), Bounds(max_preemptions=2))
    assert result.jobs.preemptions.max() <= 2
    assert (result.jobs.end_ms > 0).all()


@pytest.mark.parametrize("policy", ["petahour", "max-min", "finish-time"])
def test_gangs_are_whole_and_a_gang_too_large_for_a_type_runs_on_the_other(policy: str) -> None:
    result = run([job(0, 2, 0.5, gang=3), job(1, 1, 0.5, gang=1)], policy, floor(2, 3))
    assert hours(result) == [4.0, 1.0]
    assert sorted(set(result.runs.accelerators.tolist())) == [1, 3]


@pytest.mark.parametrize("policy", ["petahour", "max-min", "finish-time"])
def test_no_turn_on_a_type_whose_nodes_are_all_too_narrow(policy: str) -> None:
    # The second type is faster and has room for four, on two nodes of two; the gang is one of four on a node.
    result = run([job(0, 2, 2.0, gang=4)], policy, [*wide("fast", 1, 4), *wide("slow", 2, 2)])
    assert hours(result) == [2.0]


def test_no_turn_where_work_that_stays_leaves_only_parts_of_nodes() -> None:
    # What cannot be stopped leaves one accelerator on each node of the first type, where the pair would be faster.
    firm = [job(number, 9, 1.0, gang=2) for number in (0, 1)]
    firm = [replace(one, tier=Tier.ON_DEMAND, types=("fast",), speeds=(1.0,)) for one in firm]
    pair = replace(job(2, 1, 0.5, gang=2, submit_h=1), tier=Tier.SPOT)
    nodes = [*wide("fast", 2, 3), *wide("slow", 1, 2)]
    how = Replay(policy=POLICIES["petahour"], nodes=nodes, costs=FREE)
    assert hours(replay(Trace(name="t", jobs=[*firm, pair]), how)) == [9.0, 9.0, 3.0]


def test_work_that_cannot_be_stopped_takes_no_turns() -> None:
    jobs = [job(0, 5, 0.5), job(1, 1, 0.5, submit_h=1)]
    result = replay(Trace(name="t", jobs=jobs), Replay(policy=POLICIES["petahour"], nodes=floor(1, 0), costs=FREE))
    assert hours(result) == [5.0, 6.0]
    assert result.jobs.preemptions.sum() == 0
