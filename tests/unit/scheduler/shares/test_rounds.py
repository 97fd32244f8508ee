from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.max_min import max_min
from petahour.scheduler.shares.rounds import NOWHERE, Account, closed, next_round, opened, turn

from .demands import demand, demands

ROUND_MS = 360_000


def check_fits(asked: Demand, on: np.ndarray) -> None:
    for number, capacity in enumerate(asked.capacities.tolist()):
        assert asked.gangs[on == number].sum() <= capacity
    for job, number in enumerate(on.tolist()):
        assert number == NOWHERE or asked.usable[job, number] > 0


def check_nobody_idles(asked: Demand, on: np.ndarray) -> None:
    free = [int(size - asked.gangs[on == number].sum()) for number, size in enumerate(asked.capacities.tolist())]
    for job in np.flatnonzero(on == NOWHERE).tolist():
        for number, left in enumerate(free):
            assert asked.usable[job, number] == 0 or asked.gangs[job] > left


@given(demands(), st.integers(1, 5))
def test_rounds_never_exceed_capacity_and_waste_nothing(asked: Demand, rounds: int) -> None:
    jobs, types = asked.speeds.shape
    shares, account = max_min(asked), opened(jobs, types, round_ms=ROUND_MS)
    on = np.full(jobs, NOWHERE)
    for _ in range(rounds):
        before, held = on, next_round(asked, shares, account, before=on)
        on = held.on
        check_fits(asked, on)
        check_nobody_idles(asked, on)
        named = sorted([*held.stays, *held.starts, *held.moves, *held.stops])
        assert named == [job for job in range(jobs) if before[job] != NOWHERE or on[job] != NOWHERE]
        assert all(on[job] == before[job] for job in held.stays)
        assert all(before[job] == NOWHERE for job in held.starts)
        assert all(NOWHERE != before[job] != on[job] != NOWHERE for job in held.moves)
        assert all(on[job] == NOWHERE for job in held.stops)
        received_ms = account.received_ms.copy()
        received_ms[on != NOWHERE, on[on != NOWHERE]] += ROUND_MS
        account = Account(received_ms=received_ms, owed_ms=account.owed_ms)


def test_time_received_comes_to_the_shares() -> None:
    asked = demand([[3, 1], [2, 1], [1, 1], [5, 4], [2, 1], [9, 1]], [1] * 6, [2, 2])
    shares, account, on = max_min(asked), opened(6, 2, round_ms=ROUND_MS), np.full(6, NOWHERE)
    rounds = 400
    for _ in range(rounds):
        on = next_round(asked, shares, account, before=on).on
        received_ms = account.received_ms.copy()
        received_ms[on != NOWHERE, on[on != NOWHERE]] += ROUND_MS
        account = Account(received_ms=received_ms, owed_ms=account.owed_ms)
    had = (account.received_ms - ROUND_MS / 2) / (rounds * ROUND_MS)
    speed, due = (asked.usable * had).sum(axis=1), (asked.usable * shares).sum(axis=1)
    assert (speed >= 0.9 * due).all()


def test_equal_jobs_take_turns() -> None:
    asked = demand([[1], [1]], [1, 1], [1])
    account = opened(2, 1, round_ms=ROUND_MS)
    first = next_round(asked, np.array([[0.5], [0.5]]), account, before=np.array([NOWHERE, NOWHERE]))
    assert first.starts == (0,)
    account.received_ms[0, 0] += ROUND_MS
    second = next_round(asked, np.array([[0.5], [0.5]]), account, before=first.on)
    assert (second.starts, second.stops) == ((1,), (0,))


def test_among_equals_the_lease_is_renewed() -> None:
    asked = demand([[1], [1]], [1, 1], [1])
    account = opened(2, 1, round_ms=ROUND_MS)
    held = next_round(asked, np.array([[0.5], [0.5]]), account, before=np.array([NOWHERE, 0]))
    assert held.stays == (1,)


def test_what_is_owed_breaks_ties() -> None:
    asked = demand([[1], [1]], [1, 1], [1])
    account = opened(2, 1, round_ms=ROUND_MS)
    account.received_ms[0, 0] += ROUND_MS
    after = closed(account, np.array([[0.5], [0.5]]), since_ms=ROUND_MS, round_ms=ROUND_MS)
    assert after.owed_ms[:, 0] == pytest.approx([-ROUND_MS / 2, ROUND_MS / 2])
    assert (after.received_ms == ROUND_MS / 2).all()
    assert next_round(asked, np.array([[0.5], [0.5]]), after, before=np.array([0, NOWHERE])).starts == (1,)


def test_a_pair_that_does_not_fit_is_passed_over_whole() -> None:
    asked = demand([[1], [1], [1]], [2, 2, 1], [3])
    held = turn(asked, [(0, 0), (1, 0), (2, 0)], before=np.full(3, NOWHERE))
    assert held.on.tolist() == [0, NOWHERE, 0]
