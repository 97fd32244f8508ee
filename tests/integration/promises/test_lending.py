"""Lent seats on a floor that a test steps: spot pays there, owners get their share, once and to the micro-unit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.integration.promises.test_reservations import ADMIN, CPU_MICROS, allocation, balance, promise
from tests.integration.store.conftest import postgres, store, url
from tests.property.control.floor import OPERATOR, PRICES, HandPlane

from petahour.billing.invoice_form import render_text
from petahour.control.account_statement import statement_for
from petahour.control.audit import verify
from petahour.control.audit.lending import LENDINGS, SHARED
from petahour.control.audit.stream import audit_log
from petahour.control.billing_terms import set_seller
from petahour.control.corrections import reverse
from petahour.control.credit import add_credit
from petahour.control.credit_terms import set_credit_terms
from petahour.control.explanation import Subject, explain
from petahour.control.invoice_explanation import explain_invoice
from petahour.control.lent_shares import shares_for
from petahour.control.month_close import Outcome, close_month
from petahour.control.publish import adopt_books
from petahour.control.reports import revenue_for
from petahour.control.reservation_changes import lend
from petahour.control.reservations import Wish, lent_micros, reserve
from petahour.control.statements import invoice_for
from petahour.control.tenants import create_tenant
from petahour.model.errors import ForbiddenError, NotFoundError, ValidationError
from petahour.model.events import EventKind
from petahour.model.invoices import LineKind, Party, Seller
from petahour.model.jobs import JobState
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS, month_bounds, month_of
from petahour.model.usage import AccountKind, Transfer, TransferKind
from petahour.simulator.recording import retrace
from petahour.store.sql.store import SqlStore, open_store, sqlite_url

__all__ = ["postgres", "store", "url"]


@pytest.fixture
def plane(tmp_path: Path, store: SqlStore) -> Iterator[HandPlane]:
    """On SQLite and PostgreSQL. The test leaves books that verify, and a log that is judged and made again alike."""
    made = HandPlane(tmp_path, store=store)
    yield made
    assert list(audit_log(made.log())) == []
    if any(event.kind is EventKind.PASS_MADE for event in made.log()):
        assert retrace(made.log()).difference is None
    made.require_sound()


def keep_the_rest(plane: HandPlane, type_name: str = "cpu") -> None:
    """The other node is another tenant's, who lends nothing: spot finds lent seats alone."""
    promise(plane, hours=12, count=4, tenant="coop", type=type_name)


def shares(plane: HandPlane) -> list[Transfer]:
    with plane.store.read() as tx:
        return [one for one in tx.ledger.transfers() if one.kind is TransferKind.LENT_SHARE]


def spot_price(plane: HandPlane) -> int:
    book = plane.context.prices.in_force("CNY", plane.clock.at_ms)
    assert book is not None
    return next(micros for (name, tier), micros in book.prices.items() if (name, tier.value) == ("cpu", "spot"))


def test_the_owner_gets_its_share_hour_by_hour_with_the_charge(plane: HandPlane) -> None:
    made = promise(plane, hours=6, count=4, lends=True, share="40")
    keep_the_rest(plane)
    spot = plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=9 * HOUR_MS)
    plane.step(1)
    plane.step(20 * MINUTE_MS + MINUTE_MS)
    before = balance(plane, AccountKind.PREPAID)
    plane.step(HOUR_MS)
    price, (first, second) = spot_price(plane), shares(plane)
    assert set(allocation(plane, spot.id).slots) == set(made.seats)
    assert (second.debit, second.credit) == ("revenue:operator:CNY:cpu/lent", "prepaid:acme:CNY")
    assert second.amount_micros == round(4 * price * 0.4)
    assert second.cause.startswith("use-alloc-")
    assert second.id == f"trf-lent-{second.cause[4:]}-{made.id}"
    assert balance(plane, AccountKind.PREPAID) == before - 4 * CPU_MICROS + second.amount_micros
    told = [event for event in plane.log() if event.kind is EventKind.LENT_SHARED]
    assert [event.data["amount_micros"] for event in told] == [first.amount_micros, second.amount_micros]
    assert lent_micros(plane.context, made) == first.amount_micros + second.amount_micros
    assert balance(plane, AccountKind.REVENUE, "operator", "cpu/lent") == -lent_micros(plane.context, made)


