"""Money's whole life as a state machine: after every step double entry and conservation hold, and all is proven.

A step tops up, submits, places, runs, preempts, fails, loses, cancels, closes hours, publishes and posts prices,
reserves, lends, extends and ends reservations, closes months, takes payments, voids, credits and takes back, lets
time pass, sets the host's clock back, restarts on the store alone, or crashes at some statement of one of these and
does it again. ``PETAHOUR_MONEY_STEPS`` says how many steps in all: 400 without it, 5,000 in continuous integration,
where ``CI`` is set. A fifth of them is on PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.integration.control.crashing import CrashError, Crashing
from tests.integration.control.house import BEGIN_MS, OPERATOR, SETTINGS, House, open_house
from tests.integration.control.invoice_life import InvoiceLife
from tests.integration.control.reservation_life import ReservationLife
from tests.integration.postgres import PostgresServer

from petahour.billing.conservation import conserve
from petahour.control.audit import audit, verify
from petahour.control.billing_terms import set_seller, set_terms
from petahour.control.cancel import cancel
from petahour.control.clock import SystemClock
from petahour.control.close_hours import close_hours, due_for_closing
from petahour.control.commit import commit
from petahour.control.corrections import reverse
from petahour.control.credit import add_credit
from petahour.control.live import LiveState
from petahour.control.prices import PriceBooks
from petahour.control.publish import adopt_books, publish
from petahour.control.spot import post_prices, take_posted
from petahour.control.tenants import create_tenant
from petahour.engines.protocol import Phase
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.errors import ConflictError
from petahour.model.invoices import BillingTerms, Party, Seller
from petahour.model.jobs import Job, JobState, Tier
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS, MINUTE_MS, hour_floor, month_bounds, month_of, to_iso
from petahour.model.usage import TransferKind
from petahour.scheduler.plan import Place, Plan, Preempt
from petahour.store.sql.store import open_store, sqlite_url

STEPS = int(os.environ.get("PETAHOUR_MONEY_STEPS") or (5_000 if os.environ.get("CI") else 400))
A_LIFE = 100 if STEPS > 5_000 else 40  # steps on one store; each costs more the longer the life was
ON_POSTGRESQL = 0.2  # of the steps, as one costs several times as much there
CENTURY_MS = 100 * 366 * 24 * HOUR_MS

RESERVING = ("reserve", "change", "charge")

picks = st.integers(0, 10_000)


class MoneyLife(InvoiceLife, ReservationLife, RuleBasedStateMachine):
    """The test plays scheduler, engine, people and misfortune; what it knows of money is ``bought`` alone."""

    new_url: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="petahour-money-", dir=_memory()))
        self.url = type(self).new_url() or sqlite_url(self.folder / "petahour.db")
        self.house = open_house(self.url, self.folder)
        # Two hours before a month is over.
        self.wall_ms = month_bounds(month_of(self.house.clock.at_ms))[1] - 2 * HOUR_MS - 7 * MINUTE_MS
        self.latest_ms = self.wall_ms
        self.bought_micros = 100_000_000
        self.keys: dict[str, int] = {}
        self.count = 0
        context = self.house.context
        create_tenant(context, OPERATOR, name="lender", title="", currency="CNY")
        adopt_books(context.store, context.prices, BEGIN_MS, sample=True)
        set_seller(context, OPERATOR, Seller(party=Party(name="Petahour Ltd")))
        tax = BillingTerms(tenant="acme", party=Party(name="Acme"), tax_name="VAT", tax_rate_ppm=60_000)
        set_terms(context, OPERATOR, tax)
        self._restart()

    def teardown(self) -> None:
        with self.house.context.store.read() as tx:
            assert [(check.name, check.detail) for check in audit(tx) if not check.ok] == []
        self.house.context.store.close()
        shutil.rmtree(self.folder)

    # -- people ----------------------------------------------------------------------------------------------

    @rule(pick=st.integers(0, 5), micros=st.sampled_from([1, 333_333, 5_000_000]))
    def top_up(self, pick: int, micros: int) -> None:
        """One key is one credit, however often it is sent; with another amount it is refused."""
        key, amount = f"pay-{pick + 2}", f"{micros / 1e6:.6f}"
        if self.keys.get(key, micros) != micros:
            with pytest.raises(ConflictError, match="another amount"):
                self._add_credit(amount, key)
            return
        self._add_credit(amount, key)
        self.bought_micros += 0 if key in self.keys else micros
        self.keys[key] = micros

    @rule(
        tier=st.sampled_from([Tier.ON_DEMAND, Tier.SPOT]),
        rehearsed=st.booleans(),
        keeps=st.booleans(),
        limit=st.sampled_from([None, None, 90_000, 150_000]),
    )
    def submit(self, tier: Tier, rehearsed: bool, keeps: bool, limit: int | None) -> None:
        self.count += 1
        types = ("a100-80g-sxm",) if rehearsed else ("cpu",)
        terms = {"checkpoint_dir": "/saved" if keeps else None, "limit_micros": limit if tier is Tier.SPOT else None}
        self.house.submit(f"j{self.count}", types=types, tier=tier, **terms)

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        jobs = [job for job in self._jobs() if not job.state.final]
        if jobs:
            cancel(self.house.context, OPERATOR, jobs[pick % len(jobs)].id)

    @rule(
        pick=picks, kinds=st.sampled_from([(TransferKind.CHARGE,), (TransferKind.REVERSAL,), (TransferKind.TOPUP,)])
    )
    def take_back(self, pick: int, kinds: tuple[TransferKind, ...]) -> None:
        """A refund of a charge, or a top-up taken back while credit is left; a reversal is final."""
        found = [one for one in self._transfers() if one.kind in kinds]
        if not found:
            return
        taken = found[pick % len(found)]
        if taken.kind is TransferKind.REVERSAL:
            with pytest.raises(ConflictError, match="a reversal is final"):
                reverse(self.house.context, OPERATOR, taken.id, note="refund")
            return
        known = {one.cause for one in self._transfers() if one.kind is TransferKind.REVERSAL}
        available = next(one.available_micros for one in self._balances() if one.account == "prepaid:acme:CNY")
        if taken.id not in known and taken.credit == "prepaid:acme:CNY" and available < taken.amount_micros:
            with pytest.raises(ConflictError, match="at most what is left"):
                reverse(self.house.context, OPERATOR, taken.id, note="refund")
            return
        reverse(self.house.context, OPERATOR, taken.id, note="refund")
        if taken.id not in known and "cash:operator:CNY" in (taken.debit, taken.credit):
            self.bought_micros += taken.amount_micros if taken.credit.startswith("cash") else -taken.amount_micros

    @rule(percent=st.sampled_from([0, 50, 100, 130, 777]), posted=st.booleans())
    def reprice(self, percent: int, posted: bool) -> None:
        """Another book from the next millisecond on; what runs under a promise keeps its own."""
        self.count += 1
        newest_ms = max(book.effective_ms for book in self.house.context.prices.books)
        price, at = 280_000 * percent // 100, to_iso(max(self._now(), newest_ms) + 1)
        text = (
            f'[[price_book]]\nid = "book-{self.count}"\ncurrency = "CNY"\neffective = {at}\n'
            f'prices.cpu = {{ on-demand = "{price / 1e6:.6f}", spot = "0.10", reserved = "0.20" }}\n'
            f'prices.a100-80g-sxm = {{ on-demand = "14.00", spot = "5.60", reserved = "9.80" }}\n'
        )
        rule = 'spot.cpu = { floor = "0.05", ceiling = "0.20", step = "0.03", target = 25 }\n'
        publish(self.house.context, OPERATOR, text + (rule if posted else ""))
        self.wall_ms += 1

    @rule()
    def post_prices(self) -> None:
        """What the control loop does first in every hour."""
        for _ in range(2):
            post_prices(self.house.context)

    # -- scheduler and engine ----------------------------------------------------------------------------------

    @rule(pick=picks, tier=st.sampled_from([Tier.ON_DEMAND, Tier.SPOT]))
    def run_one(self, pick: int, tier: Tier) -> None:
        """A whole way at once, as few lives would come to it step by step."""
        self.submit(tier=tier, rehearsed=False, keeps=bool(pick % 2), limit=None)
        self.place(pick=pick)
        self.start(pick=pick, shift_ms=0)

    @rule(pick=picks)
    def place(self, pick: int) -> None:
        queued = [job for job in self._jobs() if job.state is JobState.QUEUED]
        if not queued:
            return
        job = queued[pick % len(queued)]
        slot = self._free(job, pick)
        if slot is not None:
            self._committed(places=(Place(job=job.id, type=job.spec.types[0], slots=(slot,), borrowed=True),))

    @rule(pick=picks, shift_ms=st.sampled_from([0, 0, -5_000, 999_999, -CENTURY_MS]))
    def start(self, pick: int, shift_ms: int) -> None:
        """The first rank runs; the engine's clock may say anything."""
        self._report(self._active(AllocationState.STARTING), pick, Phase.RUNNING, shift_ms)

    @rule(
        pick=picks, kind=st.sampled_from(list(EndKind)), shift_ms=st.sampled_from([0, 0, -90_000, 5_000, CENTURY_MS])
    )
    def end(self, pick: int, kind: EndKind, shift_ms: int) -> None:
        self._report(self._active(), pick, Phase.ENDED, shift_ms, kind)

    @rule(pick=picks, phase=st.sampled_from(list(Phase)), kind=st.sampled_from(list(EndKind)))
    def say_again(self, pick: int, phase: Phase, kind: EndKind) -> None:
        """A late, repeated or contradicting report of what is over."""
        before = self._money()
        self._report(self._ended(), pick, phase, -pick, kind)
        assert self._money() == before

    @rule(pick=picks)
    def preempt(self, pick: int) -> None:
        """Who may be stopped for whom is the scheduler's rule: spot for spot keeps checkpoints, and not too often."""
        jobs = {job.id: job for job in self._jobs()}
        queued = [job for job in jobs.values() if job.state is JobState.QUEUED]
        running = self._active(AllocationState.STARTING, AllocationState.RUNNING)
        pairs = [
            (victim, job)
            for victim in running
            for job in queued
            if jobs[victim.job].preemptions < SETTINGS.max_preemptions
            and (
                job.spec.tier is not Tier.SPOT
                or (victim.tier is Tier.SPOT and jobs[victim.job].spec.checkpoint_dir is not None)
            )
        ]
        if pairs:
            victim, job = pairs[pick % len(pairs)]
            self._committed(preempts=(Preempt(allocation=victim.id, for_job=job.id),))

    @rule()
    def close_hours(self) -> None:
        """What the control loop does when an hour is over."""
        before = self._now()
        for _ in range(2):
            self._close_hours(hour_floor(before - SETTINGS.settle_ms))

    # -- time and misfortune -----------------------------------------------------------------------------------

    @rule(passed_ms=st.sampled_from([1, 999, 45_000, 20 * MINUTE_MS, HOUR_MS, 5 * HOUR_MS + 1, 25 * HOUR_MS]))
    def let_time_pass(self, passed_ms: int) -> None:
        self.wall_ms += passed_ms

    @rule(back_ms=st.sampled_from([1, 30_000, HOUR_MS]))
    def set_the_clock_back(self, back_ms: int) -> None:
        self.wall_ms = max(BEGIN_MS, self.wall_ms - back_ms)

    @rule()
    def restart(self) -> None:
        self._restart()

    @rule(
        statement=st.integers(1, 60),
        pick=picks,
        what=st.sampled_from(
            ["end", "close", "place", "top up", "start", "month", "price", "post", "pay", "correct", *RESERVING]
        ),
    )
    def crash(self, statement: int, pick: int, what: str) -> None:
        """At some statement of a step the process is gone: nothing of the step is there. Then it is done again."""
        steps: dict[str, Callable[[], None]] = {
            "end": lambda: self.end(pick=pick, kind=EndKind.SUCCEEDED, shift_ms=0),
            "close": self.close_hours,
            "place": lambda: self.place(pick=pick),
            "start": lambda: self.start(pick=pick, shift_ms=0),
            "top up": lambda: self.top_up(pick=pick % 6, micros=1),
            "month": self.close_month,
            "price": lambda: self.reprice(percent=50, posted=True),
            "post": self.post_prices,
            "pay": lambda: self.pay(pick=pick),
            "correct": lambda: self.correct(pick=pick, what="void"),
            "reserve": lambda: self.reserve(pick=pick, owner="acme", share="33.3333"),
            "change": lambda: self.change_reservation(pick=pick, what=("keep", "end")[pick % 2]),
            "charge": self.charge,
        }
        keys, bought = dict(self.keys), self.bought_micros
        try:
            with Crashing(self.house.context.store, statement):
                steps[what]()
        except CrashError:
            self.keys, self.bought_micros = keys, bought
            self._restart()
            self.proven()
            steps[what]()

    # -- what must hold after every step -------------------------------------------------------------------------

    @invariant()
    def proven(self) -> None:
        """Every check of money, the chain among them; conservation of capacity and of what was bought."""
        with self.house.context.store.read() as tx:
            assert [(check.name, check.detail) for check in verify(tx) if not check.ok] == []
            events = tx.events.after(0, limit=1_000_000)
            usage = tx.ledger.usage(tenant=None, from_ms=0, to_ms=2**60)
            balances = tx.ledger.balances()
            allocations = tx.allocations.every()
        assert sum(balance.posted_micros for balance in balances) == 0
        assert sum(balance.pending_debits_micros - balance.pending_credits_micros for balance in balances) == 0
        cash = next(balance for balance in balances if balance.account == "cash:operator:CNY")
        assert -cash.posted_micros == self.bought_micros
        # What was paid in is still credit, or was used, taxed or rounded away; debts are what was used beyond it.
        apart = {"cash", "rehearsal-use", "rehearsal-revenue"}
        there = sum(one.posted_micros for one in balances if one.account.split(":")[0] not in apart)
        assert there == self.bought_micros
        self.latest_ms = max(self.latest_ms, self._now())
        kept = conserve(events=events, usage=usage, from_ms=BEGIN_MS, to_ms=self.latest_ms, allocations=allocations)
        assert kept.faults == ()

    # -- what the steps are made of ------------------------------------------------------------------------------

    def _restart(self) -> None:
        """A new process on the same store: nothing in memory is kept, and its clock keeps what was recorded."""
        context = self.house.context
        context.store.close()
        store = open_store(self.url)
        clock = SystemClock(lambda: self.wall_ms)
        with store.read() as tx:
            clock.not_before(tx.events.latest_ms())
            prices = PriceBooks(tx.prices.books())
        fresh = replace(context, store=store, live=LiveState(), clock=clock, prices=prices)
        take_posted(fresh)
        self.house = House(fresh, self.house.clock)

    def _add_credit(self, amount: str, key: str) -> None:
        add_credit(self.house.context, OPERATOR, "acme", amount=amount, currency="CNY", key=key, note="")

    def _committed(self, *, places: tuple[Place, ...] = (), preempts: tuple[Preempt, ...] = ()) -> None:
        context = self.house.context
        context.live.forget()
        context.live.refresh(context.store, SETTINGS)
        commit(context, Plan(places=places, preempts=preempts, holds=()))

    def _close_hours(self, until_ms: int) -> None:
        with self.house.context.store.write() as tx:
            due = [allocation.id for allocation in due_for_closing(tx.allocations.active(), until_ms)]
            close_hours(
                tx,
                due,
                until_ms=until_ms,
                now_ms=self._now(),
                settings=SETTINGS,
                prices=self.house.context.prices,
            )
        self.charge()

    def _report(
        self, found: list[Allocation], pick: int, phase: Phase, shift_ms: int, kind: EndKind | None = None
    ) -> None:
        if not found:
            return
        allocation, now_ms = found[pick % len(found)], self._now()
        self.house.clock.at_ms = now_ms
        started_ms = allocation.started_ms if phase is Phase.ENDED else now_ms + shift_ms
        ended = {"ended_ms": now_ms + shift_ms, "end_kind": kind, "exit_code": 0} if phase is Phase.ENDED else {}
        self.house.report(allocation.id, phase, started_ms=started_ms, **ended)

    def _free(self, job: Job, pick: int) -> Slot | None:
        nodes = {"cpu": ("n1", "n2"), "a100-80g-sxm": ("r1",)}[job.spec.types[0]]
        with self.house.context.store.read() as tx:
            free = [(node, index) for node in nodes for index in range(4) if index not in tx.allocations.held(node)]
        free = [place for place in free if place not in self._kept_from(job)]
        if not free:
            return None
        node, index = free[pick % len(free)]
        return Slot(node=node, indexes=(index,))


def _memory() -> str | None:
    """Where files need no disk: the steps are many, and durability is tested elsewhere."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_money_is_conserved_whatever_happens(database: str, request: pytest.FixtureRequest) -> None:
    part = ON_POSTGRESQL if database == "postgresql" else 1 - ON_POSTGRESQL
    new_url: Callable[[], str] = lambda: ""  # noqa: E731
    if database == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        new_url = server.new_database
    machine = type("MoneyLifeOn" + database, (MoneyLife,), {"new_url": staticmethod(new_url)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, round(STEPS * part / A_LIFE)),
            stateful_step_count=A_LIFE,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
