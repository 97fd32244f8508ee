"""Paying later: a credit limit, invoices that fall due, dunning step by step, budgets, and debts given up."""

from __future__ import annotations

import pytest
from tests.integration.terms.plane import FINANCE, OPERATOR, Plane
from tests.integration.terms.test_prepaid import priced, told
from tests.integration.terms.test_prices import unfaulted

from petahour.control.billing_terms import set_seller
from petahour.control.credit_terms import (
    budgets_of,
    credit_terms_of,
    dunning_of,
    remove_budget,
    set_budget,
    set_credit_terms,
    write_off,
)
from petahour.control.credit_watch import runway_for
from petahour.control.invoices import pay_invoice
from petahour.control.month_close import close_month
from petahour.control.statements import invoice_for
from petahour.model.credit import DunningStep
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from petahour.model.events import EventKind
from petahour.model.invoices import InvoiceDocument, Party, Seller
from petahour.model.jobs import JobState
from petahour.model.tenants import Caller, Role
from petahour.model.time import DAY_MS, HOUR_MS, to_iso
from petahour.model.usage import AccountKind, account_id
from petahour.store.protocol import InvoiceFilter

ADMIN = Caller(key="k", user="ann", role=Role.TENANT_ADMIN, tenant="acme")
DAYS = (1, 7, 14, 30)


def postpaid(plane: Plane, limit: str) -> None:
    set_credit_terms(plane.context, FINANCE, "acme", postpaid=True, limit=limit, days=DAYS)


def owed_micros(plane: Plane) -> int:
    with plane.context.store.read() as tx:
        return -tx.ledger.balance(account_id(AccountKind.RECEIVABLE, "CNY", "acme"), "CNY").posted_micros


