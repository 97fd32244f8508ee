"""The posted price of spot capacity: how it follows occupancy, by a rule that is published in the price book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from petahour.model.errors import InvariantError
from petahour.model.time import hour_floor

WHOLE_PPM = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SpotRule:
    """How the posted price of a type moves: micro-units per accelerator-hour, occupancy in millionths.

    It never leaves ``floor_micros`` to ``ceiling_micros`` and never moves by more than ``step_micros`` an hour.
    """

    floor_micros: int
    ceiling_micros: int
    step_micros: int
    target_ppm: int

    def within(self, micros: int) -> int:
        """The nearest price between floor and ceiling."""
        return max(self.floor_micros, min(self.ceiling_micros, micros))


def next_price(rule: SpotRule, before_micros: int, *, held_ams: int, capacity_ams: int) -> int:
    """The price that follows ``before_micros`` after an hour in which so much of the capacity was held.

    At the target nothing changes. Above it the price rises by ``step`` x (occupancy - target) / (1 - target), below
    it it falls by ``step`` x (target - occupancy) / target: a full fleet moves it by a whole step up, an empty one by
    a whole step down. Changes are rounded down to a micro-unit and end at floor and ceiling. Without any capacity
    nobody knows how sought it is, and the price stays. A price outside floor and ceiling, as a new book may find it,
    is first brought inside. Raises InvariantError on negative times.
    """
    if held_ams < 0 or capacity_ams < 0:
        raise InvariantError(rule="held time and capacity are not negative", value=(held_ams, capacity_ams))
    before = rule.within(before_micros)
    if not capacity_ams:
        return before
    over = min(held_ams, capacity_ams) * WHOLE_PPM - rule.target_ppm * capacity_ams
    reach = (WHOLE_PPM - rule.target_ppm if over > 0 else rule.target_ppm) * capacity_ams
    change = rule.step_micros * abs(over) // reach
    return rule.within(before + change if over > 0 else before - change)


def too_dear(
    asked: Callable[[int], int], limit_micros: int | None, *, now_ms: int, grace_ms: int
) -> tuple[int, int] | None:
    """The price above the limit that holds now or by the end of a grace period, and from when; None without one.

    ``asked`` tells what an accelerator-hour costs at an instant, before the limit.
    """
    if limit_micros is None:
        return None
    for at_ms in dict.fromkeys((now_ms, hour_floor(now_ms + grace_ms))):
        price = asked(max(at_ms, now_ms))
        if price > limit_micros:
            return price, max(hour_floor(at_ms), hour_floor(now_ms))
    return None
