"""What reservations cost, as finance sees it: invoices, statements, explanations; and every tampering is seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.promises.test_reservations import CPU_MICROS, allocation, balance, promise
from tests.property.control.floor import OPERATOR, HandPlane

from petahour.billing.commitments import cost_of
from petahour.control.account_statement import statement_for
from petahour.control.audit import verify
from petahour.control.billing_terms import set_seller
from petahour.control.credit_terms import set_credit_terms
from petahour.control.credit_watch import runway_for
from petahour.control.explanation import Subject, explain
from petahour.control.month_close import Outcome, close_month
from petahour.control.reports import revenue_for
from petahour.control.reports import runway_for as report_of
from petahour.control.reservation_changes import end_reservation
from petahour.control.statements import invoice_for
from petahour.model.events import EventKind
from petahour.model.invoices import LineKind, Party, Seller
from petahour.model.time import HOUR_MS, MINUTE_MS, month_bounds, month_of
from petahour.model.usage import AccountKind
from petahour.store.sql.store import open_store, sqlite_url


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[HandPlane]:
    made = HandPlane(tmp_path)
    yield made
    made.close()


def to_the_end_of_the_month(plane: HandPlane) -> str:
    """Step to one hour before the month's end; its name."""
    month = month_of(plane.clock.at_ms)
    plane.clock.at_ms = month_bounds(month)[1] - HOUR_MS - 20 * MINUTE_MS
    plane.step(1)
    return month


