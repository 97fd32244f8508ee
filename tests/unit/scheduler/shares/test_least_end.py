from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.least_end import least_end, soon_end

from .corners import most_alike
from .demands import demand, demands


def work(asked: Demand, data: st.DataObject) -> np.ndarray:
    many = len(asked.gangs)
    return np.array(data.draw(st.lists(st.integers(1, 500), min_size=many, max_size=many)), dtype=float)


@given(demands(), st.data())
def test_the_plan_does_all_the_work_in_time(asked: Demand, data: st.DataObject) -> None:
    remaining = work(asked, data)
    plan = least_end(asked, remaining)
    can = asked.usable.max(axis=1) > 0
    done = (asked.usable * plan.time_s).sum(axis=1)
    assert (done[can] >= remaining[can] * (1 - 1e-5)).all()
    assert (plan.time_s[~can] == 0).all()
    assert (plan.time_s >= 0).all()
    assert (plan.time_s.sum(axis=1) <= plan.end_s * (1 + 1e-5)).all()
    assert (asked.gangs @ plan.time_s <= asked.capacities * plan.end_s * (1 + 1e-5) + 1e-9).all()


@settings(max_examples=40)
@given(demands(jobs=3, types=2, everywhere=True), st.data())
def test_no_corner_ends_sooner(asked: Demand, data: st.DataObject) -> None:
    remaining = work(asked, data)
    pace = most_alike(
        asked.usable / remaining[:, None], asked.gangs.astype(float), asked.capacities.astype(float)
    )  # the part of all work that can be done in a second
    assert least_end(asked, remaining).end_s == pytest.approx(1 / pace, rel=1e-4)


@given(demands(), st.data())
def test_nothing_ends_later_than_each_on_its_fastest_type_alone(asked: Demand, data: st.DataObject) -> None:
    remaining = work(asked, data)
    assert soon_end(asked, remaining) >= least_end(asked, remaining).end_s * (1 - 1e-6)


@given(demands(types=1, everywhere=True), st.data())
def test_one_type_needs_no_program_and_ends_alike(asked: Demand, data: st.DataObject) -> None:
    remaining = work(asked, data)
    twice = Demand(
        speeds=np.column_stack((asked.speeds, asked.speeds)),
        gangs=asked.gangs,
        capacities=np.append(asked.capacities, 0),
    )
    assert least_end(twice, remaining).end_s == pytest.approx(least_end(asked, remaining).end_s, rel=1e-5)


def test_nothing_to_do_is_over_now() -> None:
    assert least_end(demand([], [], [4, 4]), np.zeros(0)).end_s == 0
    assert least_end(demand([[0, 1]], [8], [4, 4]), np.ones(1)).end_s == 0
