"""Shares of lent capacity against fractions: never more than the charge, each within a micro-unit of what is due."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.lending import lent_ams, shares
from petahour.model.jobs import Tier
from petahour.model.promises import Lending
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS
from petahour.model.usage import UsageRecord

PPM = 1_000_000


@st.composite
def charged(draw: st.DrawFn) -> tuple[int, int, dict[str, int]]:
    """An amount, the time it is for, and what of that time lay on lent seats, weighed by the owners' parts."""
    billed_ams = draw(st.integers(1, 64 * HOUR_MS))
    left, weights = billed_ams, {}
    for number in range(draw(st.integers(1, 4))):
        lent = draw(st.integers(0, left))
        left -= lent
        weights[f"res-{number}"] = lent * draw(st.integers(1, PPM))
    return draw(st.integers(0, 10**12)), billed_ams, weights


@given(charged())
def test_shares_sum_to_what_is_due_rounded_once(given: tuple[int, int, dict[str, int]]) -> None:
    amount, billed_ams, weights = given
    exact = {name: Fraction(amount * weight, billed_ams * PPM) for name, weight in weights.items()}
    found = shares(amount, billed_ams, weights)
    assert sum(found.values()) == round(sum(exact.values(), Fraction(0))) <= amount
    assert all(abs(found[name] - exact[name]) < 1 for name in exact)


@given(
    st.integers(0, 20),
    st.integers(1, 20),
    st.integers(0, 30),
    st.integers(1, 30),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1),
)
def test_lent_time_is_counted_millisecond_by_millisecond(
    start: int, long: int, begins: int, lasts: int, held: set[tuple[str, int]], kept: set[tuple[str, int]]
) -> None:
    record = UsageRecord(
        id="use-a-0",
        allocation="a",
        job="j",
        tenant="t",
        project="p",
        type="cpu",
        tier=Tier.SPOT,
        rehearsal=False,
        hour_ms=0,
        start_ms=start,
        end_ms=start + long,
        accelerators=len(held),
        billed_ams=long * len(held),
        waived_ams=0,
    )
    lending = Lending(
        reservation="r",
        tenant="o",
        currency="CNY",
        rehearsal=False,
        share_ppm=1,
        seats=slots_of(kept),
        from_ms=begins,
        to_ms=begins + lasts,
    )
    counted = sum(
        1 for at in range(start, start + long) for place in held if place in kept and begins <= at < begins + lasts
    )
    assert lent_ams(record, slots_of(held), lending) == counted


def slots_of(places: set[tuple[str, int]]) -> tuple[Slot, ...]:
    nodes = sorted({node for node, _ in places})
    return tuple(Slot(node=name, indexes=tuple(sorted(i for n, i in places if n == name))) for name in nodes)
