"""Means and their intervals, against tables and against many draws."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest

from petahour.simulator.sweep.spread import spread_of, student


@pytest.mark.parametrize(
    ("freedom", "t"),
    # Fisher and Yates' table, two-sided 5 %.
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (9, 2.262), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_students_t_as_in_the_tables(freedom: int, t: float) -> None:
    assert student(freedom) == pytest.approx(t, abs=5e-4)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draws = np.random.default_rng(7).normal(3.0, 2.0, (4_000, 5))
    spreads = [spread_of(row.tolist()) for row in draws]
    covered = np.mean([abs(spread.mean - 3.0) <= spread.half for spread in spreads])
    assert covered == pytest.approx(0.95, abs=0.01)


def test_of_few_values() -> None:
    assert isnan(spread_of([]).mean)
    assert (spread_of([4.0, nan]).mean, spread_of([4.0]).count) == (4.0, 1)
    assert isnan(spread_of([4.0]).half)
    assert spread_of([2.0, 2.0, 2.0]).half == 0.0
    assert spread_of([1.0, 3.0]).half == pytest.approx(12.706, abs=1e-3)
