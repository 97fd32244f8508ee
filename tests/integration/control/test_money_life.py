"""Money's whole life as a state machine: after every step double entry and conservation hold, and all is proven.

A step submits, places, runs, preempts, fails, loses, cancels and closes hours (``work_life.py``); reserves, extends,
enlarges and ends reservations, charges them, maintains nodes (``promise_life.py``); changes terms and budgets, duns,
writes off, tops up with a second person (``terms_life.py``); closes months, takes payments, voids and credits
(``invoice_life.py``); tops up, takes back, publishes and posts prices, lets time pass, sets the host's clock back,
restarts on the store alone, or crashes at some statement of one of these and does it again. ``PETAHOUR_MONEY_STEPS``
says how many steps in all: 400 without it, 5,000 in continuous integration, where ``CI`` is set. A fifth of them is
on PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.integration.control.crashing import CrashError, Crashing
from tests.integration.control.house import BEGIN_MS, OPERATOR, SETTINGS, House
from tests.integration.control.invoice_life import InvoiceLife
from tests.integration.control.promise_life import PromiseLife
from tests.integration.control.ready import BOUGHT_MICROS, Ready, Written, in_memory
from tests.integration.control.terms_life import TermsLife
from tests.integration.control.work_life import WorkLife
from tests.integration.postgres import PostgresServer

from petahour.billing.conservation import conserve
from petahour.control.audit import Check, audit, verify
from petahour.control.clock import SystemClock
from petahour.control.corrections import reverse
from petahour.control.credit import add_credit
from petahour.control.live import LiveState
from petahour.control.prices import PriceBooks
from petahour.control.publish import publish
from petahour.control.spot import post_prices, take_posted
from petahour.model.allocations import EndKind
from petahour.model.errors import ConflictError
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, hour_floor, month_bounds, month_of, to_iso
from petahour.model.usage import TransferKind
from petahour.store.sql.store import open_store

STEPS = int(os.environ.get("PETAHOUR_MONEY_STEPS") or (5_000 if os.environ.get("CI") else 400))
A_LIFE = 100 if STEPS > 5_000 else 40  # steps on one store; each costs more the longer the life was
ON_POSTGRESQL = 0.2  # of the steps, as one costs several times as much there
CENTURY_MS = 100 * 366 * 24 * HOUR_MS

CRASHING = (
    *("end", "close", "place", "schedule", "start", "top up", "month", "price", "post", "pay", "correct"),
    *("promise", "confirm", "charge", "let go", "maintain", "credit", "give up"),
)

PARTS = (
    *(TransferKind.PENDING, TransferKind.TAX, TransferKind.ROUNDING, TransferKind.SERVICE_CREDIT),
    *(TransferKind.COMMITMENT, TransferKind.FEE, TransferKind.OFFSET),
)

picks = st.integers(0, 10_000)


class MoneyLife(PromiseLife, InvoiceLife, TermsLife, WorkLife, RuleBasedStateMachine):
    """The test plays scheduler, engine, people and misfortune; what it knows of money is ``bought`` alone."""

    ready: Ready

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="petahour-money-", dir=in_memory()))
        self.house, self.url = type(self).ready.copy(self.folder)
        # Two hours before a month is over.
        self.wall_ms = month_bounds(month_of(self.house.clock.at_ms))[1] - 2 * HOUR_MS - 7 * MINUTE_MS
        self.latest_ms = self.wall_ms
        self.bought_micros = BOUGHT_MICROS
        self.keys: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.count, self.over = 0, False
        self._restart()

    def teardown(self) -> None:
        self.over = True
        self.proven()
        with self.house.context.store.read() as tx:
            _all_kept(audit(tx))
        self.house.context.store.close()
        shutil.rmtree(self.folder)
        if (server := type(self).ready.server) is not None:
            server.drop(self.url)

    # -- people ----------------------------------------------------------------------------------------------

    @rule(pick=st.integers(0, 5), micros=st.sampled_from([10_000, 330_000, 5_000_000]))
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

    @rule(pick=picks, kind=st.sampled_from([*TransferKind]))
    def take_back(self, pick: int, kind: TransferKind) -> None:
        """Anything that was posted: a charge, a top-up while credit is left, a payment that the bank took back.

        What is a part of an invoice, of a reservation or of a hold is refused, as is a top-up that was paid back, and
        then nothing has moved.
        """
        found = [one for one in self._transfers() if one.kind is kind]
        if not found:
            return
        taken, before = found[pick % len(found)], self._money()
        known = {one.cause for one in self._transfers() if one.kind is TransferKind.REVERSAL}
        left = {one.account: one.available_micros for one in self._balances() if one.account.startswith("prepaid:")}
        short = left.get(taken.credit, taken.amount_micros) < taken.amount_micros
        try:
            reverse(self.house.context, OPERATOR, taken.id, note="refund")
        except ConflictError:
            paid_back = kind is TransferKind.TOPUP and any(
                one.kind is TransferKind.REFUND for one in self._transfers()
            )
            assert short or paid_back or kind in PARTS or kind.closes or kind is TransferKind.REVERSAL
            assert self._money() == before
            return
        assert taken.id in known or not short
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

    @rule(statement=st.integers(1, 60), pick=picks, what=st.sampled_from(CRASHING))
    def crash(self, statement: int, pick: int, what: str) -> None:
        """At some statement of a step the process is gone: what was committed by then is there. It is done again."""
        if what == "month" and pick % 2:
            if pick % 3:
                self.finish_work()
            self.wall_ms = max(self.wall_ms, month_bounds(month_of(self.wall_ms))[1] + SETTINGS.settle_ms)
        try:
            with Crashing(self.house.context.store, statement):
                self._do(what, pick)
        except CrashError:
            self._restart()
            self.proven()
            self._do(what, pick)

    # -- what must hold after every step -------------------------------------------------------------------------

    @invariant()
    def proven(self) -> None:
        """Every check of money, the chain among them; conservation of capacity and of what was bought."""
        if not (self.written.since() or self.over):
            return
        with self.house.context.store.read() as tx:
            _all_kept(verify(tx))
            events = tx.events.after(0, limit=1_000_000)
            usage = tx.ledger.usage(tenant=None, from_ms=0, to_ms=2**60)
            balances = tx.ledger.balances()
            allocations = tx.allocations.every()
            charges = tx.ledger.charges(tenant=None, from_ms=0, to_ms=2**60)
        assert sum(balance.posted_micros for balance in balances) == 0
        assert sum(balance.pending_debits_micros - balance.pending_credits_micros for balance in balances) == 0
        cash = next(balance for balance in balances if balance.account == "cash:operator:CNY")
        assert -cash.posted_micros == self.bought_micros
        # What was paid in is still credit, or was used, taxed or rounded away; debts are what was used beyond it.
        apart = {"cash", "rehearsal-use", "rehearsal-revenue"}
        there = sum(one.posted_micros for one in balances if one.account.split(":")[0] not in apart)
        assert there == self.bought_micros
        self.latest_ms = max(self.latest_ms, self._now())
        # Of the last days; of the whole life at its end.
        from_ms = BEGIN_MS if self.over else max(BEGIN_MS, hour_floor(self.latest_ms) - 3 * DAY_MS)
        kept = conserve(events=events, usage=usage, from_ms=from_ms, to_ms=self.latest_ms, allocations=allocations)
        assert kept.faults == ()
        # Nobody pays more than the limit, and nothing for use on the seats of a reservation.
        of = {one.id: one for one in allocations}
        used = {one.id: one for one in usage}
        for charge in charges:
            allocation = of[used[charge.usage].allocation]
            assert allocation.limit_micros is None or charge.price_micros <= allocation.limit_micros
            paid_until_ms = allocation.reserved_until_ms
            assert paid_until_ms is None or used[charge.usage].end_ms > paid_until_ms or not charge.amount_micros

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
        self.house, self.written = House(fresh, self.house.clock), Written(store)

    def _do(self, what: str, pick: int) -> None:
        """A step that can be done again as it was, whatever was stored of it."""
        steps: dict[str, Callable[[], None]] = {
            "end": lambda: self.end(pick=pick, kind=EndKind.SUCCEEDED, shift_ms=0),
            "close": self.close_hours,
            "place": lambda: self.place(pick=pick),
            "schedule": self.schedule,
            "start": lambda: self.start(pick=pick, shift_ms=0),
            "top up": lambda: self.top_up(pick=pick % 6, micros=1),
            "month": self.close_month,
            "price": lambda: self.reprice(percent=50, posted=True),
            "post": self.post_prices,
            "pay": lambda: self.pay(pick=pick),
            "correct": lambda: self.correct(pick=pick, what="void"),
            "promise": lambda: self.ask_for(tenant="acme", count=1, hours=2),
            "confirm": lambda: self.confirm(pick=pick),
            "charge": self.charge_reservations,
            "let go": lambda: self.end_reservation(pick=pick),
            "maintain": self.keep_windows,
            "credit": self.look_at_credit,
            "give up": lambda: self.write_off(pick=pick),
        }
        assert set(steps) == set(CRASHING)
        steps[what]()

    def _add_credit(self, amount: str, key: str) -> None:
        add_credit(self.house.context, OPERATOR, "acme", amount=amount, currency="CNY", key=key, note="")


def _all_kept(checks: Iterable[Check]) -> None:
    broken = [(check.name, check.detail) for check in checks if not check.ok]
    assert not broken, broken


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
    server: PostgresServer | None = request.getfixturevalue("postgres") if database == "postgresql" else None
    ready = Ready.make(server)
    machine = type("MoneyLifeOn" + database, (MoneyLife,), {"ready": ready})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, round(STEPS * part / A_LIFE)),
            stateful_step_count=A_LIFE,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    ready.close()
