"""What finished runs teach: towards what was measured, within bounds, and never surer than the runs allow."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.quoting.own_runs import LEAST_SPREAD, MOST_FACTOR, MOST_REACH, bounds_of, fair, learn, spread_of

RATIOS = st.lists(st.floats(min_value=1e-3, max_value=1e3), max_size=40)
SPREADS = st.floats(min_value=0.0, max_value=1.0)


def test_without_runs_nothing_is_corrected() -> None:
    known = learn([], spread=0.1)
    assert (known.factor, known.spread, known.runs) == (1.0, 0.1, 0)


def test_a_few_runs_move_the_factor_part_of_the_way_and_many_all_of_it() -> None:
    factors = [learn([1.2] * count, spread=0.1).factor for count in (1, 2, 8, 200)]
    assert factors == sorted(factors)
    assert factors[0] == pytest.approx(1.2 ** (1 / 3))
    assert factors[-1] == pytest.approx(1.2, rel=0.005)


def test_runs_that_agree_narrow_the_interval_and_runs_that_do_not_widen_it() -> None:
    assert learn([1.0, 1.01, 0.99] * 4, spread=0.1).spread < 0.06
    assert learn([0.7, 1.4] * 6, spread=0.1).spread > 0.2


def test_what_is_not_a_ratio_teaches_nothing() -> None:
    assert learn([math.nan, math.inf, 0.0, -1.0], spread=0.1).runs == 0


@given(RATIOS, SPREADS)
def test_the_factor_is_bounded_and_the_spread_stays_above_nothing(ratios: list[float], spread: float) -> None:
    known = learn(ratios, spread=spread)
    assert 1 / MOST_FACTOR - 1e-9 <= known.factor <= MOST_FACTOR + 1e-9
    assert known.spread >= LEAST_SPREAD
    assert math.isfinite(known.spread)


@given(st.lists(st.floats(min_value=0.55, max_value=1.8), min_size=1, max_size=20), SPREADS)
def test_the_factor_lies_between_one_and_the_runs(ratios: list[float], spread: float) -> None:
    factor = learn(ratios, spread=spread).factor
    assert min(1.0, *ratios) - 1e-9 <= factor <= max(1.0, *ratios) + 1e-9


@given(st.floats(min_value=1e-3, max_value=1e9), st.floats(min_value=0.001, max_value=1.0))
def test_bounds_and_spread_are_each_others_inverse(expected: float, spread: float) -> None:
    low, high = bounds_of(expected, spread)
    assert low < expected < high
    assert spread_of(low, high) == pytest.approx(spread)


@given(st.floats(min_value=1e-9, max_value=1e9), st.floats(min_value=0.0, max_value=1e12))
def test_no_interval_reaches_further_than_is_said(expected: float, spread: float) -> None:
    low, high = bounds_of(expected, spread)
    assert expected / MOST_REACH * 0.999 <= low <= expected <= high <= expected * MOST_REACH * 1.001


def test_a_fair_run_takes_between_half_and_twice_the_time_quoted() -> None:
    assert all(fair(ran, 100) for ran in (50, 100, 200))
    assert not any(fair(ran, 100) for ran in (1, 49, 201, 10**9))
