from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.errors import ValidationError
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.finish_time import alone_speeds, finish_time

from .corners import most_alike
from .demands import demand, demands


def worst(asked: Demand, x: np.ndarray, remaining: np.ndarray, elapsed_s: np.ndarray, alone_s: np.ndarray) -> float:
    speed = (asked.usable * x).sum(axis=1)
    return float(((elapsed_s + remaining / speed) / (alone_s + remaining / alone_speeds(asked))).max())


def of_each(asked: Demand, data: st.DataObject, least: int) -> np.ndarray:
    many = len(asked.gangs)
    return np.array(data.draw(st.lists(st.integers(least, 500), min_size=many, max_size=many)), dtype=float)


@given(demands(jobs=8, everywhere=True), st.data())
def test_feasible_and_never_worse_than_alone(asked: Demand, data: st.DataObject) -> None:
    remaining, nothing = of_each(asked, data, 1), np.zeros(len(asked.gangs))
    x = finish_time(asked, remaining=remaining, elapsed_s=nothing, alone_s=nothing)
    assert (x >= 0).all()
    assert (x.sum(axis=1) <= 1 + 1e-6).all()
    assert (asked.gangs @ x <= asked.capacities + 1e-5).all()
    # An equal part each is feasible and has the ratio 1, so the least ratio is no greater.
    assert worst(asked, x, remaining, nothing, nothing) <= 1 + 1e-4


@settings(max_examples=25)
@given(demands(jobs=3, types=2, everywhere=True), st.data())
def test_no_lower_ratio_is_feasible(asked: Demand, data: st.DataObject) -> None:
    remaining, elapsed_s, alone_s = of_each(asked, data, 1), of_each(asked, data, 0), of_each(asked, data, 0)
    found = worst(
        asked,
        finish_time(asked, remaining=remaining, elapsed_s=elapsed_s, alone_s=alone_s),
        remaining,
        elapsed_s,
        alone_s,
    )
    due_s = alone_s + remaining / alone_speeds(asked)

    def feasible(ratio: float) -> bool:
        room_s = ratio * due_s - elapsed_s
        if (room_s <= 0).any():
            return False
        gains = asked.usable / (remaining / room_s)[:, None]
        return most_alike(gains, asked.gangs.astype(float), asked.capacities.astype(float)) >= 1

    assert feasible(found * 1.001)
    assert not feasible(found * 0.999)


def test_who_waited_longer_is_served_more() -> None:
    asked = demand([[1], [1]], [1, 1], [1])
    x = finish_time(
        asked, remaining=np.array([100.0, 100.0]), elapsed_s=np.array([300.0, 0.0]), alone_s=np.array([0.0, 0.0])
    )
    assert x[0, 0] > x[1, 0] > 0


def test_who_can_run_nowhere_gets_nothing() -> None:
    x = finish_time(
        demand([[0, 0], [1, 2]], [1, 1], [1, 1]), remaining=np.ones(2), elapsed_s=np.zeros(2), alone_s=np.zeros(2)
    )
    assert (x[0] == 0).all()
    assert (x[1] @ [1, 2]) == pytest.approx(2, rel=1e-4)


def test_nobody_asks() -> None:
    nobody = np.zeros(0)
    assert finish_time(demand([], [], [1]), remaining=nobody, elapsed_s=nobody, alone_s=nobody).shape == (0, 1)


def test_a_job_that_is_done_is_refused() -> None:
    with pytest.raises(ValidationError, match="remaining"):
        finish_time(demand([[1]], [1], [1]), remaining=np.zeros(1), elapsed_s=np.zeros(1), alone_s=np.zeros(1))
