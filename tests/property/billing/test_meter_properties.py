"""However often and whenever it is metered, an allocation gives the same time, once and without a gap."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.meter import meter
from petahour.billing.rate import rate
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.jobs import Tier
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS
from petahour.model.usage import UsageRecord

BASE = 482_000 * HOUR_MS
SPAN = 6 * HOUR_MS


@st.composite
def allocations(draw: st.DrawFn) -> Allocation:
    """An ended allocation, started or not."""
    placed_ms = BASE + draw(st.integers(0, SPAN))
    started_ms = draw(st.none() | st.integers(placed_ms, placed_ms + SPAN))
    first_ms = placed_ms if started_ms is None else started_ms
    return Allocation(
        id="alc-1",
        job="job-1",
        tenant="acme",
        project="llm",
        attempt=1,
        type="cpu",
        tier=Tier.SPOT,
        engine="local",
        slots=(Slot(node="n1", indexes=tuple(range(draw(st.integers(1, 9))))),),
        rehearsal=draw(st.booleans()),
        borrowed=False,
        price_book="b",
        price_micros=1,
        currency="CNY",
        state=AllocationState.ENDED,
        placed_ms=placed_ms,
        started_ms=started_ms,
        ended_ms=draw(st.integers(first_ms, first_ms + SPAN)),
        end_kind=draw(st.sampled_from([EndKind.SUCCEEDED, EndKind.FAILED, EndKind.WALLTIME, EndKind.STOPPED])),
    )


def step_by_step(one: Allocation, instants: list[int]) -> list[UsageRecord]:
    """Metered at each instant as the control plane knew it then, and once more at the end."""
    records: list[UsageRecord] = []
    metered_ms: int | None = None
    assert one.ended_ms is not None
    for now_ms in [*sorted(instants), one.ended_ms + 1]:
        known = replace(one, metered_ms=metered_ms)
        if now_ms <= one.ended_ms:
            started_ms = one.started_ms if one.started_ms is not None and one.started_ms <= now_ms else None
            known = replace(known, state=AllocationState.RUNNING, started_ms=started_ms, ended_ms=None, end_kind=None)
        records += meter(known, until_ms=now_ms)
        metered_ms = records[-1].end_ms if records else None
    return records


@given(one=allocations(), data=st.data())
def test_metering_in_steps_is_metering_once(one: Allocation, data: st.DataObject) -> None:
    assert one.ended_ms is not None
    instants = data.draw(st.lists(st.integers(one.placed_ms - 5, one.ended_ms), max_size=8))
    whole = meter(one, until_ms=one.ended_ms + SPAN)
    parts = step_by_step(one, instants)
    for records in (whole, parts):
        at_ms = one.placed_ms
        for record in records:
            assert record.start_ms == at_ms < record.end_ms
            assert record.hour_ms <= record.start_ms
            assert record.end_ms <= record.hour_ms + HOUR_MS
            assert record.billed_ams + record.waived_ams == (record.end_ms - record.start_ms) * one.accelerators
            at_ms = record.end_ms
        assert at_ms == one.ended_ms
    assert sum(record.billed_ams for record in parts) == sum(record.billed_ams for record in whole)
    assert len({record.id for record in parts}) == len(parts)
    held_ams = (one.ended_ms - (one.ended_ms if one.started_ms is None else one.started_ms)) * one.accelerators
    assert sum(record.billed_ams for record in whole) == held_ams


@given(one=allocations(), price_micros=st.integers(0, 10**13))
def test_a_charge_is_within_half_a_micro_of_the_exact_price(one: Allocation, price_micros: int) -> None:
    for record in meter(one, until_ms=BASE + 9 * SPAN):
        charge = rate(record, price_book="b", price_micros=price_micros, currency="CNY")
        exact = Fraction(price_micros * record.billed_ams, HOUR_MS)
        assert charge.amount_micros == round(exact)  # Python rounds halves of fractions to even too
