"""Limits: a spot job is kept from types that cost more than it pays, and nothing is done for it there."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.scheduler.building import A100, ASCEND, PRICE, allocation, job, node, snapshot

from petahour.model.jobs import Job, Tier
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.policies import BACKFILL
from petahour.scheduler.schedule import schedule
from petahour.scheduler.snapshot import Snapshot


def limited(one: Job, micros: int | None) -> Job:
    return replace(one, spec=replace(one.spec, limit_micros=micros))


def dear(view: Snapshot, type_name: str) -> Snapshot:
    """The same with twice the price for spot of a type."""
    prices = dict(view.prices_micros)
    for tenant, name, tier in view.prices_micros:
        if (name, tier) == (type_name, Tier.SPOT):
            prices[tenant, name, tier] = 2 * PRICE
    return replace(view, prices_micros=prices)


def test_a_job_is_placed_where_the_price_is_within_its_limit() -> None:
    nodes = [node("a"), node("b", type_=ASCEND)]
    either = limited(job(1, types=(A100, ASCEND), tier=Tier.SPOT), PRICE)
    (place,) = schedule(dear(snapshot(nodes, [either]), A100)).places
    assert place.type == ASCEND


def test_a_price_at_the_limit_is_within_it_and_the_others_are_not_kept_back() -> None:
    jobs = [
        limited(job(number, tier=Tier.SPOT), micros) for number, micros in ((1, PRICE - 1), (2, PRICE), (3, None))
    ]
    plan = schedule(snapshot([node("a")], jobs))
    assert [place.job for place in plan.places] == ["job-2", "job-3"]
    hold = plan.holds["job-1"]
    assert hold.code is HoldCode.LIMIT
    assert "costs 1.00" in hold.text
    assert "limit of 0.999999" in hold.text


def test_a_full_fleet_does_not_hide_that_the_price_is_too_high() -> None:
    full = allocation("full", {"a": range(4)})
    plan = schedule(snapshot([node("a")], [limited(job(1, tier=Tier.SPOT), PRICE - 1)], [full]))
    assert plan.holds["job-1"].code is HoldCode.LIMIT


def test_nothing_is_kept_for_who_waits_for_a_price() -> None:
    """Under a policy that keeps room for blocked gangs, a later job takes the room at once."""
    full = allocation("half", {"a": (0, 1)})
    wide, narrow = limited(job(1, (1, 4), tier=Tier.SPOT), PRICE - 1), job(2, (1, 2), walltime_ms=None)
    view = snapshot([node("a")], [wide, narrow], [full], walltimes_ms={full.job: 7_200_000})
    assert [place.job for place in schedule(view, BACKFILL).places] == ["job-2"]