def test_a_reservation_across_a_months_end_is_a_line_of_both_invoices(plane: HandPlane) -> None:
    set_seller(plane.context, OPERATOR, Seller(party=Party(name="Centre")))
    month = to_the_end_of_the_month(plane)
    made = promise(plane, count=4, hours=3)
    own = plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=2 * HOUR_MS)
    plane.step(1)
    plane.clock.at_ms += 2 * HOUR_MS
    waits = {one.tenant: one for one in close_month(plane.context, OPERATOR, month)}
    assert waits["acme"].outcome is Outcome.WAITING
    for _ in range(6):
        plane.step(30 * MINUTE_MS)
    assert allocation(plane, own.id).reservation == made.id
    note = f"Reservation {made.id}: 1 x 4"
    preview = invoice_for(plane.context, OPERATOR, "acme", month)
    due = 4 * CPU_MICROS // 3 + 4 * CPU_MICROS
    assert [(line.fee, line.amount_micros, line.note) for line in preview.lines if line.note] == [(True, due, note)]
    assert [line.amount_micros for line in preview.lines if not line.note] == [0]
    (issued,) = (one.document for one in close_month(plane.context, OPERATOR, month) if one.tenant == "acme")
    assert issued is not None
    fees = [line for line in issued.lines if line.kind is LineKind.FEE]
    assert [(line.type, line.tier, line.note, line.exact_micros) for line in fees] == [("cpu", "reserved", note, due)]
    assert issued.due_micros == 0
    # To the end of the month, of four accelerators at the price agreed upon: multiplied it is what the line bills.
    lasted = 4 * (month_bounds(month)[1] - made.from_ms)
    assert [(line.accelerator_ms, line.price_min_micros) for line in fees] == [(lasted, CPU_MICROS)]
    assert abs(lasted * CPU_MICROS // HOUR_MS - due) <= 1
    next_month = month_of(plane.clock.at_ms)
    later = invoice_for(plane.context, OPERATOR, "acme", next_month)
    assert sum(line.amount_micros for line in later.lines if line.note == note) == 2 * 4 * CPU_MICROS


def test_the_hours_sold_of_reserved_revenue_are_those_charged_used_or_not(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=10)
    promise(plane, type="a100-80g-sxm", count=2, hours=10)  # a rehearsal earns nothing
    for _ in range(6):
        plane.step(30 * MINUTE_MS)
    month = month_of(made.from_ms)
    with plane.store.read() as tx:
        (charged,) = (one.billed_ms for one in tx.promises.reservations(tenant="acme") if one.type == "cpu")
    assert charged is not None
    (row,) = (row for row in revenue_for(plane.context, OPERATOR, month).rows if row[2] == "reserved")
    until_ms = min(charged, month_bounds(month)[1])
    assert row[3] == 4 * (until_ms - made.from_ms)
    assert row[5] is not None
    assert abs(int(row[5]) - CPU_MICROS) <= 1


def test_who_pays_later_owes_each_hour_when_it_is_over(plane: HandPlane) -> None:
    set_credit_terms(plane.context, OPERATOR, "acme", postpaid=True, limit="100", days=(1, 7, 14, 30))
    promise(plane, count=4, hours=2)
    assert balance(plane, AccountKind.COMMITTED) == balance(plane, AccountKind.RECEIVABLE) == 0
    plane.step(HOUR_MS)
    assert balance(plane, AccountKind.RECEIVABLE) == -(4 * CPU_MICROS // 3)
    assert balance(plane, AccountKind.PREPAID) == 1_000_000_000


def test_a_fee_and_an_hour_are_explained_and_days_are_one_entry_of_the_statement(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=30)
    for _ in range(3):
        plane.step(HOUR_MS)
    _, fee = end_reservation(plane.context, OPERATOR, made.id)
    told = explain(plane.context, OPERATOR, Subject.TRANSFER, f"trf-early-end-{made.id}")
    assert (told.tenant, told.movements[0].transfer.amount_micros) == ("acme", fee)
    hour = explain(plane.context, OPERATOR, Subject.TRANSFER, f"trf-reserved-{made.id}-{made.from_ms}")
    assert hour.movements[0].transfer.note == f"Reservation {made.id}: 1 x 4"
    month = month_of(plane.clock.at_ms)
    credit, _ = statement_for(plane.context, OPERATOR, "acme", month).accounts
    assert [entry.kind for entry in credit.entries].count("commitment") == 1
    assert credit.closing_micros == balance(plane, AccountKind.PREPAID)


def test_burn_and_runway_count_what_is_reserved(plane: HandPlane) -> None:
    made = promise(plane, count=4, hours=500, price="2.00")
    own = runway_for(plane.context, OPERATOR, "acme")
    assert (own.burn_micros, own.reserved_micros) == (8_000_000, 8_000_000)
    assert abs(own.left_micros - 1_000_000_000 + cost_of(made, made.from_ms, plane.clock.at_ms)) <= 1
    assert own.exhausted_ms is not None
    # By the ledger itself: the hour in which credit no longer covers what is to be set aside.
    while balance(plane, AccountKind.RECEIVABLE) == 0:
        assert plane.clock.at_ms < own.exhausted_ms + HOUR_MS
        plane.step(HOUR_MS)
        again = runway_for(plane.context, OPERATOR, "acme")
        owed = again.aside_micros == 0
        assert owed or abs((again.exhausted_ms or 0) - own.exhausted_ms) <= 1_000
    assert plane.clock.at_ms - 2 * HOUR_MS <= own.exhausted_ms <= plane.clock.at_ms
    warned = [event.data["hours"] for event in plane.log() if event.kind is EventKind.CREDIT_WARNING]
    assert warned == [72, 24, 1]
    burns = {row[0]: row[4] for row in report_of(plane.context, OPERATOR, days=1).rows}
    assert burns["beta"] == 0
    assert int(burns["acme"] or 0) <= 24 * 8_000_000


def test_the_report_of_burn_has_a_day_of_a_reservation(plane: HandPlane) -> None:
    promise(plane, count=2, hours=500)
    for _ in range(30):
        plane.step(HOUR_MS)
    burns = {row[0]: row[4] for row in report_of(plane.context, OPERATOR, days=1).rows}
    assert burns["acme"] == 24 * 2 * CPU_MICROS


HOURS = "every hour of a reservation is charged once"
ASIDE = "what is set aside is for hours of reservations"
TWICE = "no accelerator is promised twice"


@pytest.mark.parametrize(
    ("tampering", "seen_by"),
    [
        ("UPDATE reservations SET price_micros = price_micros + 1", HOURS),
        ("UPDATE reservations SET billed_ms = billed_ms + 3600000", HOURS),
        ("UPDATE reservations SET per_node = 3 WHERE tenant = 'acme'", TWICE),
        ("UPDATE reservations SET seats = (SELECT seats FROM reservations WHERE tenant = 'acme')", TWICE),
        ("DELETE FROM transfers WHERE id LIKE 'trf-reserved-%'", HOURS),
        ("DELETE FROM transfers WHERE id LIKE 'trf-commit-%'", ASIDE),
        ("UPDATE transfers SET amount_micros = 1 WHERE id LIKE 'trf-reserved-%'", HOURS),
    ],
)
def test_tampering_with_reservations_is_seen(tmp_path: Path, tampering: str, seen_by: str) -> None:
    made = HandPlane(tmp_path)
    promise(made, count=4, hours=8)
    promise(made, count=4, hours=8, tenant="beta")
    for _ in range(3):
        made.step(HOUR_MS)
    made.close()
    path = tmp_path / "petahour.db"
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    assert connection.execute(tampering).rowcount >= 1
    connection.commit()
    connection.close()
    store = open_store(sqlite_url(path))
    with store.read() as tx:
        assert seen_by in {check.name for check in verify(tx) if not check.ok}
    store.close()