def test_only_what_lay_on_lent_seats_is_shared_and_only_while_they_were_lent(plane: HandPlane) -> None:
    made = promise(plane, hours=6, nodes=1, per_node=2, lends=True, share="50")
    spot = plane.submit("beta", tier="spot", nodes=2, accelerators_per_node=4, run_ms=9 * HOUR_MS, grace="10s")
    plane.step(1)
    plane.step(1)
    plane.step(20 * MINUTE_MS + MINUTE_MS - plane.clock.at_ms % MINUTE_MS)
    plane.step(30 * MINUTE_MS)
    lend(plane.context, ADMIN, made.id, lends=False)
    at_ms = plane.clock.at_ms
    plane.step(1)
    assert plane.job(spot.id).state is JobState.STOPPING
    plane.step(2 * SECOND_MS)
    assert plane.job(spot.id).state is JobState.QUEUED
    with plane.store.read() as tx:
        charges = {one.usage: one for one in tx.ledger.charges(tenant="beta", from_ms=0, to_ms=2**60)}
        usage = {one.id: one for one in tx.ledger.usage(tenant="beta", from_ms=0, to_ms=2**60)}
    for share in shares(plane):
        record = usage[share.cause]
        assert record.end_ms <= at_ms
        assert abs(share.amount_micros * 8 - charges[share.cause].amount_micros) <= 4
    waived = [one for one in usage.values() if one.start_ms >= at_ms]
    assert [one.waive_reason for one in waived] == ["preemption"]
    assert not {one.id for one in waived} & {share.cause for share in shares(plane)}
    plane.step(HOUR_MS)
    assert plane.job(spot.id).state is JobState.QUEUED  # Its seats are no longer lent.
    lend(plane.context, ADMIN, made.id, lends=True)
    plane.step(1)
    plane.step(1)
    assert plane.job(spot.id).state is JobState.RUNNING


def test_lent_is_only_what_its_owner_has_back_at_once(plane: HandPlane) -> None:
    made = promise(plane, hours=6, count=4, lends=True)
    keep_the_rest(plane)
    slow = plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=HOUR_MS, grace="121s")
    plane.step(1)
    hold = plane.context.live.holds[slow.id]
    assert f"lent by reservation {made.id}" in hold.text
    assert "only to spot whose grace period is at most 2m" in hold.text
    quick = plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=HOUR_MS, grace="120s")
    plane.step(1)
    plane.step(1)
    assert plane.job(quick.id).state is JobState.RUNNING
    own = plane.submit("acme", tier="reserved", accelerators_per_node=4, run_ms=HOUR_MS)
    for _ in range(3):
        plane.step(SECOND_MS)
    assert plane.job(own.id).state is JobState.RUNNING
    assert plane.job(quick.id).state is JobState.QUEUED


def test_a_gang_on_seats_of_two_owners_is_shared_by_where_it_lay(plane: HandPlane) -> None:
    promise(plane, hours=3, count=4, lends=True, share="100")
    promise(plane, hours=3, count=4, tenant="coop", lends=True, share="33.3333")
    plane.submit("beta", tier="spot", nodes=2, accelerators_per_node=4, run_ms=2 * HOUR_MS)
    plane.step(1)
    for _ in range(4):
        plane.step(HOUR_MS)
    with plane.store.read() as tx:
        charged = sum(one.amount_micros for one in tx.ledger.charges(tenant="beta", from_ms=0, to_ms=2**60))
    got = {
        owner: sum(one.amount_micros for one in shares(plane) if f":{owner}:" in one.credit)
        for owner in ("acme", "coop")
    }
    assert abs(got["acme"] * 2 - charged) <= 6
    assert abs(got["coop"] * 6 - charged) <= 24
    assert sum(got.values()) <= charged


