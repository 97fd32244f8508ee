"""Reservations on a floor that a test steps: promises are kept, nobody else lies on seats, every hour is charged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.property.control.floor import A100, OPERATOR, HandPlane

from petahour.billing.commitments import early_end_fee
from petahour.control.audit.stream import audit_log
from petahour.control.fleet import change_state, tx_node
from petahour.control.renewals import set_renewal
from petahour.control.reservation_changes import early_end, end_reservation, extend, upgrade
from petahour.control.reservations import Wish, confirm, reservations_for, reserve
from petahour.model.allocations import Allocation
from petahour.model.errors import ConflictError, FundsError, NotFoundError, PetahourError, ValidationError
from petahour.model.events import EventKind
from petahour.model.jobs import JobState
from petahour.model.promises import Reservation, ReservationState
from petahour.model.resources import NodeState
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS, add_months, to_iso, to_ms
from petahour.model.usage import AccountKind, account_id
from petahour.scheduler.plan import HoldCode
from petahour.simulator.recording import retrace

ADMIN = Caller(key="key-2", user="ada", role=Role.TENANT_ADMIN, tenant="acme")
CPU_MICROS = 400_000  # agreed per core-hour


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[HandPlane]:
    made = HandPlane(tmp_path)
    yield made
    assert list(audit_log(made.log())) == []
    if any(event.kind is EventKind.PASS_MADE for event in made.log()):
        assert retrace(made.log()).difference is None
    made.close()


def promise(plane: HandPlane, hours: int = 4, *, after_h: int | None = None, **rest: object) -> Reservation:
    """Acme's cores from now, or from a coming whole hour, to a whole hour so many hours later."""
    hour_ms = plane.clock.at_ms - plane.clock.at_ms % HOUR_MS + HOUR_MS
    from_ms = None if after_h is None else hour_ms + after_h * HOUR_MS
    terms = {"tenant": "acme", "type": "cpu", "price": "0.40"} | rest
    wish = Wish(from_ms=from_ms, to_ms=(from_ms or hour_ms) + hours * HOUR_MS, **terms)  # type: ignore[arg-type]
    made = reserve(plane.context, OPERATOR, wish)
    plane.step(1)
    return made


def allocation(plane: HandPlane, job: str) -> Allocation:
    with plane.store.read() as tx:
        return tx.allocations.of_job(job)[-1]


def places(slots: object) -> set[tuple[str, int]]:
    return {(slot.node, index) for slot in slots for index in slot.indexes}  # type: ignore[attr-defined]


def balance(plane: HandPlane, kind: AccountKind, owner: str = "acme", detail: str = "") -> int:
    with plane.store.read() as tx:
        return tx.ledger.balance(account_id(kind, "CNY", owner, detail), "CNY").posted_micros


def test_reserved_work_starts_on_its_seats_at_once_however_full_the_floor_is(plane: HandPlane) -> None:
    made = promise(plane, count=4)
    others = [plane.submit("beta", accelerators_per_node=4, run_ms=HOUR_MS, walltime="2h") for _ in range(2)]
    plane.step(100)
    assert [plane.job(job.id).state for job in others] == [JobState.STARTING, JobState.QUEUED]
    hold = plane.context.live.holds[others[1].id]
    assert hold.code is HoldCode.RESERVATION
    assert f"what is free is kept for another tenant's reservation {made.id} (1 x 4 cpu from" in hold.text
    assert hold.text.endswith("which has begun; it starts when others end")
    own = plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(100)
    assert places(allocation(plane, own.id).slots) == places(made.seats)
    assert allocation(plane, own.id).reservation == made.id


def test_spot_on_lent_seats_makes_way_and_none_is_placed_where_nothing_is_lent(plane: HandPlane) -> None:
    promise(plane, count=4, lends=True)
    promise(plane, count=4)
    spot = [plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=HOUR_MS) for _ in range(2)]
    plane.step(100)
    plane.step(SECOND_MS)
    assert sorted(plane.job(job.id).state for job in spot) == [JobState.QUEUED, JobState.RUNNING]
    (waits,) = [job.id for job in spot if plane.job(job.id).state is JobState.QUEUED]
    assert "which has begun and lends nothing; it starts when others end" in plane.context.live.holds[waits].text
    own = [plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=HOUR_MS) for _ in range(2)]
    plane.step(100)
    for _ in range(3):
        plane.step(SECOND_MS)
    assert [plane.job(job.id).state for job in own] == [JobState.RUNNING, JobState.RUNNING]


