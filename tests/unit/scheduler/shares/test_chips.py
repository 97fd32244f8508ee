from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.scheduler.shares.chips import Promise, Rules, choose, presses, promise
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.least_end import Plan, least_end, no_plan
from petahour.scheduler.shares.rounds import NOWHERE, Round

from .demands import demand, demands
from .test_rounds import check_fits, check_nobody_idles

RULES = Rules()


def decide(asked: Demand, remaining: np.ndarray, held: Promise, *, before: np.ndarray | None = None) -> Round:
    here = np.full(len(asked.gangs), NOWHERE) if before is None else before
    return choose(asked, remaining, least_end(asked, remaining), held, now_s=0, before=here, rules=RULES)


@given(demands(), st.data())
def test_any_promise_any_moment_fits_and_wastes_nothing(asked: Demand, data: st.DataObject) -> None:
    many = len(asked.gangs)
    remaining = np.array(data.draw(st.lists(st.integers(1, 9999), min_size=many, max_size=many)), dtype=float)
    plan = least_end(asked, remaining)
    span_s = plan.end_s * data.draw(st.floats(1, 4)) + 1
    held = Promise(ends_s=max(plan.end_s, span_s * data.draw(st.floats(0, 1))), span_s=span_s)
    chosen = decide(asked, remaining, held)
    check_fits(asked, chosen.on)
    check_nobody_idles(asked, chosen.on)
    assert (chosen.on == decide(asked, remaining, held).on).all()


@given(demands(), st.data())
def test_where_nothing_presses_promise_and_choice_are_as_with_the_plan(asked: Demand, data: st.DataObject) -> None:
    many = len(asked.gangs)
    remaining = np.array(data.draw(st.lists(st.integers(1, 9999), min_size=many, max_size=many)), dtype=float)
    before = np.array(data.draw(st.lists(st.integers(-1, asked.speeds.shape[1] - 1), min_size=many, max_size=many)))
    plan, arrived = least_end(asked, remaining), data.draw(st.booleans())
    ends_s = data.draw(st.floats(0, 3)) * plan.end_s
    old = Promise(ends_s=ends_s, span_s=ends_s * data.draw(st.floats(1, 3)))
    if presses(old, asked, remaining, now_s=0, arrived=arrived, rules=RULES):
        return
    on = []
    for told in (plan, no_plan(asked)):
        kept = promise(old, asked, remaining, told, now_s=0, arrived=arrived, rules=RULES)
        on.append((kept, choose(asked, remaining, told, kept, now_s=0, before=before, rules=RULES).on.tolist()))
    assert on[0] == on[1]


def test_what_is_over_long_before_the_promise_does_not_press() -> None:
    asked, remaining = demand([[2, 1], [2, 1]], [1, 1], [1, 1]), np.array([100.0, 100.0])
    loose, tight = Promise(ends_s=1000, span_s=1000), Promise(ends_s=100, span_s=1000)
    assert not presses(loose, asked, remaining, now_s=0, arrived=False, rules=RULES)
    assert presses(tight, asked, remaining, now_s=0, arrived=False, rules=RULES)


def run_out(asked: Demand, remaining: np.ndarray) -> tuple[float, float]:
    """Run all the work from one instant on: the mean end and the last."""
    left, ends = remaining.astype(float).copy(), np.zeros(len(remaining))
    now_s, held, step_s = 0.0, Promise(), RULES.round_ms / 1000
    here, arrived = np.full(len(left), NOWHERE), True
    for _ in range(10_000):
        alive = np.flatnonzero(left > 0)
        if not len(alive):
            return float(ends.mean()), float(ends.max())
        some = Demand(speeds=asked.speeds[alive], gangs=asked.gangs[alive], capacities=asked.capacities)
        plan = least_end(some, left[alive])
        held = promise(held, some, left[alive], plan, now_s=now_s, arrived=arrived, rules=RULES)
        on = choose(some, left[alive], plan, held, now_s=now_s, before=here[alive], rules=RULES).on
        arrived, here[alive] = False, on
        speed = np.where(on >= 0, some.usable[np.arange(len(alive)), np.maximum(on, 0)], 0.0)
        need_s = np.divide(left[alive], speed, out=np.full(len(alive), np.inf), where=speed > 0)
        past_s = min(step_s, float(need_s.min()))
        now_s += past_s
        left[alive] -= speed * past_s
        over = alive[need_s <= past_s + 1e-9]
        left[over], ends[over], here[over] = 0.0, now_s, NOWHERE
    raise AssertionError("the work never ends")