def test_what_is_paid_in_another_currency_is_shared_by_the_owners_own_price_book(plane: HandPlane) -> None:
    adopt_books(plane.store, PRICES, plane.clock.at_ms, sample=True)
    create_tenant(plane.context, OPERATOR, name="usa", title="", currency="USD")
    add_credit(plane.context, OPERATOR, "usa", amount="100", currency="USD", key="k", note="")
    promise(plane, hours=6, count=4, lends=True, share="25")
    keep_the_rest(plane)
    plane.submit("usa", tier="spot", accelerators_per_node=4, run_ms=HOUR_MS // 4)
    plane.step(1)
    plane.step(HOUR_MS // 4)
    (share,) = shares(plane)
    assert (share.currency, share.credit) == ("CNY", "prepaid:acme:CNY")
    assert share.amount_micros == spot_price(plane) // 4
    with plane.store.read() as tx:
        (charge,) = (one for one in tx.ledger.charges(tenant="usa", from_ms=0, to_ms=2**60) if one.amount_micros)
    assert charge.currency == "USD"
    assert charge.amount_micros != spot_price(plane)


def test_a_crash_between_any_steps_shares_nothing_twice_and_leaves_nothing_out(plane: HandPlane) -> None:
    promise(plane, hours=6, count=4, lends=True, share="40")
    keep_the_rest(plane)
    plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=4 * HOUR_MS)
    for after_ms in (1, 1, HOUR_MS, 1, 2 * HOUR_MS, 1, 2 * HOUR_MS, 1):
        plane.start()
        plane.step(after_ms)
    with plane.store.read() as tx:
        charges = [one for one in tx.ledger.charges(tenant="beta", from_ms=0, to_ms=2**60) if one.amount_micros]
    assert len(shares(plane)) == len(charges) > 3
    assert abs(sum(one.amount_micros for one in shares(plane)) - 0.4 * sum(one.amount_micros for one in charges)) < 6


def test_who_pays_later_owes_so_much_less_and_rehearsals_stay_rehearsals(plane: HandPlane) -> None:
    set_credit_terms(plane.context, OPERATOR, "acme", postpaid=True, limit="100", days=(1, 7, 14, 30))
    promise(plane, hours=3, count=4, lends=True, share="40")
    promise(plane, hours=3, count=4, type="a100-80g-sxm", lends=True, share="40")
    keep_the_rest(plane)
    keep_the_rest(plane, "a100-80g-sxm")
    for name in ("cpu", "a100-80g-sxm"):
        plane.submit("beta", tier="spot", types=(name,), accelerators_per_node=4, run_ms=HOUR_MS // 6)
    for _ in range(4):
        plane.step(5 * MINUTE_MS)
    assert {(one.debit, one.credit) for one in shares(plane)} == {
        ("revenue:operator:CNY:cpu/lent", "receivable:acme:CNY"),
        ("rehearsal-revenue:operator:CNY:a100-80g-sxm/lent", "rehearsal-use:acme:CNY"),
    }


def test_a_share_is_a_line_of_statement_invoice_report_and_explained(plane: HandPlane) -> None:
    set_seller(plane.context, OPERATOR, Seller(party=Party(name="Centre")))
    month = month_of(plane.clock.at_ms)
    plane.clock.at_ms = month_bounds(month)[1] - 2 * HOUR_MS - 20 * MINUTE_MS
    plane.step(1)
    made = promise(plane, hours=3, count=4, lends=True, share="40")
    keep_the_rest(plane)
    plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=9 * HOUR_MS)
    for _ in range(4):
        plane.step(30 * MINUTE_MS)
    plane.clock.at_ms = month_bounds(month)[1] + 5 * MINUTE_MS
    waits = {one.tenant: one for one in close_month(plane.context, OPERATOR, month)}
    assert waits["acme"].outcome is Outcome.WAITING
    for _ in range(3):
        plane.step(MINUTE_MS)
    mine = [one for one in shares(plane) if one.at_ms < month_bounds(month)[1]]
    got, note = sum(one.amount_micros for one in mine), f"Reservation {made.id}: lent to spot"
    preview = invoice_for(plane.context, OPERATOR, "acme", month)
    assert [(one.tier, one.amount_micros) for one in preview.lines if one.note == note] == [("lent", -got)]
    (issued,) = (one.document for one in close_month(plane.context, OPERATOR, month) if one.tenant == "acme")
    assert issued is not None
    (line,) = (one for one in issued.lines if one.kind is LineKind.LENT_SHARE)
    assert (line.type, line.tier, line.note, line.exact_micros) == ("cpu", "lent", note, -got)
    number = issued.lines.index(line) + 1
    told = explain_invoice(plane.context, ADMIN, f"{issued.number}/{number}")
    assert [(one.usage, -one.amount_micros, one.job) for one in told.entries] == [
        (one.cause, one.amount_micros, "") for one in mine
    ]
    credit, _ = statement_for(plane.context, OPERATOR, "acme", month).accounts
    assert [one.amount_micros for one in credit.entries if one.kind == "lent-share"] == [got]
    report = revenue_for(plane.context, OPERATOR, month)
    rows = {(row[1], row[2]): row[4] for row in report.rows}
    assert rows["cpu", "lent"] == -got
    assert rows["all", ""] == sum(int(micros or 0) for (name, _), micros in rows.items() if name != "all")


def test_a_share_is_explained_down_to_the_record_and_whose_it_was_to_the_operator_alone(plane: HandPlane) -> None:
    made = promise(plane, hours=3, nodes=1, per_node=2, lends=True, share="40")
    spot = plane.submit("beta", tier="spot", nodes=2, accelerators_per_node=4, run_ms=5 * MINUTE_MS)
    plane.step(1)
    plane.step(6 * MINUTE_MS)
    (share,) = shares(plane)
    whole = explain(plane.context, OPERATOR, Subject.TRANSFER, share.id)
    assert (whole.tenant, whole.job and whole.job.id) == ("acme", spot.id)
    own = explain(plane.context, ADMIN, Subject.TRANSFER, share.id)
    (piece,) = own.pieces
    assert (own.job, own.allocation, own.events) == (None, None, ())
    assert (piece.usage.id, piece.usage.tenant, piece.usage.job) == (share.cause, "", "")
    (part,) = own.lent
    assert (part.reservation, part.share_ppm, part.lent_ams * 4) == (made.id, 400_000, piece.usage.billed_ams)
    assert piece.charge is not None
    assert share.amount_micros == round(piece.charge.amount_micros / 4 * 0.4)
    stranger = Caller(key="k", user="b", role=Role.TENANT_ADMIN, tenant="beta")
    with pytest.raises(NotFoundError):
        explain(plane.context, stranger, Subject.TRANSFER, share.id)
    for caller, kinds in ((OPERATOR, ["charge", "lent-share"]), (stranger, ["charge"])):
        (found,) = explain(plane.context, caller, Subject.CHARGE, piece.charge.id).pieces
        assert [one.transfer.kind for one in found.movements] == kinds
    reverse(plane.context, OPERATOR, share.id, note="the node was slow")
    assert lent_micros(plane.context, made) == 0


def test_a_charge_that_is_taken_back_takes_the_owners_share_along(plane: HandPlane) -> None:
    set_seller(plane.context, OPERATOR, Seller(party=Party(name="Centre")))
    month = month_of(plane.clock.at_ms)
    made = promise(plane, hours=3, count=4, lends=True, share="40")
    keep_the_rest(plane)
    plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=2 * HOUR_MS)
    plane.step(1)
    for _ in range(4):
        plane.step(HOUR_MS)
    first, *rest = shares(plane)
    alone = rest[0]
    reverse(plane.context, OPERATOR, alone.id, note="the seats were slow")
    before, got = balance(plane, AccountKind.PREPAID), lent_micros(plane.context, made)
    for share in (first, alone):
        reverse(plane.context, OPERATOR, f"trf-chg-{share.cause[4:]}", note="beta was promised a rebate")
    assert balance(plane, AccountKind.PREPAID) == before - first.amount_micros
    assert lent_micros(plane.context, made) == got - first.amount_micros
    told = [one for one in plane.log() if one.kind is EventKind.TRANSFER_REVERSED and one.tenant == "acme"]
    assert [one.data["reverses"] for one in told] == [alone.id, first.id]
    note = f"Reservation {made.id}: lent to spot, taken back with its charge"
    assert told[1].data["note"] == note
    credit, _ = statement_for(plane.context, OPERATOR, "acme", month).accounts
    assert [one.amount_micros for one in credit.entries if one.note == note] == [-first.amount_micros]
    text = render_text(invoice_for(plane.context, OPERATOR, "acme", month)).splitlines()
    corrected = [line.split()[:4] for line, below in pairwise(text) if note in below]
    assert corrected == [["correction", "cpu", "lent", f"{first.amount_micros / 1e6:.6f}"]]
    plane.clock.at_ms = month_bounds(month)[1] + 5 * MINUTE_MS
    for _ in range(3):
        plane.step(MINUTE_MS)
    (issued,) = (one.document for one in close_month(plane.context, OPERATOR, month) if one.tenant == "acme")
    assert issued is not None
    back = [(line.kind, line.exact_micros) for line in issued.lines if line.note == note]
    assert back == [(LineKind.CORRECTION, first.amount_micros)]
    assert -sum(line.exact_micros for line in issued.lines if line.tier == "lent") == got - first.amount_micros


