"""`cheapest`: the least price per work with room; the fastest type at one price, the cheapest at one speed."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from petahour.model.jobs import Tier
from petahour.model.resources import Gang, Node
from petahour.scheduler.ask import Waiting
from petahour.scheduler.decide import decide
from petahour.scheduler.funds import Money
from petahour.scheduler.policies import POLICIES
from petahour.scheduler.state import State

TYPES = ("a", "b", "c", "d")
HOUR_MS = 3_600_000
PRICES = st.lists(st.one_of(st.integers(1, 10**9), st.none()), min_size=4, max_size=4)
SPEEDS = st.lists(st.integers(1, 400), min_size=4, max_size=4)
ROOM = st.lists(st.integers(0, 3), min_size=4, max_size=4)


def state_of(prices: list[int | None] | None, room: list[int]) -> State:
    nodes = [
        Node(name=f"{name}-{number}", pool=name, engine="local", type=name, accelerators=4)
        for name, count in zip(TYPES, room, strict=True)
        for number in range(count)
    ]
    money = None
    if prices is not None:
        sold = {("t", name, Tier.SPOT): price for name, price in zip(TYPES, prices, strict=True) if price is not None}
        money = Money(available_micros={"t": 10**18}, prices_micros=sold, hold_interval_ms=HOUR_MS)
    return State(POLICIES["cheapest"], nodes, money=money)


def chosen(prices: list[int | None] | None, speeds: list[int], room: list[int]) -> str | None:
    state = state_of(prices, room)
    ask = state.asks.of(
        tenant="t", tier=Tier.SPOT, types=TYPES, gang=Gang(), speeds=tuple(speed / 100 for speed in speeds)
    )
    state.enqueue(Waiting(id="j", seq=0, ask=ask, submitted_ms=0))
    made = decide(state, 0)
    return made.starts[0].type if made.starts else None


@settings(max_examples=200, deadline=None)
@given(prices=PRICES, speeds=SPEEDS, room=ROOM)
def test_the_least_price_per_work_among_those_with_room(
    prices: list[int | None], speeds: list[int], room: list[int]
) -> None:
    open_types = [
        (Fraction(price, speed), name)
        for name, price, speed, count in zip(TYPES, prices, speeds, room, strict=True)
        if price is not None and count
    ]
    found = chosen(prices, speeds, room)
    if not open_types:
        assert found is None
        return
    at = TYPES.index(found) if found is not None else -1
    price = prices[at]
    assert price is not None
    # Exact fractions here, floats there: nothing is cheaper by more than their rounding.
    assert float(Fraction(price, speeds[at])) <= float(min(open_types)[0]) * (1 + 1e-12)


@settings(max_examples=100, deadline=None)
@given(price=st.one_of(st.integers(1, 10**9), st.none()), speeds=SPEEDS)
def test_with_equal_prices_or_none_it_is_the_fastest_type(price: int | None, speeds: list[int]) -> None:
    found = chosen(None if price is None else [price] * 4, speeds, [1] * 4)
    assert found == TYPES[speeds.index(max(speeds))]


@settings(max_examples=100, deadline=None)
@given(prices=st.lists(st.integers(0, 10**13), min_size=4, max_size=4), speed=st.integers(1, 400))
def test_with_equal_speeds_it_is_the_cheapest_type(prices: list[int], speed: int) -> None:
    assert chosen(list(prices), [speed] * 4, [1] * 4) == TYPES[prices.index(min(prices))]


def test_it_does_not_wait_for_a_cheaper_type_and_keeps_the_order_of_arrival() -> None:
    state = state_of([100, 200, None, None], [1, 2, 1, 1])
    for number, (accelerators, name) in enumerate([(4, "first"), (4, "second"), (2, "third")]):
        ask = state.asks.of(
            tenant="t", tier=Tier.SPOT, types=TYPES[:2], gang=Gang(accelerators_per_node=accelerators)
        )
        state.enqueue(Waiting(id=name, seq=number, ask=ask, submitted_ms=number))
    assert [(start.job.id, start.type) for start in decide(state, 10).starts] == [
        ("first", "a"),
        ("second", "b"),
        ("third", "b"),
    ]
