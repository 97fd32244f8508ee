"""Gangs that want one switch, or nodes of their own."""

from __future__ import annotations

from tests.unit.scheduler.building import A100, allocation, job, node, snapshot

from petahour.model.jobs import Tier
from petahour.model.resources import Slot, Switch
from petahour.model.tenants import Quota
from petahour.scheduler.impossible import why_impossible
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.schedule import schedule

LEAVES = [node(f"{leaf}{number}", 4, switch=leaf) for leaf in ("s1", "s2") for number in (1, 2)]


def test_a_gang_spans_switches_only_where_it_may() -> None:
    held = [allocation("x", {"s11": (0,)}, tier=Tier.ON_DEMAND), allocation("y", {"s21": (0,)}, tier=Tier.ON_DEMAND)]
    spans = schedule(snapshot(LEAVES, [job(1, (2, 4))], held))
    assert [slot.node for slot in spans.places[0].slots] == ["s12", "s22"]
    waits = schedule(snapshot(LEAVES, [job(1, (2, 4), switch=Switch.REQUIRED)], held))
    assert not waits.places
    assert waits.holds["job-1"].code is HoldCode.CAPACITY
    assert waits.holds["job-1"].text.startswith(f"needs 2 x 4 {A100} under one switch; 14 of 16 free")


def test_the_switch_that_suffices_with_the_fewest_nodes_is_taken() -> None:
    fleet = [*LEAVES, node("s23", 4, switch="s2")]
    plan = schedule(snapshot(fleet, [job(1, (2, 4), switch=Switch.REQUIRED)]))
    assert [slot.node for slot in plan.places[0].slots] == ["s11", "s12"]


def test_spot_yields_under_one_switch_for_a_gang_that_wants_it() -> None:
    held = [allocation(name, {name: (0, 1)}) for name in ("s11", "s21", "s22")]
    plan = schedule(snapshot(LEAVES, [job(1, (2, 4), switch=Switch.REQUIRED)], held))
    assert [item.allocation for item in plan.preempts] == ["alloc-s11"]


def test_nodes_of_its_own_are_held_whole_and_count_whole() -> None:
    asked = job(1, (1, 2), exclusive=True)
    held = [allocation("x", {"s11": (0,)}, tier=Tier.ON_DEMAND)]
    plan = schedule(snapshot(LEAVES, [asked, job(2, (1, 1))], held))
    placed = {place.job: place.slots for place in plan.places}
    assert placed["job-1"] == (Slot(node="s12", indexes=(0, 1, 2, 3)),)
    assert placed["job-2"] == (Slot(node="s11", indexes=(1,)),)
    quota = Quota(tenant="acme", type=A100, nominal=3, borrowing_limit=0)
    assert schedule(snapshot(LEAVES, [asked], quotas=[quota])).holds["job-1"].code is HoldCode.QUOTA


def test_no_node_is_its_own_while_somebody_holds_a_part_of_each() -> None:
    held = [allocation(item.name, {item.name: (0,)}, tier=Tier.ON_DEMAND) for item in LEAVES]
    hold = schedule(snapshot(LEAVES, [job(1, (1, 2), exclusive=True)], held)).holds["job-1"]
    assert hold.text.startswith(f"needs 1 x 2 {A100} in one pool, on nodes nobody else uses; 12 of 16 free")


def test_what_no_switch_could_hold_is_refused() -> None:
    why = why_impossible(job(1, (3, 4), switch=Switch.REQUIRED).spec, LEAVES, {}, "acme")
    assert why is not None
    assert "no switch has more than 2 nodes with 4" in why.rule
    assert why_impossible(job(1, (3, 4)).spec, LEAVES, {}, "acme") is None