def test_an_owner_lists_what_it_earned_so_far(plane: HandPlane) -> None:
    """Of an open month: every share with its transfer, to the sum that its preview of the invoice has."""
    month = month_of(plane.clock.at_ms)
    made = promise(plane, hours=4, count=4, lends=True, share="40")
    keep_the_rest(plane)
    plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=3 * HOUR_MS)
    plane.step(1)
    for _ in range(3):
        plane.step(HOUR_MS)
    every = shares(plane)
    reverse(plane.context, OPERATOR, every[0].id, note="slow")
    found = shares_for(plane.context, ADMIN, "acme", month)
    assert [one.transfer for one in found.shares] == [one.id for one in reversed(every)]
    assert [one.amount_micros for one in found.shares] == [one.amount_micros for one in reversed(every)]
    assert {(one.reservation, one.type, one.rehearsal) for one in found.shares} == {(made.id, "cpu", False)}
    assert [one.taken_back for one in found.shares] == [False] * (len(every) - 1) + [True]
    assert (found.count, found.currency) == (len(every), "CNY")
    preview = invoice_for(plane.context, OPERATOR, "acme", month)
    assert found.total_micros == -sum(one.amount_micros for one in preview.lines if one.tier == "lent")
    assert found.total_micros == lent_micros(plane.context, made)
    last = shares_for(plane.context, ADMIN, "acme", month, limit=1)
    assert (last.count, last.total_micros, last.shares) == (found.count, found.total_micros, found.shares[:1])
    assert shares_for(plane.context, ADMIN, "acme", "2026-01").count == 0
    with pytest.raises(NotFoundError):
        shares_for(plane.context, Caller(key="k", user="b", role=Role.MEMBER, tenant="beta"), "acme", month)
    with pytest.raises(ValidationError, match="from 1 to 10,000"):
        shares_for(plane.context, ADMIN, "acme", month, limit=0)


