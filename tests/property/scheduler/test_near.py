"""What neighbours tell, against a dense Gaussian process and against integrals by quadrature."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.near import HALF_MS, HEARD, KEPT, OWN, POWER, SPREAD, Near, Usual, log_of

PRIOR = 20.0
USUAL = Usual("", PRIOR, SPREAD)
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
        near.learn(f"job-{number}", at_ms, ran_ms, USUAL)
    return near


@given(ends=_ends, at_ms=_instants)
def test_what_ended_is_heard_as_by_a_dense_gaussian_process(ends: list[tuple[int, int]], at_ms: int) -> None:
    mean, variance, _ = known(ends).expected(at_ms, USUAL, NOW_MS)
    assert (mean, variance) == pytest.approx(dense(ends, at_ms), rel=1e-6, abs=1e-6)
    assert 0 < variance <= SPREAD**2


@given(
    ends=_ends, at_ms=_instants, means=st.tuples(st.floats(12, 28), st.floats(12, 28)), spread=st.floats(0.5, SPREAD)
)
def test_a_job_of_another_kind_tells_how_far_it_went_beyond_what_is_usual_for_that(
    ends: list[tuple[int, int]], at_ms: int, means: tuple[float, float], spread: float
) -> None:
    """As the textbook's formula on what is left once each kind's mean and spread are taken away."""
    one, other = Usual("one", means[0], SPREAD), Usual("other", means[1], spread)
    near, same = Near(), Near()
    for number, (submitted_ms, ran_ms) in enumerate(ends):
        kind = other if number % 2 else one
        near.learn(f"job-{number}", submitted_ms, ran_ms, kind)
        beyond = (log_of(ran_ms) - kind.mean) / kind.spread
        assume(-2.0 < beyond < 2.0)
        same.learn(f"job-{number}", submitted_ms, round(2 ** (PRIOR + beyond * SPREAD)) - SECOND_MS, USUAL)
    told, moved = near.expected(at_ms, one, NOW_MS), same.expected(at_ms, USUAL, NOW_MS)
    assert (told.mean - one.mean, told.variance) == pytest.approx((moved.mean - PRIOR, moved.variance), abs=1e-3)
    narrow = near.expected(at_ms, Usual("third", means[0], spread), NOW_MS)
    assert (narrow.mean - means[0]) / spread == pytest.approx((told.mean - means[0]) / SPREAD, abs=1e-6)
    assert narrow.variance / spread**2 == pytest.approx(told.variance / SPREAD**2)


@given(ends=_ends, at_ms=_instants, began_ms=_instants, ran_ms=st.integers(1, 30 * DAY_MS))
def test_a_run_that_goes_on_never_shortens_what_is_expected(
    ends: list[tuple[int, int]], at_ms: int, began_ms: int, ran_ms: int
) -> None:
    near = known(ends[: HEARD - 1])
    before, *_ = near.expected(at_ms, USUAL, began_ms + ran_ms)
    near.begin("runs", at_ms, began_ms, USUAL)
    after, *_ = near.expected(at_ms, USUAL, began_ms + ran_ms)
    assert after >= before - 1e-9
    near.leave("runs", at_ms)
    assert near.expected(at_ms, USUAL, began_ms + ran_ms)[0] == pytest.approx(before)


@pytest.mark.parametrize("ran_ms", [20 * MINUTE_MS, 6 * HOUR_MS, 3 * DAY_MS])
def test_a_run_counts_as_the_normal_variable_that_is_at_least_so_long(ran_ms: int) -> None:
    near = Near()
    near.begin("runs", 0, 0, USUAL)
    mean, variance, _ = near.expected(0, USUAL, ran_ms)
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
    near.learn("short", 0, MINUTE_MS, USUAL)
    near.learn("long", 6 * HOUR_MS, 10 * DAY_MS, USUAL)
    means = [near.expected(at_ms, USUAL, NOW_MS)[0] for at_ms in range(0, 6 * HOUR_MS + 1, HOUR_MS)]
    assert means == sorted(means)
    assert means[0] < PRIOR < means[-1]


def test_a_run_that_began_later_than_the_instant_looked_at_tells_nothing_yet() -> None:
    near = known([(0, MINUTE_MS)])
    alone = near.expected(0, USUAL, HOUR_MS)
    near.begin("job-2", 0, 2 * HOUR_MS, USUAL)
    assert near.expected(0, USUAL, HOUR_MS)[:2] == alone[:2]
    assert near.expected(0, USUAL, 4 * HOUR_MS)[0] > alone[0]


def test_what_is_remembered_is_bounded_and_the_newest_stay() -> None:
    near = Near()
    for number in range(2 * KEPT):
        near.learn(f"job-{number}", number * MINUTE_MS, MINUTE_MS if number < KEPT else DAY_MS, USUAL)
    assert len(near._known) <= KEPT
    assert near.expected(2 * KEPT * MINUTE_MS, USUAL, NOW_MS)[0] == pytest.approx(log_of(DAY_MS), abs=1.0)
