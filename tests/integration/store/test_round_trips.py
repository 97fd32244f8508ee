"""What goes in comes out, of every noun."""

from __future__ import annotations

from dataclasses import replace

from tests.integration.store import samples
from tests.integration.store.samples import HOUR, people_and_node

from petahour.billing.chain import GENESIS, link
from petahour.model.events import Event, EventKind
from petahour.model.jobs import JobState
from petahour.model.promises import Lending, Maintenance, RenewalStep, Reservation, ReservationState, WindowState
from petahour.model.resources import NodeState, Slot
from petahour.model.time import HOUR_MS
from petahour.model.usage import Balance, Charge, PricedUsage, RatedUsage, Transfer, TransferKind
from petahour.store.protocol import Billed, JobFilter, Submission
from petahour.store.sql.store import SqlStore


def test_people(store: SqlStore) -> None:
    with store.write() as tx:
        tx.people.add_tenant(samples.TENANT)
        tx.people.add_project(samples.PROJECT)
        for user in (samples.USER, samples.OPERATOR):
            tx.people.add_user(user)
        tx.people.add_key(samples.KEY)
        tx.people.put_quota(replace(samples.QUOTA, nominal=1, borrowing_limit=None))
        tx.people.put_quota(samples.QUOTA)
    with store.read() as tx:
        assert tx.people.tenants() == [samples.TENANT]
        assert tx.people.tenant("acme") == samples.TENANT
        assert tx.people.tenant("other") is None
        assert tx.people.project("acme", "default") == samples.PROJECT
        assert tx.people.projects() == [samples.PROJECT]
        assert tx.people.projects("other") == []
        assert tx.people.user("acme", "ann") == samples.USER
        assert tx.people.users(None) == [samples.OPERATOR]
        assert tx.people.key("key-1") == samples.KEY
        assert tx.people.keys("acme") == tx.people.keys(None, everyone=True) == [samples.KEY]
        assert tx.people.keys(None) == []
        assert tx.people.quotas() == tx.people.quotas("acme") == [samples.QUOTA]
    with store.write() as tx:
        tx.people.revoke_key("key-1", at_ms=HOUR)
        tx.people.revoke_key("key-1", at_ms=HOUR + 1)
    with store.read() as tx:
        assert tx.people.key("key-1") == replace(samples.KEY, revoked_ms=HOUR)


def test_nodes(store: SqlStore) -> None:
    up = replace(samples.NODE, state=NodeState.UP, devices=())
    with store.write() as tx:
        tx.fleet.put(samples.NODE)
        tx.fleet.put(up)
        tx.fleet.put(replace(samples.NODE, name="a0"))
    with store.read() as tx:
        assert tx.fleet.get("n1") == up
        assert tx.fleet.get("n2") is None
        assert [node.name for node in tx.fleet.every()] == ["a0", "n1"]


def test_promises(store: SqlStore) -> None:
    window = Maintenance(id="mnt-1", nodes=("a", "b"), from_ms=HOUR, to_ms=2 * HOUR, reason="fan", created_by="op")
    opened = replace(window, state=WindowState.OPEN, empties=True)
    closed = replace(window, id="mnt-0", state=WindowState.CLOSED)
    asked = Reservation(
        id="res-1",
        tenant="acme",
        type="cpu",
        nodes=2,
        per_node=3,
        from_ms=2 * HOUR,
        to_ms=5 * HOUR,
        price_micros=7,
        currency="CNY",
    )
    seats = (Slot(node="a", indexes=(1, 2, 3)), Slot(node="b", indexes=(0, 1, 2)))
    made = replace(asked, seats=seats, lends=True, state=ReservationState.CONFIRMED, billed_ms=3 * HOUR, of="res-0")
    first = replace(asked, id="res-2", from_ms=HOUR)
    with store.write() as tx:
        tx.people.add_tenant(samples.TENANT)
        for one in (window, closed, opened):
            tx.promises.put_window(one)
        for other in (asked, first, made):
            tx.promises.put_reservation(other)
    with store.read() as tx:
        assert tx.promises.window("mnt-1") == opened
        assert tx.promises.window("mnt-2") is None
        assert tx.promises.windows() == [opened]
        assert tx.promises.windows(over=True) == [closed, opened]
        assert tx.promises.reservation("res-1") == made
        assert tx.promises.reservation("res-3") is None
        assert tx.promises.reservations() == tx.promises.reservations(tenant="acme") == [first, made]
        assert tx.promises.reservations(tenant="beta") == []
        assert tx.promises.reservations(state=ReservationState.CONFIRMED) == [made]