def test_an_owner_who_used_the_share_owes_it_when_its_charge_is_taken_back(plane: HandPlane) -> None:
    promise(plane, hours=2, count=4, lends=True, share="100", price="0")
    keep_the_rest(plane)
    plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(1)
    for _ in range(4):
        plane.step(HOUR_MS)
    left = balance(plane, AccountKind.PREPAID)
    promise(plane, hours=1, count=4, after_h=0, price=f"{left / 4e6:.6f}")
    plane.step(HOUR_MS)
    assert 0 <= balance(plane, AccountKind.PREPAID) < 4
    earned = sum(one.amount_micros for one in shares(plane))
    for share in shares(plane):
        reverse(plane.context, OPERATOR, f"trf-chg-{share.cause[4:]}", note="it never ran")
    assert -earned <= balance(plane, AccountKind.PREPAID) < 4 - earned


def test_the_share_is_that_of_the_book_unless_the_operator_agrees_on_another(plane: HandPlane) -> None:
    assert promise(plane, count=1, lends=True).share_ppm == 400_000
    assert promise(plane, count=1, share="12.5%").share_ppm == 125_000
    hour_ms = plane.clock.at_ms - plane.clock.at_ms % HOUR_MS + HOUR_MS
    wish = Wish(tenant="acme", type="cpu", count=1, to_ms=hour_ms, lends=True, share="99")
    with pytest.raises(ForbiddenError):
        reserve(plane.context, ADMIN, wish)
    with pytest.raises(ValidationError, match="from 0 to 100 per cent"):
        promise(plane, count=1, share="101")
    member = Caller(key="k", user="m", role=Role.MEMBER, tenant="acme")
    made = promise(plane, count=1)
    with pytest.raises(ForbiddenError):
        lend(plane.context, member, made.id, lends=True)
    with pytest.raises(NotFoundError):
        lend(plane.context, Caller(key="k", user="b", role=Role.TENANT_ADMIN, tenant="beta"), made.id, lends=True)
    assert lend(plane.context, ADMIN, made.id, lends=True).lends
    assert lend(plane.context, ADMIN, made.id, lends=True).lends