def test_before_the_window_only_what_is_over_or_makes_way_lies_on_its_seats(plane: HandPlane) -> None:
    promise(plane, count=4, after_h=1)
    promise(plane, count=4, after_h=1, tenant="coop")
    short = plane.submit("beta", accelerators_per_node=4, run_ms=30 * MINUTE_MS, walltime="1h")
    spot = plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=9 * HOUR_MS, checkpoint_dir="ck")
    plane.step(100)
    plane.step(SECOND_MS)
    assert [plane.job(one.id).state for one in (short, spot)] == [JobState.RUNNING, JobState.RUNNING]
    plane.step(31 * MINUTE_MS)
    endless = plane.submit("beta", accelerators_per_node=4, run_ms=MINUTE_MS)
    long = plane.submit("beta", accelerators_per_node=4, run_ms=MINUTE_MS, walltime="3h")
    own = plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=3 * HOUR_MS)
    ours = plane.submit("coop", tier="reserved", accelerators_per_node=4, run_ms=3 * HOUR_MS)
    plane.step(100)
    holds = plane.context.live.holds
    assert {holds[one.id].code for one in (endless, long, own, ours)} == {HoldCode.RESERVATION}
    assert "of your reservation" in holds[own.id].text
    assert "begins before its walltime is over" in holds[long.id].text
    plane.step(plane.clock.at_ms % HOUR_MS and HOUR_MS - plane.clock.at_ms % HOUR_MS)
    plane.step(HOUR_MS)
    for _ in range(3):
        plane.step(SECOND_MS)
    assert [plane.job(one.id).state for one in (own, ours)] == [JobState.RUNNING, JobState.RUNNING]
    assert plane.job(spot.id).state is JobState.QUEUED


def test_every_hour_is_charged_used_or_not_and_use_on_the_seats_is_free(plane: HandPlane) -> None:
    credit = balance(plane, AccountKind.PREPAID)
    promise(plane, count=4, hours=3)
    # The first piece, twenty minutes of four cores, is set aside at once.
    first = 4 * CPU_MICROS // 3
    assert balance(plane, AccountKind.COMMITTED) == first
    own = plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=2 * HOUR_MS)
    for _ in range(8):
        plane.step(30 * MINUTE_MS)
    assert plane.job(own.id).state is JobState.SUCCEEDED
    due = first + 3 * 4 * CPU_MICROS
    assert balance(plane, AccountKind.REVENUE, "operator", "cpu/reserved") == due
    assert credit - balance(plane, AccountKind.PREPAID) == due
    assert balance(plane, AccountKind.COMMITTED) == 0
    with plane.store.read() as tx:
        used = tx.ledger.charges(tenant="acme", from_ms=0, to_ms=plane.clock.at_ms)
    assert used
    assert {charge.price_micros for charge in used} == {0}


def test_a_crash_between_any_steps_charges_no_hour_twice_and_none_is_left_out(plane: HandPlane) -> None:
    promise(plane, count=2, hours=5)
    for after_ms in (1, HOUR_MS, 1, 3 * HOUR_MS, 1, 4 * HOUR_MS, 1):
        plane.start()
        plane.step(after_ms)
    due = 2 * CPU_MICROS // 3 + 5 * 2 * CPU_MICROS
    assert abs(balance(plane, AccountKind.REVENUE, "operator", "cpu/reserved") - due) <= 1
    billed = [event.data["start_ms"] for event in plane.log() if event.data.get("what") == "charged"]
    assert len(billed) == len(set(billed)) == 6


def test_seats_that_were_another_tenants_once_may_be_moved_to(plane: HandPlane) -> None:
    before = promise(plane, count=4, hours=9)
    kept = promise(plane, count=4, hours=9, tenant="beta")
    plane.step(HOUR_MS)
    end_reservation(plane.context, OPERATOR, before.id)
    plane.step(HOUR_MS)
    with plane.store.write() as tx:
        node = tx_node(tx, kept.seats[0].node)
        change_state(tx, node, NodeState.DOWN, "test", "test", plane.clock.at_ms)
    plane.step(1)
    (moved,) = (one for one in reservations_for(plane.context, OPERATOR) if one.id == kept.id)
    assert moved.seats == before.seats  # The fixture asks the auditors, which look at when each was whose.
    plane.require_sound()


