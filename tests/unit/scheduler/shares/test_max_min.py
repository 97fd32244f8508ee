from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.max_min import equal_speeds, max_min

from .corners import most_alike
from .demands import demand, demands


def rates(asked: Demand, x: np.ndarray) -> np.ndarray:
    return (asked.usable * x).sum(axis=1) * asked.gangs / equal_speeds(asked)


@given(demands())
def test_shares_fit_the_fleet_and_the_day(asked: Demand) -> None:
    x = max_min(asked)
    assert (x >= 0).all()
    assert (x.sum(axis=1) <= 1 + 1e-6).all()
    assert (asked.gangs @ x <= asked.capacities + 1e-5).all()
    assert (x[asked.usable == 0] == 0).all()


@settings(max_examples=40)
@given(demands(jobs=3, types=2, everywhere=True))
def test_the_least_rate_is_as_great_as_any_corner_allows(asked: Demand) -> None:
    gains = asked.usable * asked.gangs[:, None] / equal_speeds(asked)[:, None]
    best = most_alike(gains, asked.gangs.astype(float), asked.capacities.astype(float))
    assert rates(asked, max_min(asked)).min() == pytest.approx(best, rel=1e-4)


@given(demands(everywhere=True), st.randoms(use_true_random=False))
def test_rates_do_not_depend_on_the_order_of_the_jobs(asked: Demand, random) -> None:
    order = list(range(len(asked.gangs)))
    random.shuffle(order)
    other = Demand(speeds=asked.speeds[order], gangs=asked.gangs[order], capacities=asked.capacities)
    assert rates(other, max_min(other)) == pytest.approx(rates(asked, max_min(asked))[order], rel=1e-3)


def test_each_runs_where_it_is_comparatively_faster() -> None:
    # The second job gains nothing on the first type, so the first has it all.
    x = max_min(demand([[2, 1], [1, 1]], [1, 1], [1, 1]))
    assert x == pytest.approx(np.eye(2), abs=1e-5)


def test_a_gang_of_four_is_due_a_quarter_of_the_time() -> None:
    x = max_min(demand([[1]] * 9, [4, *[1] * 8], [4]))
    assert x[:, 0] == pytest.approx([1 / 9, *[4 / 9] * 8], rel=1e-4)


def test_what_the_least_cannot_use_raises_the_next() -> None:
    # The first job can run on the small type alone; the others share the large one, and use it up.
    x = max_min(demand([[1, 0], [0, 1], [0, 1]], [1, 1, 1], [1, 1]))
    assert x[:, 0] == pytest.approx([1, 0, 0], abs=1e-5)
    assert x[:, 1] == pytest.approx([0, 0.5, 0.5], abs=1e-5)


def test_a_heavier_job_is_due_more() -> None:
    x = max_min(demand([[1], [1]], [1, 1], [1]), weights=np.array([3.0, 1.0]))
    assert x[:, 0] == pytest.approx([0.75, 0.25], rel=1e-4)


def test_who_can_run_nowhere_gets_nothing_and_spoils_nothing() -> None:
    x = max_min(demand([[0, 0], [1, 1], [5, 5]], [1, 1, 8], [2, 2]))
    assert (x[[0, 2]] == 0).all()
    assert x[1].sum() == pytest.approx(1, rel=1e-5)


def test_nobody_asks() -> None:
    assert max_min(demand([], [], [4, 4])).shape == (0, 2)


@pytest.mark.parametrize(
    ("speeds", "gangs", "capacities"),
    [([[-1.0]], [1], [1]), ([[float("nan")]], [1], [1]), ([[1.0]], [0], [1]), ([[1.0]], [1], [-1])],
)
def test_what_is_no_demand_is_refused(speeds: list[list[float]], gangs: list[int], capacities: list[int]) -> None:
    with pytest.raises(ValidationError):
        demand(speeds, gangs, capacities)


def test_arrays_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValidationError, match="row per gang"):
        Demand(speeds=np.ones((2, 2)), gangs=np.ones(3, dtype=np.int64), capacities=np.ones(2, dtype=np.int64))