@pytest.mark.parametrize(
    ("tampering", "seen_by"),
    [
        ("DELETE FROM transfers WHERE kind = 'lent-share'", SHARED),
        ("UPDATE transfers SET amount_micros = amount_micros + 1 WHERE kind = 'lent-share'", SHARED),
        ("UPDATE transfers SET credit = 'prepaid:beta:CNY' WHERE kind = 'lent-share'", SHARED),
        ("DELETE FROM transfers WHERE id LIKE 'trf-rev-lent-%'", SHARED),
        ("UPDATE transfers SET at_ms = at_ms + 3600000 WHERE kind = 'lent-share'", SHARED),
        ("UPDATE lendings SET share_ppm = share_ppm + 1", LENDINGS),
        ("DELETE FROM lendings", LENDINGS),
    ],
)
def test_tampering_with_shares_is_seen(tmp_path: Path, tampering: str, seen_by: str) -> None:
    made = HandPlane(tmp_path)
    promise(made, hours=8, count=4, lends=True, share="40")
    keep_the_rest(made)
    made.submit("beta", tier="spot", accelerators_per_node=4, run_ms=9 * HOUR_MS)
    for _ in range(3):
        made.step(HOUR_MS)
    reverse(made.context, OPERATOR, f"trf-chg-{shares(made)[0].cause[4:]}", note="slow")
    made.close()
    path = tmp_path / "petahour.db"
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    assert connection.execute(tampering).rowcount >= 1
    connection.commit()
    connection.close()
    opened = open_store(sqlite_url(path))
    with opened.read() as tx:
        assert seen_by in {check.name for check in verify(tx) if not check.ok}
    opened.close()