def test_what_credit_does_not_cover_is_owed(plane: HandPlane) -> None:
    promise(plane, count=4, hours=3, price="100.00")
    promise(plane, count=4, hours=3, price="200.00", tenant="beta")
    for _ in range(5):
        plane.step(HOUR_MS)
    # 1,000.00 were there: of twenty minutes and three hours of 400.00 an hour the last is owed.
    assert balance(plane, AccountKind.RECEIVABLE) == -400_000_000
    assert balance(plane, AccountKind.PREPAID) == 1_000_000_000 - 933_333_333
    with pytest.raises(FundsError, match="credit covers its first hour"):
        promise(plane, count=1, price="900.00")


def test_overlaps_beyond_capacity_are_refused_with_the_instant_and_what_is_free(plane: HandPlane) -> None:
    promise(plane, count=4, after_h=2, hours=2)
    from_ms = plane.clock.at_ms - plane.clock.at_ms % HOUR_MS + HOUR_MS
    with pytest.raises(ConflictError) as caught:
        promise(plane, count=8, after_h=0, hours=4)
    assert f"at {to_iso(from_ms + 2 * HOUR_MS)} 4 of 8 cpu can still be promised" in caught.value.rule
    assert "Ask for at most 4" in caught.value.remedy
    # It fits beside, before and after the other.
    promise(plane, count=4, after_h=0, hours=4)
    promise(plane, count=4, after_h=0, hours=2)
    promise(plane, count=8, after_h=4, hours=1)
    plane.drain("cpu-1")


