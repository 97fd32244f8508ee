"""How a tenant pays in money's life: before or later, by budgets, with dunning, and what is given up in the end."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.integration.control.house import OPERATOR
from tests.integration.control.looks import Looks

from petahour.control.credit_moves import move_credit
from petahour.control.credit_terms import remove_budget, set_budget, set_credit_terms, write_off
from petahour.control.credit_watch import watch_credit
from petahour.control.dues import watch_dues
from petahour.control.paid_credit import paid_credit
from petahour.control.topups import decide_topup, request_topup, set_topup_rule
from petahour.model.allocations import AllocationState
from petahour.model.credit import DunningStep, RequestState, TopupRequest
from petahour.model.errors import ConflictError, ForbiddenError
from petahour.model.invoices import InvoiceState
from petahour.model.jobs import Tier
from petahour.model.tenants import Caller, Role
from petahour.model.time import DAY_MS, HOUR_MS, month_bounds, month_of
from petahour.model.usage import TransferKind

FINANCE = Caller(key="key-2", user="fin", role=Role.FINANCE, tenant=None)
picks = st.integers(0, 10_000)


class TermsLife(Looks):
    """The steps about terms of payment."""

    wall_ms: int
    bought_micros: int
    asked: dict[str, int]

    @rule(postpaid=st.booleans(), limit=st.sampled_from(["0", "0.30", "1000.00"]), days=st.sampled_from([1, 7]))
    def set_terms(self, postpaid: bool, limit: str, days: int) -> None:
        """What runs keeps the account it was placed on."""
        steps = (days, 2 * days, 3 * days, 4 * days)
        set_credit_terms(self.house.context, OPERATOR, "acme", postpaid=postpaid, limit=limit, days=steps)

    @rule(limit=st.sampled_from(["0.10", "1.00", "50.00"]), hard=st.booleans())
    def set_budget(self, limit: str, hard: bool) -> None:
        set_budget(self.house.context, OPERATOR, "acme", "default", limit=limit, hard=hard, alerts=(50, 100))

    @rule()
    def lift_budget(self) -> None:
        remove_budget(self.house.context, OPERATOR, "acme", "default")

    @rule(pick=picks)
    def write_off(self, pick: int) -> None:
        """Given up once: the receivable is bad debt, no money has come in."""
        due = [one for one in self._invoices(InvoiceState.ISSUED) if one.due_micros > 0]
        if due:
            number = due[pick % len(due)].number
            if any(one.id == f"trf-rev-write-off-acme:{number}" for one in self._transfers()):
                with pytest.raises(ConflictError, match="was taken back"):
                    write_off(self.house.context, OPERATOR, number, reason="insolvent")
                return
            made = [write_off(self.house.context, OPERATOR, number, reason="insolvent") for _ in range(2)]
            assert made[0] == made[1]
            assert made[0].due_micros == 0

    @rule(days=st.sampled_from([3, 8, 31]))
    def wait_for_payment(self, days: int) -> None:
        """Nobody works meanwhile, as every hour of it would be a charge of no interest here."""
        self.finish_work()
        self.wall_ms += days * DAY_MS

    @rule()
    def look_at_credit(self) -> None:
        """What the control loop does once a minute; afterwards nothing runs on that is barred."""
        context = self.house.context
        self._refresh()
        watch_credit(context)
        watch_dues(context)
        self._refresh()
        bars = context.live.follower.bars
        assert bars.steps == self._steps_due()
        charged = self._charged()
        with context.store.read() as tx:
            budgets = {(one.tenant, one.project): one for one in tx.credit.budgets()}
        for key in bars.spent:
            assert budgets[key].hard
        for key, budget in budgets.items():
            assert not budget.hard or charged[key] < budget.limit_micros or key in bars.spent
        for allocation in self._active(AllocationState.RUNNING):
            assert bars.stop(allocation) is None

    @rule(pick=st.integers(0, 5), micros=st.sampled_from([1_000_000, 7_000_000]), approve=st.booleans())
    def ask_to_top_up(self, pick: int, micros: int, approve: bool) -> None:
        """Above what one person may add alone a second one decides, once; nobody approves his own request."""
        context, key = self.house.context, f"wire-{pick}"
        if self.asked.setdefault(key, micros) != micros:
            return
        set_topup_rule(context, OPERATOR, currency="CNY", role=Role.FINANCE, most="10.00", alone="2.00")
        known = self._request(key)
        alone = any(one.id == f"trf-topup-acme:{key}" for one in self._transfers())
        amount = f"{micros / 1e6:.2f}"
        request_topup(context, FINANCE, "acme", amount=amount, currency="CNY", key=key, note="")
        asked = self._request(key)
        if asked is None:
            self.bought_micros += 0 if alone else micros
            return
        if asked.state is not RequestState.WAITING:
            assert asked == known
            return
        with pytest.raises(ForbiddenError):
            decide_topup(context, FINANCE, "acme", key, approve=True)
        for _ in range(2):
            decide_topup(context, OPERATOR, "acme", key, approve=approve)
        self.bought_micros += micros if approve else 0

    @rule(
        kind=st.sampled_from([TransferKind.GRANT, TransferKind.SERVICE_CREDIT, TransferKind.REFUND]),
        pick=st.integers(0, 9),
        micros=st.sampled_from([1, 2_500_000, 90_000_000]),
    )
    def move_credit(self, kind: TransferKind, pick: int, micros: int) -> None:
        """What is given is nobody's payment; what is paid back is no more than was paid for and is left."""
        key, amount, before = f"{pick}-{micros}", f"{micros / 1e6:.6f}", self._money()
        known = any(one.id == f"trf-{kind.value}-acme:{key}" for one in self._transfers())
        credit = next(one for one in self._balances() if one.account == "prepaid:acme:CNY")
        with self.house.context.store.read() as tx:
            parts = paid_credit(tx, "acme", "CNY")
        assert parts.left_micros == credit.posted_micros
        owes = max(0, -sum(one.posted_micros for one in self._balances() if one.account == "receivable:acme:CNY"))
        left = min(parts.paid_micros, credit.available_micros) - owes
        refund = kind is TransferKind.REFUND
        try:
            for _ in range(2):
                move_credit(
                    self.house.context, OPERATOR, "acme", kind, amount=amount, currency="CNY", key=key, note="asked"
                )
        except ConflictError:
            assert refund
            assert left < micros
            assert self._money() == before
            return
        assert known or not refund or left >= micros
        self.bought_micros -= micros if refund and not known else 0

    @rule(pick=picks, limit=st.sampled_from(["0.10", "0.30"]), hard=st.booleans())
    def spend_a_budget(self, pick: int, limit: str, hard: bool) -> None:
        """Somebody works until his project's budget is spent, and further if it is soft."""
        self.set_budget(limit=limit, hard=hard)
        self.run_one(pick=pick, tier=Tier.ON_DEMAND)
        for _ in range(2):
            self.step(passed_ms=HOUR_MS, picked=pick)

    @rule(pick=picks, days=st.sampled_from([2, 12, 40]), pays=st.booleans())
    def owe(self, pick: int, days: int, pays: bool) -> None:
        """A month of a tenant that pays later, whose invoice stays unpaid for days, and is paid or given up then."""
        self.set_terms(postpaid=True, limit="1000.00", days=7)
        self.run_one(pick=pick, tier=Tier.ON_DEMAND)
        self.step(passed_ms=HOUR_MS, picked=pick)
        self.let_a_month_end(pick=1)
        self.wait_for_payment(days=30 + days)
        self.step(passed_ms=0, picked=pick)
        if pays:
            self.pay(pick=pick)
        elif pick % 2:
            self.write_off(pick=pick)
        self.look_at_credit()

    # -- what the steps are made of ------------------------------------------------------------------------------

    def _request(self, key: str) -> TopupRequest | None:
        with self.house.context.store.read() as tx:
            return tx.credit.request("acme", key)

    def _charged(self) -> Counter[tuple[str, str]]:
        """What was charged for this month's use, charge by charge."""
        from_ms, to_ms = month_bounds(month_of(self._now()))
        with self.house.context.store.read() as tx:
            charges = tx.ledger.charges(tenant="acme", from_ms=from_ms, to_ms=to_ms)
        sums: Counter[tuple[str, str]] = Counter()
        for one in charges:
            sums[one.tenant, one.project] += 0 if one.rehearsal else one.amount_micros
        return sums

    def _steps_due(self) -> dict[str, DunningStep]:
        """By the day count of the invoice that is due longest."""
        now_ms, found = self._now(), {}
        with self.house.context.store.read() as tx:
            every = tx.credit.every_terms()
        for one in self._invoices(InvoiceState.ISSUED):
            late_ms = now_ms - (one.due_ms or now_ms)
            if one.due_micros <= 0 or late_ms <= 0:
                continue
            terms = every.get(one.tenant)
            days = (
                (terms.remind_days, terms.stop_new_days, terms.stop_spot_days, terms.stop_all_days) if terms else ()
            )
            reached = sum(late_ms >= day * DAY_MS for day in days or (1, 7, 14, 30))
            steps = list(DunningStep)
            step = max(found.get(one.tenant, DunningStep.NONE), steps[reached], key=steps.index)
            if step is not DunningStep.NONE:
                found[one.tenant] = step
        return found