def test_a_renewal_and_what_was_lent_when(store: SqlStore) -> None:
    seats = (Slot(node="a", indexes=(1, 2)),)
    made = Reservation(
        id="res-1",
        tenant="acme",
        type="cpu",
        nodes=1,
        per_node=2,
        from_ms=2 * HOUR,
        to_ms=9 * HOUR,
        price_micros=7,
        currency="CNY",
        lends=True,
        share_ppm=400_000,
        seats=seats,
        renew_from_ms=HOUR,
        renewal=RenewalStep.ANNOUNCED,
        state=ReservationState.CONFIRMED,
    )
    first = Lending(
        reservation="res-1",
        tenant="acme",
        currency="CNY",
        rehearsal=False,
        share_ppm=400_000,
        seats=seats,
        from_ms=2 * HOUR,
        to_ms=9 * HOUR,
    )
    second = replace(first, from_ms=5 * HOUR, seats=(Slot(node="b", indexes=(0, 3)),))
    with store.write() as tx:
        tx.people.add_tenant(samples.TENANT)
        tx.promises.put_reservation(made)
        tx.promises.put_lending("res-1", replace(first, from_ms=3 * HOUR), at_ms=HOUR)
        tx.promises.put_lending("res-1", first, at_ms=2 * HOUR)
        tx.promises.put_lending("res-1", second, at_ms=5 * HOUR)
        assert tx.promises.lendings(from_ms=0, to_ms=9 * HOUR) == [replace(first, to_ms=5 * HOUR), second]
        tx.promises.put_lending("res-1", None, at_ms=7 * HOUR)
    with store.read() as tx:
        assert tx.promises.reservation("res-1") == made
        last = replace(second, to_ms=7 * HOUR)
        assert tx.promises.lendings(from_ms=5 * HOUR, to_ms=9 * HOUR) == [last]
        assert tx.promises.lendings(from_ms=6 * HOUR, to_ms=7 * HOUR) == [last]
        assert tx.promises.lendings(from_ms=7 * HOUR, to_ms=9 * HOUR) == []


def test_quotes(store: SqlStore) -> None:
    other = replace(samples.QUOTE, id="quote-2", tenant="beta", lines=(), refused=(), currency=None)
    with store.write() as tx:
        people_and_node(tx)
        job = tx.jobs.add(samples.job(1), key=None, request_hash="h-1")
        tx.quotes.add(samples.QUOTE)
        tx.quotes.add(other)
        assert tx.quotes.use("quote-1", job.id)
        assert not tx.quotes.use("quote-1", job.id)
        assert not tx.quotes.use("quote-9", job.id)
    used = replace(samples.QUOTE, job="job-1")
    with store.read() as tx:
        assert tx.quotes.get("quote-1") == used
        assert tx.quotes.get("quote-9") is None
        assert tx.quotes.newest(tenant=None, limit=5) == [other, used]
        assert tx.quotes.newest(tenant="acme", limit=5) == [used]
        assert tx.quotes.newest(tenant=None, limit=1) == [other]
        assert tx.quotes.used(tenant="acme", work=samples.QUOTE.work, limit=5) == [used]
        assert tx.quotes.used(tenant="beta", limit=5) == tx.quotes.used(work="other", limit=5) == []
        assert tx.quotes.billed(["job-1"]) == {}