def test_what_still_runs_then_cannot_be_promised(plane: HandPlane) -> None:
    plane.submit("beta", accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(100)
    with pytest.raises(ConflictError) as caught:
        promise(plane, count=8)
    assert "held by work that may still run then" in caught.value.rule
    promise(plane, count=4)


def test_maintenance_and_reservations_know_of_each_other(plane: HandPlane) -> None:
    plane.maintain("cpu-1", 2 * HOUR_MS, HOUR_MS)
    with pytest.raises(ConflictError, match="4 of 8 cpu can still be promised"):
        promise(plane, count=8, hours=4)
    made = promise(plane, count=4, hours=4)
    assert {slot.node for slot in made.seats} == {"cpu-2"}
    with pytest.raises(ConflictError, match=f"{made.id} of acme keeps accelerators of cpu-2"):
        plane.maintain("cpu-*", 2 * HOUR_MS, HOUR_MS)


def test_seats_move_off_a_node_that_is_lost_and_off_one_that_will_be_maintained(plane: HandPlane) -> None:
    made = promise(plane, type=A100, nodes=1, per_node=2, hours=9)
    later = promise(plane, count=4, after_h=3, hours=2)
    lost = {slot.node for slot in made.seats} | {slot.node for slot in later.seats}
    assert lost == {"show-2", "cpu-2"}
    plane.maintain("cpu-2", 4 * HOUR_MS, HOUR_MS)
    assert [(slot.node, slot.indexes) for slot in _now(plane, later.id).seats] == [("cpu-1", (0, 1, 2, 3))]
    with plane.store.write() as tx:
        change_state(tx, tx_node(tx, "show-2"), NodeState.DOWN, "gone", "gone", plane.clock.at_ms)
    plane.step(1)
    assert [(slot.node, slot.indexes) for slot in _now(plane, made.id).seats] == [("show-1", (2, 3))]
    own = plane.submit("acme", tier="reserved", types=(A100,), accelerators_per_node=2, run_ms=HOUR_MS)
    plane.step(100)
    assert allocation(plane, own.id).reservation == made.id


def test_a_tenants_request_waits_until_it_is_confirmed(plane: HandPlane) -> None:
    wish = Wish(tenant="acme", type="cpu", count=4, months=1)
    asked = reserve(plane.context, ADMIN, wish)
    assert (asked.state, asked.seats) == (ReservationState.REQUESTED, ())
    with pytest.raises(PetahourError, match="needs one of the roles"):
        reserve(plane.context, ADMIN, Wish(tenant="acme", type="cpu", count=4, months=1, price="0.01"))
    with pytest.raises(NotFoundError):
        reserve(plane.context, ADMIN, Wish(tenant="beta", type="cpu", count=4, months=1))
    plane.step(HOUR_MS)
    assert balance(plane, AccountKind.COMMITTED) == 0
    made = confirm(plane.context, OPERATOR, asked.id)
    assert made == confirm(plane.context, OPERATOR, asked.id)
    assert made.from_ms == plane.clock.at_ms
    assert [one.id for one in reservations_for(plane.context, ADMIN)] == [asked.id]
    assert reservations_for(plane.context, OPERATOR, tenant="beta") == []


def test_an_early_end_costs_no_more_than_was_agreed_to(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=10)
    (ended, fee) = early_end(plane.context, made, plane.clock.at_ms) or (made, 0)
    extend(plane.context, OPERATOR, made.id, to_ms=made.to_ms + HOUR_MS)
    with pytest.raises(ConflictError, match=r"which is 8\.80 CNY by now \(got '8\.00 CNY'\)"):
        end_reservation(plane.context, ADMIN, made.id, most_micros=fee)
    assert _now(plane, made.id).to_ms == made.to_ms + HOUR_MS
    plane.step(2 * HOUR_MS)
    later, less = end_reservation(plane.context, ADMIN, made.id, most_micros=fee)
    assert (less, later.to_ms) == (8_800_000 - 2 * 4 * CPU_MICROS // 2, ended.to_ms + 2 * HOUR_MS)
    assert early_end(plane.context, later, later.to_ms) is None


def test_an_early_end_costs_a_fee_and_frees_the_rest(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=10)
    plane.step(HOUR_MS)
    ended, fee = end_reservation(plane.context, ADMIN, made.id)
    assert ended.to_ms % HOUR_MS == 0
    assert ended.to_ms - plane.clock.at_ms < HOUR_MS
    assert fee == early_end_fee(made, ended.to_ms, 50) == (made.to_ms - ended.to_ms) // HOUR_MS * 4 * CPU_MICROS // 2
    plane.step(HOUR_MS)
    assert end_reservation(plane.context, ADMIN, made.id) == (_now(plane, made.id), 0)
    paid = balance(plane, AccountKind.REVENUE, "operator", "cpu/reserved")
    plane.step(5 * HOUR_MS)
    assert balance(plane, AccountKind.REVENUE, "operator", "cpu/reserved") == paid
    job = plane.submit("beta", nodes=2, accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(100)
    assert plane.job(job.id).state is JobState.STARTING


def test_what_was_ended_early_for_a_fee_does_not_go_on(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=10)
    plane.step(HOUR_MS)
    ended, fee = end_reservation(plane.context, OPERATOR, made.id)
    assert fee > 0
    paid = balance(plane, AccountKind.PREPAID)
    for change in (
        lambda: extend(plane.context, OPERATOR, made.id, to_ms=made.to_ms),
        lambda: upgrade(plane.context, OPERATOR, made.id, count=4, price=None),
        lambda: set_renewal(plane.context, OPERATOR, made.id, renews=True),
    ):
        with pytest.raises(ConflictError, match=f"not ended early: it ends at {to_iso(ended.to_ms)}"):
            change()
    assert _now(plane, made.id) == ended
    assert balance(plane, AccountKind.PREPAID) == paid


def test_what_outlasts_its_reservation_is_charged_by_the_book_and_may_be_displaced(plane: HandPlane) -> None:
    made = promise(plane, count=8, hours=1)
    own = plane.submit("acme", tier="reserved", nodes=2, accelerators_per_node=4, run_ms=9 * HOUR_MS)
    plane.step(100)
    assert allocation(plane, own.id).reserved_until_ms == made.to_ms
    for _ in range(5):
        plane.step(30 * MINUTE_MS)
    assert plane.job(own.id).state is JobState.RUNNING
    plane.quota("beta", "cpu", 8, 0)
    other = plane.submit("beta", accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(100)
    for _ in range(3):
        plane.step(SECOND_MS)
    assert plane.job(other.id).state is JobState.RUNNING
    with plane.store.read() as tx:
        prices = {(c.hour_ms < made.to_ms, c.price_micros) for c in tx.ledger.charges(
            tenant="acme", from_ms=0, to_ms=plane.clock.at_ms
        )}  # fmt: skip
    assert {price for inside, price in prices if inside} == {0}
    assert all(price > 0 for inside, price in prices if not inside)


def test_it_is_renewed_and_enlarged_and_jobs_lie_on_the_seats_of_both(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=2)
    longer = extend(plane.context, OPERATOR, made.id, to_ms=made.to_ms + HOUR_MS)
    assert (longer.seats, longer.to_ms) == (made.seats, made.to_ms + HOUR_MS)
    more = upgrade(plane.context, OPERATOR, made.id, count=4, price=None)
    assert (more.of, more.to_ms, more.price_micros) == (made.id, longer.to_ms, made.price_micros)
    own = plane.submit("acme", tier="reserved", nodes=2, accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(100)
    assert set(allocation(plane, own.id).reservation.split("+")) == {made.id, more.id}
    with pytest.raises(ConflictError, match="0 of 8 cpu can still be promised"):
        promise(plane, count=1, hours=1)
    later = promise(plane, count=8, after_h=3, hours=1, tenant="beta")
    with pytest.raises(ConflictError):
        extend(plane.context, OPERATOR, made.id, to_ms=later.to_ms)
    with pytest.raises(ValidationError, match=f"later than it ends now, at {to_iso(longer.to_ms)}"):
        extend(plane.context, OPERATOR, made.id, to_ms=made.to_ms)


def test_a_reservation_of_rehearsed_nodes_costs_no_real_money(plane: HandPlane) -> None:
    made = promise(plane, type=A100, nodes=2, per_node=2, hours=1)
    assert made.rehearsal
    plane.step(2 * HOUR_MS)
    assert balance(plane, AccountKind.PREPAID) == 1_000_000_000
    assert balance(plane, AccountKind.REHEARSAL_USE) < 0


@pytest.mark.parametrize(
    ("wish", "error", "field"),
    [
        ({"count": 0}, ValidationError, "count"),
        ({"count": 6}, ValidationError, "count"),
        ({}, ValidationError, "count"),
        ({"count": 4, "nodes": 1}, ValidationError, "count"),
        ({"nodes": -1, "per_node": 2}, ValidationError, "nodes"),
        ({"count": 12}, ConflictError, "count"),
        ({"count": 4, "price": "-1"}, ValidationError, "price"),
        ({"count": 4, "price": "NaN"}, ValidationError, "price"),
        ({"count": 4, "months": 0}, ValidationError, "months"),
        ({"count": 4, "months": 1, "to_ms": 7}, ValidationError, "to"),
        ({"count": 4, "to_ms": 7}, ValidationError, "to"),
        ({"count": 4, "months": 1, "from_ms": 7}, ValidationError, "from"),
        ({"count": 4, "months": 1, "type": "tpu"}, ValidationError, "types"),
        ({"count": 4, "months": 1, "tenant": "nobody"}, NotFoundError, "tenant"),
    ],
)
def test_what_cannot_be_a_reservation_is_refused(
    plane: HandPlane, wish: dict[str, object], error: type[PetahourError], field: str
) -> None:
    known: dict[str, object] = {"tenant": "acme", "type": "cpu"}
    if not {"months", "to_ms"} & wish.keys():
        known["months"] = 1
    with pytest.raises(error) as caught:
        reserve(plane.context, OPERATOR, Wish(**(known | wish)))  # type: ignore[arg-type]
    assert caught.value.field == field
    assert reservations_for(plane.context, OPERATOR) == []


@pytest.mark.parametrize(
    ("begins", "months", "ends"),
    [
        ("2027-01-31T10:00:00+00:00", 1, "2027-02-28T10:00:00+00:00"),
        ("2028-01-31T10:00:00+00:00", 1, "2028-02-29T10:00:00+00:00"),
        ("2028-02-29T00:00:00+00:00", 12, "2029-02-28T00:00:00+00:00"),
        ("2026-12-31T23:00:00+00:00", 2, "2027-02-28T23:00:00+00:00"),
        # Summer time begins somewhere in between; UTC does not know it.
        ("2027-03-15T02:00:00+00:00", 1, "2027-04-15T02:00:00+00:00"),
        ("2027-03-28T03:00:00+02:00", 1, "2027-04-28T01:00:00+00:00"),
    ],
)
def test_months_are_those_of_the_calendar_in_utc(begins: str, months: int, ends: str) -> None:
    from datetime import datetime

    at = [to_ms(datetime.fromisoformat(text)) for text in (begins, ends)]
    assert add_months(at[0], months) == at[1]


def _now(plane: HandPlane, name: str) -> Reservation:
    with plane.store.read() as tx:
        found = tx.promises.reservation(name)
    assert found is not None
    return found


def test_work_on_seats_that_are_anothers_later_starts_and_yields_to_him_then(plane: HandPlane) -> None:
    """Its own reservation ends before; that it may run beyond that is no broken promise."""
    later = promise(plane, 3, after_h=5, tenant="beta", count=4)
    own = promise(plane, 3, count=4)
    assert places(own.seats) == places(later.seats)
    first = plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=20 * HOUR_MS)
    plane.step(1)
    assert allocation(plane, first.id).reservation == own.id
    second = plane.submit("beta", tier="reserved", accelerators_per_node=4, run_ms=HOUR_MS)
    for _ in range(14):
        plane.step(30 * MINUTE_MS)
    assert allocation(plane, second.id).slots == later.seats
    plane.require_sound()
