"""An invoice explained: every line leads to the transfers, charges and jobs that it bills, and the auditor agrees."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.worked import at, use

from petahour.billing.ledger import reversal
from petahour.control.audit.check import Check
from petahour.control.audit.invoices import BILLED, NUMBERS, SETTLED, TOTALS, invoice_checks
from petahour.control.invoice_explanation import explain_invoice
from petahour.control.invoices import credit_invoice, pay_invoice, void_invoice
from petahour.control.month_close import close_month
from petahour.model.errors import NotFoundError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.tenants import Caller, Role

ADMIN = Caller(key="k", user="ann", role=Role.TENANT_ADMIN, tenant="acme")


def checks(books: Books) -> dict[str, Check]:
    with books.store.read() as tx:
        return {check.name: check for check in invoice_checks(tx)}


def two_lines(books: Books) -> str:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 13, 0, 1), count=8)
        use(tx, "b", at(3, 9), at(3, 9, 1), tier=Tier.SPOT, price="5.00")
        use(tx, "r", at(3, 10), at(3, 10, 1), rehearsal=True)
    (done,) = close_month(books.context, OPERATOR, "2026-03")
    assert done.document is not None
    return done.document.number


def test_a_line_leads_to_the_jobs_behind_it(books: Books) -> None:
    number = two_lines(books)
    whole = explain_invoice(books.context, ADMIN, number)
    assert whole.entries == ()
    assert [(one.transfers, one.posted_micros) for one in whole.lines] == [(3, 224_031_111), (1, 5_000_000)]
    assert all(one.posted_micros == one.line.exact_micros for one in whole.lines)
    first = explain_invoice(books.context, ADMIN, f"{number}/1")
    assert [(one.job, one.allocation, one.price_micros) for one in first.entries] == [
        ("job-a", "alloc-a", 14_000_000)
    ] * 3
    assert sum(one.amount_micros for one in first.entries) == first.lines[0].posted_micros
    assert {one.charge for one in first.entries} == {"chg-" + one.usage.removeprefix("use-") for one in first.entries}
    assert len(explain_invoice(books.context, ADMIN, f"{number}/1", limit=2).entries) == 2


def test_who_may_not_see_it_and_what_it_has_not(books: Books) -> None:
    number = two_lines(books)
    stranger = Caller(key="k", user="eve", role=Role.TENANT_ADMIN, tenant="beta")
    with pytest.raises(NotFoundError):
        explain_invoice(books.context, stranger, f"{number}/1")
    for line in ("0", "3", "-1", "x", "999999999"):
        with pytest.raises(ValidationError, match="a line from 1 to 2"):
            explain_invoice(books.context, ADMIN, f"{number}/{line}")


def test_corrections_are_billed_as_lines_of_their_own(books: Books) -> None:
    two_lines(books)
    with books.store.write() as tx:
        charge = next(one for one in tx.ledger.transfers() if one.kind.value == "charge")
        tx.ledger.post(reversal(charge, at_ms=at(4, 3), note="it was slow"))
        use(tx, "c", at(4, 4), at(4, 4, 1))
    books.clock.now = at(5, 2)
    (done,) = close_month(books.context, OPERATOR, "2026-04")
    assert done.document is not None
    found = explain_invoice(books.context, OPERATOR, f"{done.document.number}/2")
    assert [(one.kind, one.note, one.charge) for one in found.entries] == [("reversal", "it was slow", "")]
    assert all(one.posted_micros == one.line.exact_micros for one in found.lines)
    assert all(check.ok for check in checks(books).values())


def test_the_auditor_agrees_with_a_whole_life(books: Books) -> None:
    number = two_lines(books)
    assert [check.detail for check in checks(books).values()] == [""] * 4
    void_invoice(books.context, OPERATOR, number, reason="wrong address")
    close_month(books.context, OPERATOR, "2026-03")
    credit_invoice(books.context, OPERATOR, "PH2026-00002", line=1, amount="1.11", reason="slow", key="c")
    assert [check.detail for check in checks(books).values()] == [""] * 4


def test_a_payment_is_looked_up_in_the_ledger(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "large", at(3, 5), at(3, 14), count=1)  # More than there is credit for: the tax is due.
    (done,) = close_month(books.context, OPERATOR, "2026-03")
    assert done.document is not None
    assert done.document.due_micros > 0
    pay_invoice(books.context, OPERATOR, done.document.number, amount="1.00", key="bank-1")
    assert [check.detail for check in checks(books).values()] == [""] * 4


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        ("UPDATE invoices SET document = replace(document, '224030000', '224040000')", {TOTALS}),
        ("DELETE FROM invoiced_transfers WHERE transfer = (SELECT min(transfer) FROM invoiced_transfers)", {BILLED}),
        ("UPDATE invoices SET state = 'void'", {BILLED, SETTLED}),
        ("UPDATE invoices SET paid_micros = 10000", {SETTLED}),
        ("UPDATE invoices SET serial = 2", {NUMBERS}),
    ],
)
def test_the_auditor_finds_what_was_changed(books: Books, damage: str, broken: set[str]) -> None:
    two_lines(books)
    with books.store._engine.begin() as connection:
        connection.execute(text(damage))
    assert {name for name, check in checks(books).items() if not check.ok} == broken
