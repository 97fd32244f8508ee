"""Estimates: each kind is as wrong as its source says, from the seed alone; backfilling copes with all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.scheduler.decide import decide
from petahour.scheduler.decisions import Decisions
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import State
from petahour.simulator import replay as replaying
from petahour.simulator.audit import audit
from petahour.simulator.estimates import LENGTHS_MS, EstimateNoise, parse_noise, with_estimates
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.replay import Replay, replay
from petahour.simulator.result import NEVER
from petahour.simulator.trace import Trace, TraceJob

HOUR_MS = 3_600_000


def trace_of(rows: list[tuple[int, int, int]]) -> Trace:
    return Trace(
        name="t",
        jobs=[
            TraceJob(
                row=number,
                id=str(number),
                tenant="a",
                submit_ms=submit,
                duration_ms=duration,
                accelerators=accelerators,
            )
            for number, (submit, duration, accelerators) in enumerate(sorted(rows))
        ],
    )


def factors(noise: str, seed: int = 1, duration_ms: int = HOUR_MS) -> np.ndarray:
    made = with_estimates(trace_of([(0, duration_ms, 1)] * 4_000), parse_noise(noise), seed)
    return np.array([job.walltime_ms for job in made.jobs]) / duration_ms


def test_lognormal_estimates_are_wrong_in_both_directions() -> None:
    logs = np.log(factors("lognormal:0.5"))
    assert abs(logs.mean()) < 0.03
    assert abs(logs.std() - 0.5) < 0.02
    # As of a normal distribution: a third further off than one deviation, and tails that a bounded one lacks.
    assert 0.29 < (abs(logs) > 0.5).mean() < 0.345
    assert 1e-3 < (abs(logs) > 3 * 0.45).mean() < 2e-2


def test_the_f_model_is_uniform_and_never_too_short() -> None:
    found = factors("f:4")
    assert found.min() >= 1.0
    assert found.max() <= 5.001
    assert abs(np.percentile(found, 25) - 2.0) < 0.1
    assert abs(np.median(found) - 3.0) < 0.1


def test_modal_estimates_are_lengths_that_people_write() -> None:
    found = factors("modal:4") * HOUR_MS
    assert set(found.astype(int).tolist()) <= set(LENGTHS_MS)
    assert (found >= factors("f:4") * HOUR_MS - 1).all()
    days = factors("modal:1", duration_ms=200 * HOUR_MS) * 200 / 24
    assert np.allclose(days, np.round(days))


def test_no_noise_is_the_run_time_on_the_slowest_type() -> None:
    job = replace(trace_of([(0, 7_100, 1)]).jobs[0], types=("fast", "slow"), speeds=(1.0, 0.5))
    for noise in ("lognormal:0", "f:0"):
        assert with_estimates(Trace(name="t", jobs=[job]), parse_noise(noise), 0).jobs[0].walltime_ms == 15_000
    instant = with_estimates(trace_of([(0, 0, 1)]), parse_noise("f:4"), 0)
    assert instant.jobs[0].walltime_ms == 1_000


def test_the_seed_decides() -> None:
    assert (factors("lognormal:1", 1) == factors("lognormal:1", 1)).all()
    assert (factors("lognormal:1", 1) != factors("lognormal:1", 2)).mean() > 0.9


@pytest.mark.parametrize("text", ["", "f", "f:", "f:x", "f:-1", "f:nan", "f:1e9", "lognormal:6", "guess:1", "f:1:2"])
def test_a_wrong_noise_is_named(text: str) -> None:
    with pytest.raises(ValidationError, match="estimate_noise"):
        parse_noise(text)


NODES, WIDTH = 2, 4
ROWS = st.lists(
    st.tuples(st.integers(0, 3_000_000), st.integers(1, 3_000_000), st.integers(1, NODES * WIDTH)),
    min_size=1,
    max_size=30,
)
NOISE = st.sampled_from([("lognormal", 1.0), ("lognormal", 3.0), ("f", 4.0), ("f", 0.0), ("modal", 9.0)])


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, noise=NOISE, seed=st.integers(0, 99))
@example(  # the head is blocked by what the same pass started
    rows=[(0, 1, 1), (0, 1, 1), (0, 2, 3), (0, 2, 3), (0, 998, 6), (1, 1, 3)], noise=("f", 4.0), seed=0
)
def test_backfilling_on_wrong_estimates_starves_nobody_and_keeps_promises_on_bounds(
    rows: list[tuple[int, int, int]], noise: tuple[str, float], seed: int
) -> None:
    kind, amount = noise
    trace = with_estimates(trace_of(rows), EstimateNoise(kind=kind, amount=amount), seed)
    promised: dict[str, int] = {}

    def watched(state: State, now_ms: int) -> Decisions:
        made = decide(state, now_ms)
        if made.reserved is not None:
            promised.setdefault(made.reserved.job, made.reserved.begins_ms)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "decide", watched)
        result = replay(trace, Replay(policy=POLICIES["backfill"], nodes=plain_nodes(NODES, WIDTH)))
    assert audit(result) == []
    assert (result.jobs.end_ms != NEVER).all()
    if kind != "lognormal":
        # Walltimes that are bounds: the head of the queue starts when it was first promised to, or before.
        for number, job in enumerate(trace.jobs):
            assert result.jobs.start_ms[number] <= promised.get(job.id, result.jobs.start_ms[number])


def test_estimates_too_short_delay_a_reservation_and_no_longer_than_the_truth() -> None:
    # The first says an hour and runs for two; the gang of all is promised the end of that hour.
    jobs = [
        replace(trace_of([(0, 2 * HOUR_MS, 4)]).jobs[0], walltime_ms=HOUR_MS),
        replace(trace_of([(1, HOUR_MS, 8)]).jobs[0], row=1, id="1", walltime_ms=HOUR_MS),
        replace(trace_of([(2, HOUR_MS // 2, 4)]).jobs[0], row=2, id="2", walltime_ms=HOUR_MS // 2),
        replace(trace_of([(3, 3 * HOUR_MS, 4)]).jobs[0], row=3, id="3", walltime_ms=3 * HOUR_MS),
    ]
    result = replay(Trace(name="t", jobs=jobs), Replay(policy=POLICIES["backfill"], nodes=plain_nodes(2, 4)))
    # The short one runs beside, the long one would delay the gang; the gang starts when the first really ends.
    assert result.jobs.start_ms.tolist() == [0, 2 * HOUR_MS, 2, 3 * HOUR_MS]
