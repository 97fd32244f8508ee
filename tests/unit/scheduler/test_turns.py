"""Turns on a mixed fleet: a replay of few jobs whose best order is plain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petahour.model.jobs import Tier
from petahour.model.resources import Gang, Node
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.decide import decide
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import Bounds, State
from petahour.scheduler.turns import ROUND_MS
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


def waiting(state: State, number: int, speeds: tuple[float, ...]) -> Waiting:
    types = ("fast", "slow", "new")
    ask = state.asks.of(tenant="a", tier=Tier.SPOT, types=types, gang=Gang(), speeds=speeds)
    return Waiting(str(number), number, ask, 0, declared_ms=9.0 * HOUR, checkpoints=True)


def decided(state: State, now_ms: int) -> dict[str, str]:
    """The types on which jobs run after a pass, by job; who is stopped stops at once."""
    made = decide(state, now_ms)
    state.turns = made.turns
    for start in made.starts:
        state.dequeue(start.job.id)
        run = Running(
            id=start.job.id,
            job=start.job,
            type=start.type,
            pool=start.pool,
            grants=start.grants,
            accelerators=1,
            placed_ms=now_ms,
            borrowed=start.borrowed,
        )
        state.start(run, now_ms)
    for stop in made.stops:
        gone = state.release(stop.running, now_ms)
        assert gone is not None
        state.enqueue(gone.job)
    return {name: run.type for name, run in state.running.items()} if not made.stops else decided(state, now_ms)


@pytest.mark.parametrize("policy", ["max-min", "finish-time"])
def test_a_new_type_on_the_floor_joins_the_turns_and_a_type_may_leave(policy: str) -> None:
    state = State(POLICIES[policy], floor(2, 2), bounds=UNBOUNDED)
    for number in range(4):
        state.enqueue(waiting(state, number, (1.0, 0.5, 3.0)))
    assert sorted(decided(state, 0).values()) == ["fast", "fast", "slow", "slow"]
    new = [Node(name="new-0", pool="new", engine="sim", type="new", accelerators=1)]
    state.put_nodes([*floor(2, 2), *new])  # and it is the fastest of them
    seen = [set(decided(state, turn * ROUND_MS).values()) for turn in range(1, 6)]
    assert all("new" in types for types in seen)
    for name in [name for name, run in state.running.items() if run.type == "slow"]:
        state.release(name, 6 * ROUND_MS)
    state.put_nodes([*floor(2, 0), *new])
    assert set(decided(state, 7 * ROUND_MS).values()) == {"fast", "new"}


def test_what_a_job_had_of_a_type_stays_its_own_when_the_order_of_types_changes() -> None:
    state = State(POLICIES["max-min"], floor(1, 1), bounds=UNBOUNDED)
    for number in range(2):
        state.enqueue(waiting(state, number, (1.0, 0.9, 1.0)))
    decided(state, 0)
    before = state.turns
    assert before is not None
    assert before.types == ("fast", "slow")
    for number in range(2, 12):  # for whom the other type is faster by far
        state.enqueue(waiting(state, number, (0.1, 1.0, 1.0)))
    decided(state, ROUND_MS // 2)  # within the round nobody is stopped, and nothing is owed anew
    after = state.turns
    assert after is not None
    assert after.types == ("slow", "fast")
    for name, ran_on in before.ran.items():
        had = dict(zip(after.types, after.past[name].received_ms, strict=True))
        assert had[ran_on] == ROUND_MS  # half a round that everybody begins with, and this one
        assert set(had.values()) == {ROUND_MS, ROUND_MS // 2}
