"""What neighbours tell, against a dense Gaussian process and against integrals by quadrature."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.near import HALF_MS, HEARD, KEPT, OWN, POWER, SPREAD, Near, log_of

PRIOR = 20.0
NOW_MS = 40 * DAY_MS

_instants = st.integers(0, 3 * DAY_MS)
_ends = st.lists(
    st.tuples(_instants, st.integers(1_000, 10 * DAY_MS)), min_size=1, max_size=HEARD, unique_by=lambda one: one[0]
)


def dense(ends: list[tuple[int, int]], at_ms: int) -> tuple[float, float]:
    """The textbook's formula with one linear solve."""
    when = np.array([one[0] for one in ends], dtype=float)
    logs = np.array([log2(one[1] + SECOND_MS) for one in ends])

    def alike(apart_ms: np.ndarray) -> np.ndarray:
        return (1 - OWN) / (1 + (np.abs(apart_ms) / HALF_MS) ** POWER)

    covariance = alike(when[:, None] - when[None, :]) + OWN * np.eye(len(ends))
    weights = np.linalg.solve(covariance, alike(when - at_ms))
    return PRIOR + float(weights @ (logs - PRIOR)), SPREAD**2 * (1 - float(weights @ alike(when - at_ms)))


def known(ends: list[tuple[int, int]]) -> Near:
    near = Near()
    for number, (at_ms, ran_ms) in enumerate(ends):
        near.learn(f"job-{number}", at_ms, ran_ms)
    return near


@given(ends=_ends, at_ms=_instants)
def test_what_ended_is_heard_as_by_a_dense_gaussian_process(ends: list[tuple[int, int]], at_ms: int) -> None:
    mean, variance, _ = known(ends).expected(at_ms, PRIOR, NOW_MS)
    assert (mean, variance) == pytest.approx(dense(ends, at_ms), rel=1e-6, abs=1e-6)
    assert 0 < variance <= SPREAD**2


@given(ends=_ends, at_ms=_instants, began_ms=_instants, ran_ms=st.integers(1, 30 * DAY_MS))
def test_a_run_that_goes_on_never_shortens_what_is_expected(
    ends: list[tuple[int, int]], at_ms: int, began_ms: int, ran_ms: int
) -> None:
    near = known(ends[: HEARD - 1])
    before, *_ = near.expected(at_ms, PRIOR, began_ms + ran_ms)
    near.begin("runs", at_ms, began_ms)
    after, *_ = near.expected(at_ms, PRIOR, began_ms + ran_ms)
    assert after >= before - 1e-9
    near.leave("runs", at_ms)
    assert near.expected(at_ms, PRIOR, began_ms + ran_ms)[0] == pytest.approx(before)


@pytest.mark.parametrize("ran_ms", [20 * MINUTE_MS, 6 * HOUR_MS, 3 * DAY_MS])
def test_a_run_counts_as_the_normal_variable_that_is_at_least_so_long(ran_ms: int) -> None:
    near = Near()
    near.begin("runs", 0, 0)
    mean, variance, _ = near.expected(0, PRIOR, ran_ms)
    # Beside the run itself, of whose variance another's is a part.
    scale = np.linspace(PRIOR - 12 * SPREAD, PRIOR + 12 * SPREAD, 2_000_001)
    weight = np.exp(-(((scale - PRIOR) / SPREAD) ** 2) / 2) * (scale >= log_of(ran_ms))
    own_mean = float((scale * weight).sum() / weight.sum())
    own_variance = float((((scale - own_mean) ** 2) * weight).sum() / weight.sum())
    alike = 1 - OWN
    assert mean == pytest.approx(PRIOR + alike * (own_mean - PRIOR), abs=0.01)
    assert variance == pytest.approx(SPREAD**2 - alike**2 * (SPREAD**2 - own_variance), rel=0.01)


def test_the_nearer_ends_outweigh_those_further_away() -> None:
    near = Near()
    near.learn("short", 0, MINUTE_MS)
    near.learn("long", 6 * HOUR_MS, 10 * DAY_MS)
    means = [near.expected(at_ms, PRIOR, NOW_MS)[0] for at_ms in range(0, 6 * HOUR_MS + 1, HOUR_MS)]
    assert means == sorted(means)
    assert means[0] < PRIOR < means[-1]


def test_a_run_that_began_later_than_the_instant_looked_at_tells_nothing_yet() -> None:
    near = known([(0, MINUTE_MS)])
    alone = near.expected(0, PRIOR, HOUR_MS)
    near.begin("job-2", 0, 2 * HOUR_MS)
    assert near.expected(0, PRIOR, HOUR_MS)[:2] == alone[:2]
    assert near.expected(0, PRIOR, 4 * HOUR_MS)[0] > alone[0]


def test_what_is_remembered_is_bounded_and_the_newest_stay() -> None:
    near = Near()
    for number in range(2 * KEPT):
        near.learn(f"job-{number}", number * MINUTE_MS, MINUTE_MS if number < KEPT else DAY_MS)
    assert len(near._known) <= KEPT
    assert near.expected(2 * KEPT * MINUTE_MS, PRIOR, NOW_MS)[0] == pytest.approx(log_of(DAY_MS), abs=1.0)