def test_use_is_owed_up_to_the_limit(plane: Plane) -> None:
    priced(plane, "1.00")
    postpaid(plane, "2.50")
    job = plane.submit("long")
    plane.step()
    plane.advance(2 * HOUR_MS, by_ms=HOUR_MS)
    assert owed_micros(plane) == 2_000_000
    found = runway_for(plane.context, OPERATOR, "acme")
    assert (found.limit_micros, found.left_micros) == (2_500_000, 500_000)
    plane.advance(HOUR_MS // 2)
    assert [stop[3] for stop in plane.engine.stops] == [plane.clock.at_ms]
    assert plane.job(job.id).state is JobState.QUEUED
    assert owed_micros(plane) == 2_500_000
    postpaid(plane, "10")
    plane.step()
    assert plane.job(job.id).state is JobState.RUNNING
    statement = invoice_for(plane.context, OPERATOR, "acme", "2026-05")
    assert statement.total_micros == 2_500_000
    assert statement.closing_micros == -2_500_000
    unfaulted(plane)


def overdue(plane: Plane) -> tuple[str, str, str, InvoiceDocument]:
    """An on-demand and a spot job that run, and an invoice of theirs that is due."""
    plane.publish(
        f'[[price_book]]\nid = "two"\ncurrency = "CNY"\neffective = {to_iso(plane.clock.at_ms)}\n'
        'prices.cpu.on-demand = "1.00"\nprices.cpu.spot = "0.50"\n'
    )
    set_seller(plane.context, OPERATOR, Seller(party=Party(name="Petahour Ltd"), terms_days=10))
    postpaid(plane, "100000")
    steady, spot = plane.submit("steady"), plane.submit("spot", tier="spot")
    plane.step()
    plane.advance(6 * DAY_MS, by_ms=6 * HOUR_MS)
    close_month(plane.context, OPERATOR, "2026-05")
    with plane.context.store.read() as tx:
        (document,) = tx.invoices.find(InvoiceFilter(tenant="acme"))
    assert document.due_ms is not None
    plane.advance(document.due_ms - plane.clock.at_ms, by_ms=DAY_MS)
    late = plane.submit("late")
    plane.step()
    assert plane.job(late.id).state is JobState.RUNNING
    return steady.id, spot.id, late.id, document


def test_dunning_reminds_then_stops_new_then_spot_then_all_and_ends_with_the_payment(plane: Plane) -> None:
    steady, spot, _, document = overdue(plane)
    plane.advance(DAY_MS)
    assert dunning_of(plane.context, FINANCE)["acme"][0] is DunningStep.REMIND
    plane.advance(6 * DAY_MS, by_ms=DAY_MS)
    new = plane.submit("new")
    plane.step()
    assert plane.job(new.id).state is JobState.QUEUED
    assert "overdue" in plane.context.live.holds[new.id].text
    assert plane.job(spot).state is JobState.RUNNING
    plane.advance(7 * DAY_MS, by_ms=DAY_MS)
    assert plane.job(spot).state is JobState.QUEUED
    assert plane.job(steady).state is JobState.RUNNING
    plane.advance(16 * DAY_MS, by_ms=2 * DAY_MS)
    assert plane.job(steady).state is JobState.QUEUED
    steps = [event.data["step"] for event in told(plane, EventKind.DUNNING_STEP)]
    assert steps == ["remind", "stop-new", "stop-spot", "stop-all"]
    pay_invoice(plane.context, FINANCE, document.number, amount=None, key="wire-1")
    plane.step()
    assert dunning_of(plane.context, FINANCE) == {}
    assert {plane.job(name).state for name in (steady, spot, new.id)} == {JobState.RUNNING}
    unfaulted(plane)


def test_a_debt_is_written_off_once_and_its_dunning_ends(plane: Plane) -> None:
    steady, _, _, document = overdue(plane)
    plane.advance(8 * DAY_MS, by_ms=2 * DAY_MS)
    before = owed_micros(plane)
    for _ in range(2):
        write_off(plane.context, FINANCE, document.number, reason="insolvent")
    assert owed_micros(plane) == before - document.due_micros
    with plane.context.store.read() as tx:
        bad = tx.ledger.balance(account_id(AccountKind.BAD_DEBT, "CNY"), "CNY").posted_micros
    assert bad == -document.due_micros
    plane.step()
    assert dunning_of(plane.context, FINANCE) == {}
    assert plane.job(steady).state is JobState.RUNNING
    with pytest.raises(NotFoundError):
        write_off(plane.context, FINANCE, "PH-0", reason="x")
    with pytest.raises(ForbiddenError):
        write_off(plane.context, ADMIN, document.number, reason="x")
    unfaulted(plane)


def test_a_paid_invoice_cannot_be_written_off(plane: Plane) -> None:
    _, _, _, document = overdue(plane)
    pay_invoice(plane.context, FINANCE, document.number, amount=None, key="wire-1")
    with pytest.raises(ConflictError):
        write_off(plane.context, FINANCE, document.number, reason="late")


def test_a_hard_budget_alerts_and_stops_its_project_alone_until_the_next_month(plane: Plane) -> None:
    priced(plane, "1.00")
    plane.topup("1000")
    set_budget(plane.context, ADMIN, "acme", "default", limit="10", hard=True, alerts=(50, 80, 100))
    job = plane.submit("month")
    plane.step()
    plane.advance(10 * HOUR_MS, by_ms=HOUR_MS)
    assert [event.data["percent"] for event in told(plane, EventKind.BUDGET_ALERT)] == [50, 80, 100]
    assert plane.job(job.id).state is JobState.QUEUED
    assert "budget of project default" in plane.context.live.holds[job.id].text
    ((budget, spent),) = budgets_of(plane.context, ADMIN, "acme")
    assert (budget.limit_micros, spent) == (10_000_000, 10_000_000)
    plane.advance(5 * DAY_MS, by_ms=DAY_MS)
    assert plane.job(job.id).state is JobState.RUNNING
    unfaulted(plane)


def test_a_soft_budget_only_tells_and_a_removed_one_is_silent(plane: Plane) -> None:
    priced(plane, "1.00")
    plane.topup("1000")
    set_budget(plane.context, ADMIN, "acme", "default", limit="2", hard=False, alerts=(100,))
    job = plane.submit("free")
    plane.step()
    plane.advance(3 * HOUR_MS, by_ms=HOUR_MS)
    assert [event.data["percent"] for event in told(plane, EventKind.BUDGET_ALERT)] == [100]
    assert plane.job(job.id).state is JobState.RUNNING
    remove_budget(plane.context, ADMIN, "acme", "default")
    assert budgets_of(plane.context, ADMIN, "acme") == []


def test_wrong_terms_are_refused_and_nothing_is_stored(plane: Plane) -> None:
    before = credit_terms_of(plane.context, OPERATOR, "acme")
    for limit, days in (("-1", DAYS), ("NaN", DAYS), ("1", (7, 1, 14, 30)), ("1", (-1, 7, 14, 30))):
        with pytest.raises(ValidationError):
            set_credit_terms(plane.context, FINANCE, "acme", postpaid=True, limit=limit, days=days)
    with pytest.raises(ForbiddenError):
        set_credit_terms(plane.context, ADMIN, "acme", postpaid=True, limit="1", days=DAYS)
    for limit, alerts in (("0", (50,)), ("1", (0,)), ("1", (2_000,)), ("1", tuple(range(1, 12)))):
        with pytest.raises(ValidationError):
            set_budget(plane.context, ADMIN, "acme", "default", limit=limit, hard=True, alerts=alerts)
    with pytest.raises(NotFoundError):
        set_budget(plane.context, ADMIN, "acme", "none", limit="1", hard=True, alerts=(50,))
    assert credit_terms_of(plane.context, OPERATOR, "acme") == before


@pytest.mark.parametrize("times", [1, 2])
def test_what_runs_on_a_debt_stays_there_when_its_tenant_pays_before(plane: Plane, times: int) -> None:
    """And what its events then tell of the tenant's credit is no fault in the eyes of the audit."""
    priced(plane, "1.00")
    plane.topup("5")
    postpaid(plane, "10")
    job = plane.submit("long", walltime="20h")
    plane.step()
    for _ in range(times):
        set_credit_terms(plane.context, FINANCE, "acme", postpaid=False, limit="0", days=DAYS)
        plane.advance(90 * 60_000, by_ms=30 * 60_000)
        postpaid(plane, "10")
        plane.advance(HOUR_MS, by_ms=30 * 60_000)
    plane.engine.end(next(iter(plane.engine.running)))
    plane.step()
    assert plane.job(job.id).state is JobState.SUCCEEDED
    assert owed_micros(plane) == times * 2_500_000
    unfaulted(plane)