def test_what_a_job_was_billed(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h-1")
        tx.allocations.add(samples.allocation(1))
        tx.ledger.bill([samples.PRICED], at_ms=HOUR)
    with store.read() as tx:
        billed = tx.quotes.billed(["job-1", "job-2"])
    assert billed == {
        "job-1": Billed(
            type=samples.allocation(1).type,
            accelerator_ms=samples.USAGE.billed_ams,
            amount_micros=samples.CHARGE.amount_micros,
            currency="CNY",
            rehearsal=samples.allocation(1).rehearsal,
        )
    }


def test_jobs(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        first = tx.jobs.add(samples.job(1), key="k-1", request_hash="h-1")
        second = tx.jobs.add(samples.job(2), key=None, request_hash="h-2")
        third = tx.jobs.add(samples.job(3), key=None, request_hash="h-3")
        done = replace(second, state=JobState.FAILED, ended_ms=HOUR + 5, exit_code=None, message="")
        tx.jobs.save(done)
    assert 0 < first.seq < second.seq < third.seq
    with store.read() as tx:
        assert tx.jobs.get("job-1") == first
        assert tx.jobs.get("job-9") is None
        assert tx.jobs.many(["job-3", "job-2", "job-2", "job-9"]) == [done, third]
        assert tx.jobs.unfinished() == [first, third]
        assert tx.jobs.find(JobFilter()) == [third, done, first]
        assert tx.jobs.find(JobFilter(limit=1, before_seq=third.seq)) == [done]
        assert tx.jobs.find(JobFilter(states=(JobState.FAILED,), tenant="acme", project="default")) == [done]
        assert tx.jobs.find(JobFilter(tenant="other")) == []
        assert tx.jobs.submission("acme", "k-1") == Submission(job="job-1", request_hash="h-1")
        assert tx.jobs.submission("other", "k-1") is None


def test_allocations(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h")
        tx.allocations.add(samples.allocation(1))
        ended = replace(samples.allocation(1), **samples.ENDED)  # type: ignore[arg-type]
        tx.allocations.save(ended)
        tx.allocations.release("alloc-1")
        tx.allocations.add(samples.allocation(2, indexes=(1, 3)))
    second = samples.allocation(2, indexes=(1, 3))
    with store.read() as tx:
        assert tx.allocations.get("alloc-1") == ended
        assert tx.allocations.get("alloc-9") is None
        assert tx.allocations.of_job("job-1") == [ended, second]
        assert tx.allocations.active() == [second]
        assert tx.allocations.latest(["job-1", "job-9"]) == {"job-1": second}
        assert sorted(item.id for item in tx.allocations.every()) == ["alloc-1", "alloc-2"]
        assert list(tx.allocations.many(["alloc-2"])) == [second]
        assert tx.allocations.held("n1") == {1: "alloc-2", 3: "alloc-2"}
        assert tx.allocations.held("n2") == {}


def test_events(store: SqlStore) -> None:
    event = Event(
        kind=EventKind.JOB_STATE, at_ms=HOUR, tenant="acme", job="job-1", data={"a": [1, {"b": None}], "t": "é"}
    )
    with store.write() as tx:
        first = tx.events.append(event)
        second = tx.events.append(replace(event, job=None, node="n1"))
    with store.read() as tx:
        assert tx.events.after(0, limit=9) == [replace(event, seq=first.seq), second]
        assert tx.events.after(first.seq, limit=9) == [second]
        assert tx.events.of_job("job-1") == [first]
        assert tx.events.last_seq() == second.seq


def test_usage_and_charges(store: SqlStore) -> None:
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h")
        tx.allocations.add(samples.allocation(1))
        assert tx.ledger.bill([samples.PRICED, samples.PRICED], at_ms=HOUR) == [samples.RATED]
        assert tx.ledger.bill([samples.PRICED], at_ms=HOUR) == []
    with store.read() as tx:
        assert tx.ledger.usage(tenant="acme", from_ms=HOUR, to_ms=HOUR + 1) == [samples.USAGE]
        assert tx.ledger.usage(tenant=None, from_ms=HOUR + 10, to_ms=HOUR + 99) == []
        assert tx.ledger.usage(tenant="other", from_ms=HOUR, to_ms=HOUR + 1) == []
        assert tx.ledger.charges(tenant="acme", from_ms=HOUR, to_ms=HOUR + 1) == [samples.CHARGE]
        assert tx.ledger.charges(tenant=None, from_ms=HOUR + 1, to_ms=HOUR + 2) == []


def test_usage_is_posted_once_with_its_charge_and_its_transfer(store: SqlStore) -> None:
    def priced(start_ms: int, micros: int) -> PricedUsage:
        """Ten milliseconds of two accelerators that come to so much."""
        name = f"alloc-1-{start_ms}"
        record = replace(samples.USAGE, id=f"use-{name}", start_ms=start_ms, end_ms=start_ms + 10)
        record = replace(record, billed_ams=20, waived_ams=0, waive_reason=None, rehearsal=False)
        return samples.PRICED._replace(record=record, price_micros=micros * HOUR_MS // 20)

    def charged(one: PricedUsage, micros: int) -> Charge:
        name = one.record.id.removeprefix("use-")
        charge = replace(samples.CHARGE, id=f"chg-{name}", usage=one.record.id, rehearsal=False)
        return replace(charge, price_micros=one.price_micros, amount_micros=micros)

    def moved(one: PricedUsage, micros: int) -> Transfer:
        transfer = samples.transfer(f"trf-{charged(one, micros).id}", TransferKind.CHARGE, micros)
        spent, earned = "prepaid:acme:CNY", "revenue:operator:CNY:cpu/spot"
        return replace(transfer, debit=spent, credit=earned, cause=one.record.id, note="")

    first, free, last = priced(HOUR, 5), priced(HOUR + 10, 0), priced(HOUR + 20, 7)
    done = [
        RatedUsage(first.record, charged(first, 5), moved(first, 5)),
        RatedUsage(free.record, charged(free, 0), None),
        RatedUsage(last.record, charged(last, 7), moved(last, 7)),
    ]
    with store.write() as tx:
        people_and_node(tx)
        tx.jobs.add(samples.job(1), key=None, request_hash="h")
        tx.allocations.add(samples.allocation(1))
        assert tx.ledger.bill([], at_ms=HOUR) == []
        assert tx.ledger.bill([first, free, first], at_ms=HOUR) == done[:2]
    with store.write() as tx:
        assert tx.ledger.bill([free, last, first], at_ms=HOUR) == done[2:]
        assert tx.ledger.bill([last], at_ms=HOUR) == []
    with store.read() as tx:
        assert tx.ledger.usage_of("alloc-1") == [first.record, free.record, last.record]
        assert [tx.ledger.charge_of(one.record.id) for one in (first, free, last)] == [one.charge for one in done]
        assert tx.ledger.transfers() == [moved(first, 5), moved(last, 7)]
        assert tx.ledger.balance("prepaid:acme:CNY", "CNY").debits_micros == 12
        assert tx.ledger.head() == link(link(GENESIS, moved(first, 5)), moved(last, 7))


def test_transfers_move_their_balances(store: SqlStore) -> None:
    topup = samples.transfer("t-1", TransferKind.TOPUP, 2**50)
    held = samples.transfer("t-2", TransferKind.PENDING, 7)
    voided = samples.transfer("t-3", TransferKind.VOID, 7, pending="t-2")
    with store.write() as tx:
        assert tx.ledger.post(topup)
        assert tx.ledger.post(held)
        assert not tx.ledger.post(topup)
    with store.read() as tx:
        account = tx.ledger.balance("prepaid:acme:CNY", "CNY")
        assert (account.credits_micros, account.pending_credits_micros) == (2**50, 7)
    with store.write() as tx:
        assert tx.ledger.post(voided)
    with store.read() as tx:
        assert tx.ledger.transfers() == tx.ledger.transfers(accounts=["cash:operator:CNY"]) == [topup, held, voided]
        assert tx.ledger.transfers(until_ms=HOUR) == tx.ledger.transfers(accounts=["prepaid:other:CNY"]) == []
        assert tx.ledger.transfer("t-2") == held
        assert tx.ledger.balances() == [
            Balance(account="cash:operator:CNY", currency="CNY", debits_micros=2**50),
            Balance(account="prepaid:acme:CNY", currency="CNY", credits_micros=2**50),
        ]
