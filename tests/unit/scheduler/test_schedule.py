"""Each rule of a pass, one at a time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.scheduler.building import A100, ASCEND, DRAINING, NOW_MS, PRICE, allocation, job, node, snapshot

from petahour.model.allocations import AllocationState
from petahour.model.jobs import Tier
from petahour.model.resources import Gang
from petahour.model.tenants import Quota
from petahour.model.time import HOUR_MS
from petahour.scheduler.impossible import why_impossible
from petahour.scheduler.plan import Hold, HoldCode
from petahour.scheduler.schedule import schedule


def only(holds: Mapping[str, Hold]) -> Hold:
    (hold,) = holds.values()
    return hold


def test_a_gang_is_placed_on_distinct_nodes_or_not_at_all() -> None:
    plan = schedule(snapshot([node("a"), node("b")], [job(1, (2, 4))]))
    assert [(slot.node, slot.indexes) for slot in plan.places[0].slots] == [("a", (0, 1, 2, 3)), ("b", (0, 1, 2, 3))]
    plan = schedule(snapshot([node("a"), node("b")], [job(1, (2, 3))], [allocation("x", {"a": (0, 1)})]))
    assert plan.places == ()


def test_the_fullest_node_that_fits_is_taken() -> None:
    plan = schedule(snapshot([node("a"), node("b")], [job(1)], [allocation("x", {"b": (0, 1)})]))
    assert [(slot.node, slot.indexes) for slot in plan.places[0].slots] == [("b", (2,))]


def test_one_switch_is_preferred_and_two_are_taken_where_one_does_not_suffice() -> None:
    nodes = [node("a", switch="s1"), node("b", switch="s2"), node("c", switch="s2")]
    assert {slot.node for slot in schedule(snapshot(nodes, [job(1, (2, 4))])).places[0].slots} == {"b", "c"}
    assert len(schedule(snapshot(nodes, [job(1, (3, 4))])).places[0].slots) == 3


def test_a_draining_node_takes_nothing() -> None:
    plan = schedule(snapshot([node("a", state=DRAINING)], [job(1)]))
    assert plan.places == ()
    assert "4 on nodes that are draining or down" in only(plan.holds).text


def test_types_are_tried_in_their_order_and_never_mixed() -> None:
    nodes = [node("a", 2), node("n", 2, ASCEND)]
    assert schedule(snapshot(nodes, [job(1, types=(ASCEND, A100))])).places[0].type == ASCEND
    assert schedule(snapshot(nodes, [job(1, (2, 1), types=(ASCEND, A100))])).places == ()


def test_pools_and_rehearsals_are_never_mixed() -> None:
    nodes = [node("a"), node("r", pool="rehearsal", rehearsal=True)]
    assert schedule(snapshot(nodes, [job(1, (2, 1))])).places == ()


def test_order_is_tier_then_nominal_then_priority_then_age() -> None:
    jobs = [
        job(1, tier=Tier.SPOT, priority=9),
        job(2),
        job(3, priority=5),
        job(4, tenant="with-quota"),
        job(5, tenant="with-quota", tier=Tier.RESERVED),
    ]
    quota = Quota(tenant="with-quota", type=A100, nominal=8)
    plan = schedule(snapshot([node("a", 5)], jobs, quotas=[quota]))
    assert [place.job for place in plan.places] == ["job-5", "job-4", "job-3", "job-2", "job-1"]
    assert [place.borrowed for place in plan.places] == [False, False, True, True, True]


def test_a_quota_bounds_borrowing_within_one_pass() -> None:
    quota = Quota(tenant="acme", type=A100, nominal=1, borrowing_limit=1)
    plan = schedule(snapshot([node("a")], [job(1), job(2), job(3)], quotas=[quota]))
    assert [place.job for place in plan.places] == ["job-1", "job-2"]
    assert only(plan.holds).code is HoldCode.QUOTA
    assert "allows 2" in only(plan.holds).text


def test_reserved_work_does_not_borrow() -> None:
    plan = schedule(snapshot([node("a")], [job(1, tier=Tier.RESERVED)]))
    assert only(plan.holds).code is HoldCode.QUOTA


def test_credit_is_spent_once_within_one_pass() -> None:
    plan = schedule(snapshot([node("a")], [job(1), job(2)], funds={"acme": PRICE + PRICE // 2}))
    assert [place.job for place in plan.places] == ["job-1"]
    assert only(plan.holds).code is HoldCode.FUNDS
    assert "holds 1.00 of prepaid credit, 0.50 more than is available" in only(plan.holds).text


def test_a_shorter_walltime_holds_less_and_a_rehearsal_nothing() -> None:
    half = job(1, walltime_ms=HOUR_MS // 2)
    assert schedule(snapshot([node("a")], [half], funds={"acme": PRICE // 2})).places
    assert not schedule(snapshot([node("a")], [half], funds={"acme": PRICE // 2 - 1})).places
    assert schedule(snapshot([node("a", rehearsal=True)], [half], funds={"acme": 0})).places


def test_what_has_no_price_is_not_sold() -> None:
    plan = schedule(snapshot([node("t", 4, "t4")], [job(1, types=("t4",))]))
    assert only(plan.holds).code is HoldCode.PRICE


def test_spot_yields_to_on_demand_by_the_fewest_victims() -> None:
    running = [
        allocation("small", {"a": (0,)}, placed_ms=NOW_MS - 10),
        allocation("large", {"b": (0, 1, 2, 3)}, placed_ms=NOW_MS - 99),
        allocation("firm", {"a": (1, 2)}, tier=Tier.ON_DEMAND, placed_ms=NOW_MS - 5),
    ]
    plan = schedule(snapshot([node("a"), node("b")], [job(1, (1, 4))], running))
    assert [(item.allocation, item.for_job) for item in plan.preempts] == [("alloc-large", "job-1")]
    assert only(plan.holds).code is HoldCode.PREEMPTING


def test_nothing_is_preempted_in_vain() -> None:
    running = [
        allocation("spot", {"a": (0,)}),
        allocation("firm", {"a": (1, 2, 3)}, tier=Tier.ON_DEMAND, borrowed=False),
    ]
    assert schedule(snapshot([node("a")], [job(1, (1, 4))], running)).preempts == ()


def test_spot_preempts_nobody_and_young_or_often_preempted_work_is_spared() -> None:
    running = [allocation("x", {"a": (0, 1, 2, 3)}, placed_ms=NOW_MS - 500)]
    nodes = [node("a")]
    assert not schedule(snapshot(nodes, [job(1, tier=Tier.SPOT)], running)).preempts
    assert not schedule(snapshot(nodes, [job(1)], running, min_run_ms=1000)).preempts
    assert not schedule(snapshot(nodes, [job(1)], running, preemptions={"running-x": 3})).preempts
    assert schedule(snapshot(nodes, [job(1)], running)).preempts


def test_borrowed_capacity_is_reclaimed_only_within_the_nominal_share() -> None:
    running = [allocation("x", {"a": (0, 1, 2, 3)}, tier=Tier.ON_DEMAND, borrowed=True)]
    assert not schedule(snapshot([node("a")], [job(1)], running)).preempts
    quota = Quota(tenant="acme", type=A100, nominal=4)
    assert schedule(snapshot([node("a")], [job(1)], running, quotas=[quota])).preempts


def test_what_is_being_freed_for_a_job_is_kept_for_it() -> None:
    stopping = allocation("x", {"a": (0, 1)}, state=AllocationState.STOPPING, stop_for="job-1")
    plan = schedule(snapshot([node("a")], [job(1, (1, 4)), job(2)], [stopping]))
    assert (plan.places, plan.preempts) == ((), ())
    assert {hold.job: hold.code for hold in plan.holds.values()}["job-1"] is HoldCode.PREEMPTING


def test_a_reason_names_no_other_tenant_and_says_when() -> None:
    running = [allocation("x", {"a": (0, 1, 2, 3)}, tier=Tier.ON_DEMAND, borrowed=False, tenant="rival")]
    held = only(schedule(snapshot([node("a")], [job(1)], running, walltimes_ms={"running-x": HOUR_MS})).holds)
    assert held.code is HoldCode.CAPACITY
    assert "0 of 4 free; 4 more at the latest at" in held.text
    assert "rival" not in held.text
    assert "running-x" not in held.text


@pytest.mark.parametrize(
    ("gang", "said"),
    [
        (Gang(nodes=1, accelerators_per_node=5), "at most 4 a100-80g-sxm"),
        (Gang(nodes=3, accelerators_per_node=4), "2 nodes of one pool have 4"),
    ],
)
def test_what_can_never_fit_is_told_with_the_limit(gang: Gang, said: str) -> None:
    spec = job(1, (gang.nodes, gang.accelerators_per_node)).spec
    why = why_impossible(spec, [node("a"), node("b", state=DRAINING)], {}, "acme")
    assert why is not None
    assert said in why.rule
    assert why.remedy


def test_a_draining_fleet_is_not_impossible_and_a_quota_can_be() -> None:
    nodes = [node("a", state=DRAINING)]
    assert why_impossible(job(1, (1, 4)).spec, nodes, {}, "acme") is None
    quota = {("acme", A100): Quota(tenant="acme", type=A100, nominal=1, borrowing_limit=2)}
    why = why_impossible(job(1, (1, 4)).spec, nodes, quota, "acme")
    assert why is not None
    assert "allows 3" in why.rule
