"""Nodes and accelerators that fail, drains and maintenance: who runs, what is lost, and that no policy decides it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.jobs import Tier
from petahour.scheduler.policies import POLICIES
from petahour.simulator.audit import audit
from petahour.simulator.drains import Drain
from petahour.simulator.faults import WHOLE, Cause, Faults
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.result import NEVER, Outage, Outcome, Result
from petahour.simulator.trace import Trace, TraceJob

NODES, WIDTH = 3, 4
HOUR_MS = 3_600_000
JOBS = st.lists(
    st.tuples(st.integers(0, 3 * HOUR_MS), st.integers(0, HOUR_MS), st.integers(1, 12), st.booleans()),
    min_size=1,
    max_size=30,
)
DRAINS = st.lists(
    st.builds(
        lambda node, begins, length, maintenance, notice: Drain(
            nodes=(f"node-{node}",),
            from_ms=begins,
            until_ms=begins + length,
            maintenance=maintenance,
            notice_ms=notice if maintenance else 0,
        ),
        st.sampled_from("012*"),
        st.integers(0, 4 * HOUR_MS),
        st.integers(1, 2 * HOUR_MS),
        st.booleans(),
        st.integers(0, HOUR_MS),
    ),
    max_size=4,
)
Rows = list[tuple[int, int, int, bool]]


def trace_of(rows: Rows) -> Trace:
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant="ab"[number % 2],
            submit_ms=submit,
            duration_ms=duration,
            accelerators=accelerators,
            tier=Tier.SPOT if spot else Tier.ON_DEMAND,
        )
        for number, (submit, duration, accelerators, spot) in enumerate(sorted(rows))
    ]
    return Trace(name="drawn", jobs=jobs)


def run(trace: Trace, policy: str, faults: Faults, seed: int = 0) -> Result:
    costs = Costs(checkpoint_ms=120_000)
    how = Replay(policy=POLICIES[policy], nodes=plain_nodes(NODES, WIDTH), costs=costs, faults=faults, seed=seed)
    return replay(trace, how)


def before(result: Result, at_ms: int) -> list[tuple[int, int, Cause, int]]:
    return [(one.node, one.accelerator, one.cause, one.from_ms) for one in result.outages if one.from_ms < at_ms]


@pytest.mark.parametrize("name", list(POLICIES))
@settings(max_examples=15, deadline=None)
@given(rows=JOBS, drains=DRAINS, seed=st.integers(0, 9))
def test_whatever_goes_out_of_service_everything_holds_and_everybody_ends(
    name: str, rows: Rows, drains: list[Drain], seed: int
) -> None:
    faults = Faults(
        node_mtbf_ms=20 * HOUR_MS, accelerator_mtbf_ms=50 * HOUR_MS, repair_ms=HOUR_MS // 4, drains=drains
    )
    result = run(trace_of(rows), name, faults, seed)
    assert audit(result) == []
    assert (result.jobs.end_ms != NEVER).all()
    assert all(0 <= capacity <= NODES * WIDTH for _, capacity in result.capacity)
    again = run(trace_of(rows), name, faults, seed)
    assert again.outages == result.outages
    assert (again.runs.end_ms == result.runs.end_ms).all()


@settings(max_examples=25, deadline=None)
@given(rows=JOBS, drains=DRAINS, seed=st.integers(0, 9))
def test_what_fails_when_is_the_same_under_every_policy(rows: Rows, drains: list[Drain], seed: int) -> None:
    faults = Faults(node_mtbf_ms=5 * HOUR_MS, accelerator_mtbf_ms=9 * HOUR_MS, repair_ms=HOUR_MS, drains=drains)
    results = [run(trace_of(rows), name, faults, seed) for name in ("fifo", "petahour", "las")]
    both_ms = min(int(result.runs.end_ms.max()) for result in results)
    assert before(results[0], both_ms) == before(results[1], both_ms) == before(results[2], both_ms)


def test_a_failed_accelerator_takes_its_gang_along_and_nothing_else() -> None:
    rows = [(0, 10 * HOUR_MS, 1, False) for _ in range(8)]
    result = run(trace_of(rows), "fifo", Faults(accelerator_mtbf_ms=40 * HOUR_MS, repair_ms=HOUR_MS), seed=3)
    out = [outage for outage in result.outages if outage.from_ms < int(result.runs.end_ms.min())]
    failed = result.runs.end_ms[result.runs.outcome == Outcome.FAILED]
    assert len(failed) > 0
    # One gang at most per failure, and a job of another accelerator of the node ran through.
    assert len(set(failed.tolist())) == len(failed)
    assert all(outage.accelerator != WHOLE for outage in out)
    assert (result.runs.outcome == Outcome.FINISHED).sum() == 8
    assert audit(result) == []


def test_a_drained_node_keeps_what_runs_and_a_maintenance_window_empties_it() -> None:
    rows = [(0, 2 * HOUR_MS, 4, False), (1_000, HOUR_MS, 4, False)]
    drain = Drain(nodes=("node-0",), from_ms=HOUR_MS // 2, until_ms=4 * HOUR_MS)
    how = Replay(policy=POLICIES["fifo"], nodes=plain_nodes(1, 4), costs=Costs(restart_ms=60_000))
    kept = replay(trace_of(rows), replace(how, faults=Faults(drains=[drain])))
    # The first runs to its end; the second waits until the drain is over, though the node is free before.
    assert kept.jobs.end_ms.tolist() == [2 * HOUR_MS, 5 * HOUR_MS]
    assert [capacity for _, capacity in kept.capacity] == [4, 0, 4]
    window = Drain(
        nodes=("node-*",),
        from_ms=HOUR_MS // 2,
        until_ms=4 * HOUR_MS,
        maintenance=True,
        notice_ms=HOUR_MS // 4,
    )
    emptied = replay(trace_of(rows), replace(how, faults=Faults(drains=[window])))
    # Told to stop, it saved half an hour of work, and goes on with the rest after a restart.
    assert emptied.runs.outcome.tolist() == [Outcome.DRAINED, Outcome.FINISHED, Outcome.FINISHED]
    assert emptied.jobs.end_ms[0] == 4 * HOUR_MS + 60_000 + 3 * HOUR_MS // 2
    assert emptied.jobs.preemptions.sum() == 0
    assert [(one.cause, one.from_ms, one.until_ms) for one in emptied.outages] == [
        (Cause.DRAIN, HOUR_MS // 4, 4 * HOUR_MS),
        (Cause.MAINTENANCE, HOUR_MS // 2, 4 * HOUR_MS),
    ]
    for result in (kept, emptied):
        assert audit(result) == []


def test_what_tells_its_walltime_starts_only_where_it_is_over_before_maintenance() -> None:
    rows = [(0, 2 * HOUR_MS, 4, False), (1_000, HOUR_MS, 4, False)]
    plain = trace_of(rows)
    jobs = [replace(job, walltime_ms=job.duration_ms + 60_000) for job in plain.jobs]
    window = Drain(nodes=("node-0",), from_ms=3 * HOUR_MS // 2, until_ms=4 * HOUR_MS, maintenance=True)
    how = Replay(policy=POLICIES["backfill"], nodes=plain_nodes(1, 4), faults=Faults(drains=[window]))
    result = replay(replace(plain, jobs=jobs), how)
    # The first waits until the window is over, and the second, which is short, goes before it.
    assert result.jobs.start_ms.tolist() == [4 * HOUR_MS, 1_000]
    assert result.runs.outcome.tolist() == [Outcome.FINISHED, Outcome.FINISHED]
    assert audit(result) == []
    rash = replace(result, outages=[replace(one, from_ms=HOUR_MS + 1_000) for one in result.outages])
    assert "nothing starts that would run into maintenance" in {finding.rule for finding in audit(rash)}


def test_a_replay_ends_though_somebody_can_never_run_and_nodes_fail_for_ever() -> None:
    jobs = [replace(trace_of([(0, HOUR_MS, 4, False)]).jobs[0], tier=Tier.RESERVED)]
    result = run(Trace(name="t", jobs=jobs), "fifo", Faults(node_mtbf_ms=HOUR_MS, repair_ms=HOUR_MS))
    assert result.jobs.end_ms.tolist() == [NEVER]


def test_the_audit_finds_runs_where_nothing_may_run() -> None:
    rows = [(0, HOUR_MS, 4, False), (0, HOUR_MS, 4, False), (0, HOUR_MS, 4, False), (0, HOUR_MS, 4, False)]
    sound = run(trace_of(rows), "fifo", Faults(drains=[Drain(nodes=("node-1",), from_ms=1, until_ms=2)]))

    def told(*outages: Outage) -> set[str]:
        return {finding.rule for finding in audit(replace(sound, outages=outages))}

    def out(cause: Cause, from_ms: int, accelerator: int = WHOLE) -> Outage:
        return Outage(node=0, accelerator=accelerator, cause=cause, from_ms=from_ms, until_ms=from_ms + 60_000)

    assert told() == set()
    assert told(out(Cause.NODE, 1_000)) == {"nothing runs on a node that is down"}
    assert told(out(Cause.MAINTENANCE, 1_000)) == {"nothing runs on a node that is down"}
    assert told(out(Cause.ACCELERATOR, 1_000, 0)) == {"no node gives more accelerators than it has"}
    assert told(out(Cause.DRAIN, 1_000)) == set()
    assert told(out(Cause.DRAIN, 0)) == {"nothing starts on a drained node"}
