"""Whatever the snapshot: promises that every pass keeps, and a life of passes, ends and preemptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.scheduler.building import A100, ASCEND, NOW_MS, PRICE, allocation, job, node, snapshot

from petahour.model.allocations import Allocation, AllocationState
from petahour.model.jobs import Job, Tier
from petahour.model.resources import Node, NodeState, Switch, accelerators_of
from petahour.model.tenants import Quota
from petahour.scheduler.ask import Grant
from petahour.scheduler.decide import decide
from petahour.scheduler.foresee import foresee
from petahour.scheduler.funds import hold_micros
from petahour.scheduler.plan import HoldCode, Plan
from petahour.scheduler.policies import PETAHOUR
from petahour.scheduler.present import present_of
from petahour.scheduler.reserve import Reservation
from petahour.scheduler.room import Room, mask_of
from petahour.scheduler.schedule import schedule, state_of
from petahour.scheduler.snapshot import Snapshot
from petahour.scheduler.sooner import sooner
from petahour.scheduler.take_in import waiting_of

TENANTS = ("acme", "beta", "corp")


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    count = draw(st.integers(1, 6))
    return [
        node(
            f"n{number}",
            draw(st.integers(1, 8)),
            draw(st.sampled_from((A100, A100, ASCEND))),
            switch=draw(st.sampled_from(("", "s1", "s2"))),
            state=draw(st.sampled_from((NodeState.UP, NodeState.UP, NodeState.UP, NodeState.DRAINING))),
        )
        for number in range(count)
    ]


@st.composite
def jobs(draw: st.DrawFn) -> list[Job]:
    return [
        job(
            seq,
            (draw(st.integers(1, 3)), draw(st.integers(1, 5))),
            tenant=draw(st.sampled_from(TENANTS)),
            types=draw(st.sampled_from(((A100,), (ASCEND, A100), (A100, ASCEND)))),
            tier=draw(st.sampled_from(tuple(Tier))),
            priority=draw(st.integers(-1, 1)),
            switch=draw(st.sampled_from((Switch.PREFERRED, Switch.PREFERRED, Switch.REQUIRED))),
            exclusive=draw(st.sampled_from((False, False, True))),
        )
        for seq in range(1, draw(st.integers(0, 12)) + 1)
    ]


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    fleet, queued = draw(nodes()), draw(jobs())
    running = []
    for item in fleet:
        taken = draw(st.integers(0, item.accelerators))
        if taken:
            running.append(
                allocation(
                    item.name,
                    {item.name: range(taken)},
                    tenant=draw(st.sampled_from(TENANTS)),
                    tier=draw(st.sampled_from((Tier.SPOT, Tier.ON_DEMAND))),
                    borrowed=draw(st.booleans()),
                    type_=item.type,
                    placed_ms=NOW_MS - draw(st.integers(0, 1000)),
                )
            )
    quotas = [
        Quota(
            tenant=tenant,
            type=type_,
            nominal=draw(st.integers(0, 8)),
            borrowing_limit=draw(st.one_of(st.none(), st.integers(0, 8))),
            lending_limit=draw(st.one_of(st.none(), st.none(), st.integers(0, 4))),
            cohort=draw(st.sampled_from(("", "", "x"))),
        )
        for tenant in TENANTS
        for type_ in (A100, ASCEND)
        if draw(st.booleans())
    ]
    funds = {tenant: draw(st.integers(0, 12)) * PRICE for tenant in TENANTS}
    return snapshot(fleet, queued, running, quotas=quotas, funds=funds)


def require_sound(before: Snapshot, plan: Plan) -> None:
    """One decision a job; gangs whole, on free accelerators of up nodes of one pool; quota and funds kept."""
    decided = Counter([place.job for place in plan.places] + [hold.job for hold in plan.holds.values()])
    assert decided == Counter(item.id for item in before.queued)
    by_id = {item.id: item for item in before.queued}
    free, used, spent = dict(before.free), Counter(before.used), Counter[str]()
    for place in plan.places:
        asked = by_id[place.job]
        gang = asked.spec.gang
        members = [before.nodes[slot.node] for slot in place.slots]
        assert len({item.name for item in members}) == len(place.slots) == gang.nodes
        assert len({item.pool for item in members}) == 1
        assert {item.type for item in members} == {place.type}
        assert place.type in asked.spec.types
        assert all(item.state is NodeState.UP for item in members)
        if gang.switch is Switch.REQUIRED:
            assert len({item.switch for item in members}) == 1
        for slot, item in zip(place.slots, members, strict=True):
            whole = gang.exclusive
            assert len(slot.indexes) == (item.accelerators if whole else gang.accelerators_per_node)
            assert len(slot.indexes) >= gang.accelerators_per_node
            assert free[slot.node] & mask_of(slot) == mask_of(slot)
            free[slot.node] &= ~mask_of(slot)
        key = (asked.tenant, place.type)
        used[key] += accelerators_of(place.slots)
        quota = before.quotas.get(key)
        # Where nodes differ in size, a gang with nodes of its own is taken to hold the largest.
        if not gang.exclusive:
            assert place.borrowed == (used[key] > (quota.nominal if quota else 0))
        if quota and quota.borrowing_limit is not None:
            assert used[key] <= max(quota.nominal + quota.borrowing_limit, before.used.get(key, 0))
        if place.borrowed and not gang.exclusive:
            # What others do not lend is still free.
            assert _free(before, free, place.type) >= _kept(before, used, asked.tenant, place.type)
        spent[asked.tenant] += _held(before, asked, place.type)
        assert spent[asked.tenant] <= before.available_micros[asked.tenant]
    stopped = [item.allocation for item in plan.preempts]
    assert len(stopped) == len(set(stopped))
    for item in plan.preempts:
        victim, asker = before.allocations[item.allocation], by_id[item.for_job]
        assert victim.tier is Tier.SPOT or victim.borrowed
        assert asker.spec.tier is not Tier.SPOT


def _kept(before: Snapshot, used: Mapping[tuple[str, str], int], tenant: str, type_name: str) -> int:
    """Idle accelerators of a type that others do not lend to the tenant."""
    own = before.quotas.get((tenant, type_name))
    kept = 0
    for (owner, name), quota in before.quotas.items():
        if name == type_name and owner != tenant:
            idle = max(0, quota.nominal - used.get((owner, name), 0))
            if quota.cohort != (own.cohort if own else ""):
                kept += idle
            elif quota.lending_limit is not None:
                kept += max(0, idle - quota.lending_limit)
    return kept


def _free(before: Snapshot, free: Mapping[str, int], type_name: str) -> int:
    nodes = [item for item in before.nodes.values() if item.type == type_name and item.state is NodeState.UP]
    return sum(free[item.name].bit_count() for item in nodes)


def _held(before: Snapshot, asked: Job, type_name: str) -> int:
    state = state_of(before, PETAHOUR)
    assert state.money is not None
    waits = waiting_of(state, asked)
    return hold_micros(state.money, waits, type_name, state.room.holds(waits.ask, type_name)) or 0


@given(snapshots())
@settings(max_examples=300, deadline=None)
def test_every_pass_keeps_its_promises_and_is_the_same_twice(before: Snapshot) -> None:
    plan = schedule(before)
    require_sound(before, plan)
    assert schedule(before) == plan


@given(snapshots())
@settings(max_examples=200, deadline=None)
def test_no_preemption_is_in_vain(before: Snapshot) -> None:
    """Once the victims are gone, each job they were stopped for fits beside what was placed."""
    plan = schedule(before)
    room = _room(before)
    for place in plan.places:
        pool = room.find(place.slots[0].node)
        assert pool is not None
        pool.take(pool.grants(place.slots))
    for asker in {item.for_job for item in plan.preempts}:
        asked = next(item for item in before.queued if item.id == asker)
        for item in plan.preempts:
            if item.for_job == asker:
                slots = before.allocations[item.allocation].slots
                pool = room.find(slots[0].node)
                assert pool is not None
                pool.give(pool.grants(slots))
        assert _somewhere(room, asked)


def _room(before: Snapshot) -> Room:
    """The room of a snapshot, counted by what it says is free."""
    room = Room(before.nodes.values())
    for name, free in before.free.items():
        pool = room.find(name)
        assert pool is not None
        number = pool.number(name)
        assert number is not None
        held = pool.free_mask(number) & ~free
        if held:
            pool.take([Grant(number, held)])
    return room


def _somewhere(room: Room, asked: Job) -> bool:
    return any(
        pool.fit(asked.spec.gang) is not None for name in asked.spec.types for pool in room.by_type.get(name, ())
    )


@given(snapshots())
@settings(max_examples=200, deadline=None)
def test_a_job_refused_for_capacity_really_has_none(before: Snapshot) -> None:
    """The reason is true: what it names is missing even for the job alone, after what was placed or claimed."""
    plan = schedule(before)
    alone = _room(before)
    # What is free already is kept for whom others make way since an earlier pass.
    claimed = any(hold.code is HoldCode.PREEMPTING for hold in plan.holds.values())
    for hold in plan.holds.values():
        asked = next(item for item in before.queued if item.id == hold.job)
        if hold.code is HoldCode.CAPACITY and not plan.places and not plan.preempts and not claimed:
            for name in asked.spec.types:
                share_refused = False
                quota = before.quotas.get((asked.tenant, name))
                holds = alone.holds(waiting_of(state_of(before, PETAHOUR), asked).ask, name)
                total = before.used.get((asked.tenant, name), 0) + holds
                if total > (quota.nominal if quota else 0):
                    beyond = quota is not None and quota.borrowing_limit is not None
                    share_refused = asked.spec.tier is Tier.RESERVED or (
                        beyond and quota is not None and total > quota.nominal + (quota.borrowing_limit or 0)
                    )
                poor = _held(before, asked, name) > before.available_micros[asked.tenant]
                fits = any(pool.fit(asked.spec.gang) is not None for pool in alone.by_type.get(name, ()))
                left = _free(before, before.free, name) - holds
                kept = total > (quota.nominal if quota else 0) and left < _kept(
                    before, before.used, asked.tenant, name
                )
                assert share_refused or poor or kept or not fits


def _apply(before: Snapshot, plan: Plan, running: dict[str, Allocation], waiting: dict[str, Job]) -> None:
    for place in plan.places:
        asked = waiting.pop(place.job)
        slots = {slot.node: slot.indexes for slot in place.slots}
        made = allocation(
            asked.id, slots, tenant=asked.tenant, tier=asked.spec.tier, type_=place.type, borrowed=place.borrowed
        )
        running[made.id] = made


@given(nodes(), jobs(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_when_arrivals_stop_every_job_that_fits_gets_its_turn(fleet: list[Node], queued: list[Job], chance) -> None:  # type: ignore[no-untyped-def]
    """Passes, ends and preemptions until nothing waits that an empty fleet could take; preemptions are finite."""
    waiting, known = {item.id: item for item in queued}, {item.id: item for item in queued}
    running: dict[str, Allocation] = {}
    preempted: Counter[str] = Counter()
    for _ in range(40 * (len(queued) + 1)):
        counts = {f"running-{name}": number for name, number in preempted.items()}
        now = snapshot(fleet, list(waiting.values()), list(running.values()), preemptions=counts)
        plan = schedule(now)
        require_sound(now, plan)
        _apply(now, plan, running, waiting)
        for item in plan.preempts:
            victim = running.pop(item.allocation)
            name = victim.job.removeprefix("running-")
            waiting[name] = known[name]
            preempted[name] += 1
        if not plan.preempts and running:
            del running[chance.choice(sorted(running))]
        if not running and not plan.places and not plan.preempts:
            break
    assert max(preempted.values(), default=0) <= now.max_preemptions
    empty = _room(now)
    for left in waiting.values():
        reserved = left.spec.tier is Tier.RESERVED
        assert reserved or not _somewhere(empty, left)


@given(snapshots())
@settings(max_examples=200, deadline=None)
def test_a_pass_leaves_the_state_as_it_was(before: Snapshot) -> None:
    """So that the owner of the state may run it again, and gets the same decisions."""
    state = state_of(before, PETAHOUR)
    pools = state.room.pools
    free = [[pool.free_mask(number) for number in range(len(pool.names))] for pool in pools]
    first, second = decide(state, before.now_ms), decide(state, before.now_ms)
    assert (first.starts, first.stops, first.whys) == (second.starts, second.stops, second.whys)
    assert [[pool.free_mask(number) for number in range(len(pool.names))] for pool in pools] == free


@given(snapshots())
@settings(max_examples=100, deadline=None)
def test_without_the_named_constraint_the_job_would_not_be_held_for_it(before: Snapshot) -> None:
    """The reason is true: when what it names is taken away, the outcome is another."""
    everyone = {item.tenant for item in before.queued}
    for hold in schedule(before).holds.values():
        asked = next(item for item in before.queued if item.id == hold.job)
        if hold.code is HoldCode.CAPACITY:
            gangs = [item.spec.gang for item in before.queued for _ in range(item.spec.gang.nodes)]
            more = [
                node(f"more-{name}-{number}", gang.accelerators_per_node, name)
                for name in asked.spec.types
                for number, gang in enumerate(gangs)
            ]
            masks = {item.name: (1 << item.accelerators) - 1 for item in more}
            wide = {item.name: replace(item, pool=f"more-{item.type}") for item in more}
            other = replace(before, nodes={**before.nodes, **wide}, free={**before.free, **masks})
        elif hold.code is HoldCode.FUNDS:
            other = replace(before, available_micros=dict.fromkeys(everyone, 10**15))
        elif hold.code in (HoldCode.QUOTA, HoldCode.KEPT):
            wide_quotas = {
                key: replace(quota, nominal=0, borrowing_limit=None) for key, quota in before.quotas.items()
            }
            named = {
                (asked.tenant, name): Quota(tenant=asked.tenant, type=name, nominal=10**6) for name in (A100, ASCEND)
            }
            other = replace(before, quotas={**wide_quotas, **named})
        else:
            continue
        now = schedule(other).holds.get(hold.job)
        assert now is None or now.code is not hold.code


@given(snapshots())
@settings(max_examples=60, deadline=None)
def test_a_change_that_is_offered_has_the_job_start(before: Snapshot) -> None:
    """And looking ahead leaves the state as it was."""
    state = state_of(before, PETAHOUR)
    first = decide(state, before.now_ms)
    for hold in schedule(before).holds.values():
        waits = state.lines.job(hold.job)
        assert waits is not None
        present = present_of(state, before.now_ms)
        offer = sooner(state, present, waits, before.now_ms)
        assert hold.job in foresee(present, before.now_ms, [hold.job], draws=3)
        if offer is None:
            continue
        asked = next(item for item in before.queued if item.id == hold.job)
        spec = replace(asked.spec, types=(offer.type,), tier=offer.tier)
        # It is tried beside the job as it was, which takes nothing, as it cannot start.
        other = replace(asked, id="otherwise", spec=spec)
        rich = dict.fromkeys(before.available_micros, 10**15)
        changed = replace(before, queued=[*before.queued, other], available_micros=rich)
        plan = schedule(changed)
        assert any(place.job == "otherwise" for place in plan.places) or any(
            item.for_job == "otherwise" for item in plan.preempts
        )
    second = decide(state, before.now_ms)
    assert (first.starts, first.stops, first.whys) == (second.starts, second.stops, second.whys)


@given(snapshots(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_change_that_is_offered_needs_nothing_of_what_is_kept(before: Snapshot, data: st.DataObject) -> None:
    """It starts as well where somebody holds the accelerators that the last pass keeps for a gang."""
    state = state_of(before, PETAHOUR)
    pool = data.draw(st.sampled_from(state.room.pools))
    free = [(number, place) for number, size in enumerate(pool.sizes) for place in range(size)]
    free = [(number, place) for number, place in free if pool.free_mask(number) >> place & 1]
    kept: dict[str, list[int]] = {}
    masks: Counter[int] = Counter()
    for number, place in sorted(data.draw(st.lists(st.sampled_from(free), unique=True))) if free else ():
        kept.setdefault(pool.names[number], []).append(place)
        masks[number] |= 1 << place
    grants = tuple(Grant(number, mask) for number, mask in sorted(masks.items()))
    later_ms = before.now_ms + 3_600_000
    state.reserved = Reservation(
        job="gang", pool=pool.index, begins_ms=later_ms, until_ms=later_ms, grants=grants, claimed=grants
    )
    keeper = allocation("keeper", kept, tenant="keeper", tier=Tier.ON_DEMAND, type_=pool.type, borrowed=False)
    held = replace(
        before,
        available_micros=dict.fromkeys(before.available_micros, 10**15),
        allocations={**before.allocations, **({keeper.id: keeper} if kept else {})},
        free={name: mask & ~sum(1 << place for place in kept.get(name, ())) for name, mask in before.free.items()},
        walltimes_ms={**before.walltimes_ms, keeper.job: None},
    )
    for hold in schedule(before).holds.values():
        waits = state.lines.job(hold.job)
        assert waits is not None
        offer = sooner(state, present_of(state, before.now_ms), waits, before.now_ms)
        if offer is None:
            continue
        asked = next(item for item in before.queued if item.id == hold.job)
        other = replace(asked, id="otherwise", spec=replace(asked.spec, types=(offer.type,), tier=offer.tier))
        plan = schedule(replace(held, queued=[*before.queued, other]))
        assert "otherwise" in {place.job for place in plan.places} | {item.for_job for item in plan.preempts}


def test_what_is_stopping_already_is_not_stopped_again() -> None:
    stopping = allocation("x", {"a": (0,)}, state=AllocationState.STOPPING)
    assert not schedule(snapshot([node("a", 1)], [job(1)], [stopping])).preempts
