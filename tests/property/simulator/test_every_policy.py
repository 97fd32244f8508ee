"""Under every policy: nothing is given twice, gangs are whole, whoever can run runs, and twice is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.jobs import Tier
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import Bounds
from petahour.simulator.audit import audit
from petahour.simulator.faults import Faults
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.result import NEVER, Result
from petahour.simulator.trace import Trace, TraceJob

WIDTH, NODES = 4, 3
JOBS = st.lists(
    st.builds(
        lambda submit, duration, accelerators, tenant, name, spot: (
            submit,
            duration,
            accelerators,
            tenant,
            name,
            spot,
        ),
        st.integers(0, 3_000_000),
        st.integers(0, 5_000_000),
        st.integers(1, 14),
        st.sampled_from("abc"),
        st.sampled_from(["", "x", "y"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=50,
)


def trace_of(rows: list[tuple[int, int, int, str, str, bool]]) -> Trace:
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant=tenant,
            submit_ms=submit,
            duration_ms=duration,
            accelerators=accelerators,
            name=name,
            tier=Tier.SPOT if spot else Tier.ON_DEMAND,
        )
        for number, (submit, duration, accelerators, tenant, name, spot) in enumerate(rows)
    ]
    return Trace(name="drawn", jobs=sorted(jobs, key=lambda job: job.submit_ms))


def require(result: Result, costs: Costs | None) -> None:
    """The audit finds nothing; and where speeds are 1, a job's runs do its work, restarts and repeats besides."""
    assert audit(result) == []
    for number, job in enumerate(result.trace.jobs):
        runs = int((result.runs.job == number).sum())
        if result.jobs.end_ms[number] != NEVER and costs is not None:
            ran_ms = int(result.jobs.ran_ms[number])
            assert ran_ms >= job.duration_ms
            assert abs(ran_ms - result.jobs.lost_ms[number] - job.duration_ms) <= costs.restart_ms * runs


@pytest.mark.parametrize("preemptible", [False, True])
@pytest.mark.parametrize("name", list(POLICIES))
@settings(max_examples=25, deadline=None)
@given(rows=JOBS)
def test_nothing_twice_gangs_whole_and_everybody_runs(
    name: str, preemptible: bool, rows: list[tuple[int, int, int, str, str, bool]]
) -> None:
    trace = trace_of(rows)
    how = Replay(policy=POLICIES[name], nodes=plain_nodes(NODES, WIDTH), preemptible=preemptible)
    result = replay(trace, how)
    require(result, how.costs)
    impossible = {number for number, job in enumerate(trace.jobs) if job.accelerators > WIDTH * NODES}
    assert set(result.impossible.tolist()) == impossible
    assert {number for number, end in enumerate(result.jobs.end_ms) if end == NEVER} == impossible
    again = replay(trace, how)
    assert (again.jobs.end_ms == result.jobs.end_ms).all()
    assert (again.runs.start_ms == result.runs.start_ms).all()


@settings(max_examples=25, deadline=None)
@given(rows=JOBS, limit=st.integers(0, 3))
def test_no_job_is_stopped_more_often_than_the_bound(
    rows: list[tuple[int, int, int, str, str, bool]], limit: int
) -> None:
    how = Replay(policy=POLICIES["petahour"], nodes=plain_nodes(NODES, WIDTH), bounds=Bounds(max_preemptions=limit))
    for preemptible in (False, True):
        result = replay(trace_of(rows), replace(how, preemptible=preemptible))
        assert result.jobs.preemptions.max() <= limit


@pytest.mark.parametrize("name", ["petahour", "max-min", "backfill"])
@settings(max_examples=25, deadline=None)
@given(rows=JOBS, seed=st.integers(0, 9), checkpoints=st.booleans())
def test_where_nodes_fail_everybody_still_ends_and_nothing_runs_on_what_is_down(
    name: str, rows: list[tuple[int, int, int, str, str, bool]], seed: int, checkpoints: bool
) -> None:
    costs = Costs(checkpoint_ms=60_000 if checkpoints else None)
    faults = Faults(node_mtbf_ms=30_000_000, repair_ms=600_000)
    how = Replay(policy=POLICIES[name], nodes=plain_nodes(NODES, WIDTH), costs=costs, faults=faults, seed=seed)
    result = replay(trace_of(rows), how)
    require(result, costs)
    assert ((result.jobs.end_ms != NEVER) | np.isin(np.arange(len(rows)), result.impossible)).all()
    assert (replay(trace_of(rows), how).runs.end_ms == result.runs.end_ms).all()


SPEEDS = st.lists(
    st.tuples(
        *(st.integers(0, 3_000_000), st.integers(1, 5_000_000), st.integers(1, 4), st.integers(1, 20)),
        *(st.booleans(), st.sampled_from(Tier)),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("preemptible", [False, True])
@pytest.mark.parametrize("name", ["petahour", "max-min", "finish-time", "las"])
@settings(max_examples=25, deadline=None)
@given(rows=SPEEDS)
def test_on_a_mixed_fleet_everybody_runs_on_what_there_is(
    name: str, preemptible: bool, rows: list[tuple[int, int, int, int, bool, Tier]]
) -> None:
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant="a",
            submit_ms=submit,
            duration_ms=duration,
            accelerators=accelerators,
            types=("fast", "slow") if likes_fast else ("slow", "fast"),
            speeds=(1.0, tenths / 10),
            walltime_ms=duration * 10,
            tier=Tier.ON_DEMAND if tier is Tier.RESERVED else tier,
        )
        for number, (submit, duration, accelerators, tenths, likes_fast, tier) in enumerate(rows)
    ]
    trace = Trace(name="mixed", jobs=sorted(jobs, key=lambda job: job.submit_ms))
    # Of the slow type, nodes are narrower than of the fast one: it has room enough for gangs that fit none of them.
    nodes = [
        replace(node, name=f"{kind}-{node.name}", type=kind, pool=kind)
        for kind, count, width in (("fast", 2, WIDTH), ("slow", 4, WIDTH // 2))
        for node in plain_nodes(count, width)
    ]
    how = Replay(policy=POLICIES[name], nodes=nodes, preemptible=preemptible)
    result = replay(trace, how)
    require(result, None)
    assert (result.jobs.end_ms != NEVER).all()
    again = replay(trace, how)
    assert (again.runs.start_ms == result.runs.start_ms).all()
    assert (again.placements.node == result.placements.node).all()