def backlog(seed: int) -> tuple[Demand, np.ndarray]:
    """Sixty jobs of several kinds on three types: several times what the fleet can run at once."""
    chance = np.random.default_rng(seed)
    gangs = chance.choice([1, 1, 1, 2, 4], 60)
    best = np.array([[1.0, 0.9, 0.3], [1.0, 0.5, 0.1], [1.0, 0.6, 0.25]])[chance.integers(0, 3, 60)]
    return demand(best.tolist(), gangs.tolist(), [4, 8, 12]), chance.integers(1800, 18_000, 60).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_a_backlog_ends_close_to_the_bound_and_long_before_it_on_average(seed: int) -> None:
    asked, remaining = backlog(seed)
    bound_s = least_end(asked, remaining).end_s
    mean_s, last_s = run_out(asked, remaining)
    assert bound_s * (1 - 1e-6) <= last_s <= 1.04 * bound_s
    assert mean_s <= 0.6 * bound_s


def test_while_nothing_presses_the_least_work_takes_the_fastest_type() -> None:
    asked = demand([[4, 1], [4, 1]], [1, 1], [1, 1])
    assert decide(asked, np.array([900.0, 100.0]), Promise(ends_s=1e6, span_s=1e6)).on.tolist() == [1, 0]


def test_a_gang_counts_with_all_its_accelerators() -> None:
    asked = demand([[1], [1]], [4, 1], [4])
    assert decide(asked, np.array([100.0, 300.0]), Promise(ends_s=1e6, span_s=1e6)).on.tolist() == [NOWHERE, 0]


def test_little_less_work_displaces_nobody() -> None:
    asked = demand([[1], [1]], [1, 1], [1])
    held = Promise(ends_s=1e6, span_s=1e6)
    assert decide(asked, np.array([100.0, 95.0]), held, before=np.array([0, NOWHERE])).stays == (0,)
    assert decide(asked, np.array([100.0, 80.0]), held, before=np.array([0, NOWHERE])).starts == (1,)


def test_who_must_run_from_now_on_goes_before_the_short() -> None:
    # The long job alone fills what is left of the promise; the short ones fit beside it only one after another.
    asked = demand([[1], [1], [1]], [1, 1, 1], [2])
    held = Promise(ends_s=10_000, span_s=20_000)
    assert decide(asked, np.array([10_000.0, 5_000.0, 5_000.0]), held).on.tolist() == [0, 0, NOWHERE]


def test_at_the_close_the_longest_goes_first() -> None:
    asked = demand([[1], [1], [1]], [1, 1, 1], [2])
    held = Promise(ends_s=9_000, span_s=90_000)
    assert decide(asked, np.array([4_000.0, 8_000.0, 6_000.0]), held).on.tolist() == [NOWHERE, 0, 0]


def test_a_promise_moves_when_work_arrives_and_where_it_cannot_be_kept() -> None:
    asked, remaining = demand([[2, 1]], [1], [1, 1]), np.array([1000.0])
    plan = least_end(asked, remaining)

    def at(held: Promise, now_s: float, arrived: bool, told: Plan = plan) -> Promise:
        return promise(held, asked, remaining, told, now_s=now_s, arrived=arrived, rules=RULES)

    first = at(Promise(), 0, arrived=True)
    assert first == Promise(ends_s=1000, span_s=1000)  # twice its own best time of 500 s
    assert at(first, 400, arrived=False) == first
    assert at(first, 700, arrived=False) == Promise(ends_s=pytest.approx(1200), span_s=1000)
    assert at(first, 100, arrived=True) == Promise(ends_s=1100, span_s=1000)
