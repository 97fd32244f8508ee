"""Limits on the price of spot in replays: kept hour by hour, as a check of its own tells from the runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petahour.billing.spot import too_dear
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS
from petahour.scheduler.policies import POLICIES
from petahour.simulator.fleet import PLAIN_TYPE, plain_nodes
from petahour.simulator.limits import parse_limits, with_limits
from petahour.simulator.money import bill_faults, bill_of
from petahour.simulator.money.held import limit_findings
from petahour.simulator.money.posted import posted_of
from petahour.simulator.readers import ReadOptions, read_trace
from petahour.simulator.readers.petahour_csv import write_trace
from petahour.simulator.replay import Costs, Replay, replay
from petahour.simulator.result import NEVER, Outcome, Result
from petahour.simulator.trace import Trace, TraceJob

from .test_posted import MINUTE_MS, prices

MILLION = 1_000_000
ROWS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(1, 300),
        st.integers(1, 8),
        st.booleans(),
        st.one_of(st.none(), st.integers(0, 10)),
    ),
    min_size=1,
    max_size=15,
)
Row = tuple[int, int, int, bool, int | None]


def trace_of(rows: list[Row]) -> Trace:
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant="a",
            submit_ms=submit * MINUTE_MS,
            duration_ms=length * MINUTE_MS,
            accelerators=accelerators,
            tier=Tier.SPOT if spot else Tier.ON_DEMAND,
            limit_micros=limit * MILLION if spot and limit is not None else None,
        )
        for number, (submit, length, accelerators, spot, limit) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
    return Trace(name="drawn", jobs=jobs)


def run(rows: list[Row], folder: Path, policy: str = "petahour") -> Result:
    how = Replay(
        policy=POLICIES[policy], nodes=plain_nodes(2, 4), costs=Costs(restart_ms=MINUTE_MS), prices=prices(folder)
    )
    return replay(trace_of(rows), how)


@pytest.mark.parametrize("policy", ["petahour", "backfill", "cheapest"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_limits_are_kept_and_prices_are_those_of_the_runs(tmp_path: Path, policy: str, rows: list[Row]) -> None:
    result, book = run(rows, tmp_path, policy), prices(tmp_path)
    assert list(limit_findings(result, book)) == []
    if result.posted is not None:
        known = posted_of(result, book).prices[PLAIN_TYPE]
        assert result.posted.prices[PLAIN_TYPE][: len(known)] == known
    bill = bill_of(result, book, restart_ms=MINUTE_MS)
    assert list(bill_faults(result, bill, book, restart_ms=MINUTE_MS)) == []
    for number, job in enumerate(result.trace.jobs):
        if result.jobs.end_ms[number] == NEVER:  # below the floor, nothing is ever sold
            assert job.limit_micros is not None
            assert job.limit_micros < 4 * MILLION


def test_a_run_is_stopped_as_its_price_passes_the_limit_and_goes_on_when_it_has_fallen(tmp_path: Path) -> None:
    # A full fleet raises the price from 4 by 2 an hour from the third hour on: 6 is above the limit of 5.
    result = run([(0, 240, 8, True, 5)], tmp_path)
    assert result.runs.outcome.tolist()[0] == Outcome.PRICED_OUT
    assert int(result.runs.end_ms[0]) == 2 * HOUR_MS
    assert result.jobs.end_ms[0] != NEVER
    bill = bill_of(result, prices(tmp_path), restart_ms=MINUTE_MS)
    assert bill.held is not None
    assert (bill.held.jobs, bill.held.stops) == (1, int((result.runs.outcome == Outcome.PRICED_OUT).sum()))
    assert bill.held.hours > 0


def test_an_audit_finds_a_limit_that_was_passed(tmp_path: Path) -> None:
    result, book = run([(0, 240, 8, True, 9)], tmp_path), prices(tmp_path)
    assert list(limit_findings(result, book)) == []
    low = replace(result.trace, jobs=[replace(job, limit_micros=5 * MILLION) for job in result.trace.jobs])
    assert {one.rule for one in limit_findings(replace(result, trace=low), book)} == {
        "nobody runs on above his limit"
    }


def test_limits_are_drawn_alike_for_a_seed_and_written_with_the_trace(tmp_path: Path) -> None:
    trace = trace_of([(number, 10, 1, number % 2 == 0, None) for number in range(200)])
    made = with_limits(trace, parse_limits("0.5:0.8-1.2"), prices(tmp_path), (PLAIN_TYPE,), 3, preemptible=False)
    again = with_limits(trace, parse_limits("0.5:0.8-1.2"), prices(tmp_path), (PLAIN_TYPE,), 3, preemptible=False)
    assert made.jobs == again.jobs
    limits = [job.limit_micros for job in made.jobs if job.limit_micros is not None]
    assert 30 < len(limits) < 70
    assert all(3_200_000 <= limit <= 4_800_000 for limit in limits)
    assert all(job.limit_micros is None for job in made.jobs if job.tier is not Tier.SPOT)
    write_trace(made, tmp_path / "made.csv")
    assert read_trace(tmp_path / "made.csv", "petahour", ReadOptions()).jobs == made.jobs
    with pytest.raises(ValidationError, match="price_limits"):
        parse_limits("half")


def test_a_price_is_too_dear_from_the_hour_that_a_grace_period_reaches() -> None:
    def asked(at_ms: int) -> int:
        return 7 if at_ms >= HOUR_MS else 3

    assert too_dear(asked, 5, now_ms=HOUR_MS - 1000, grace_ms=500) is None
    assert too_dear(asked, 5, now_ms=HOUR_MS - 1000, grace_ms=1000) == (7, HOUR_MS)
    assert too_dear(asked, None, now_ms=HOUR_MS, grace_ms=0) is None
