"""Payments that the bank took back and debts that were paid after all; what is a part of a document stays with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.test_close import issued
from tests.integration.invoices.worked import at, use

from petahour.control.account_statement import statement_for
from petahour.control.audit.invoices import invoice_checks
from petahour.control.corrections import reverse
from petahour.control.credit_terms import write_off
from petahour.control.invoices import credit_invoice, find_invoice, pay_invoice, void_invoice
from petahour.control.month_close import close_month
from petahour.documents.statement_page import statement_page
from petahour.documents.words import Language
from petahour.model.errors import ConflictError
from petahour.model.invoices import InvoiceDocument, InvoiceState
from petahour.model.usage import Transfer, TransferKind


@pytest.fixture
def owed(books: Books) -> Iterator[InvoiceDocument]:
    """An invoice of which the tax is due, as the use took all of the credit."""
    with books.store.write() as tx:
        use(tx, "a", at(3, 5), at(3, 5, 8, 30), count=8)  # 68 h x 14 = 952.00 of 1,000.00; tax 123.76
    yield issued(books)
    with books.store.read() as tx:
        assert [check for check in invoice_checks(tx) if not check.ok] == []


def posted(books: Books, kind: TransferKind) -> list[Transfer]:
    with books.store.read() as tx:
        return [one for one in tx.ledger.transfers() if one.kind is kind]


def test_a_payment_that_bounced_is_due_again_and_paid_by_another_key(books: Books, owed: InvoiceDocument) -> None:
    due = owed.due_micros
    assert due == 75_760_000
    paid = pay_invoice(books.context, OPERATOR, owed.number, amount=None, key="wire-7")
    assert paid.state is InvoiceState.PAID
    (payment,) = posted(books, TransferKind.PAYMENT)
    back = reverse(books.context, OPERATOR, payment.id, note="returned by the bank")
    assert reverse(books.context, OPERATOR, payment.id, note="returned by the bank") == back
    again = find_invoice(books.context, OPERATOR, owed.number)
    assert (again.state, again.due_micros, again.due_ms, again.settled_ms) == (
        InvoiceState.ISSUED,
        due,
        owed.due_ms,
        None,
    )
    with pytest.raises(ConflictError, match="taken back"):
        pay_invoice(books.context, OPERATOR, owed.number, amount=None, key="wire-7")
    with pytest.raises(ConflictError, match="a reversal is final"):
        reverse(books.context, OPERATOR, back.id, note="it was no mistake")
    assert pay_invoice(books.context, OPERATOR, owed.number, amount=None, key="wire-8").due_micros == 0


def test_a_statement_of_account_names_what_is_not_paid_yet(books: Books, owed: InvoiceDocument) -> None:
    def page(language: Language) -> str:
        found = statement_for(books.context, OPERATOR, "acme", "2026-03")
        return statement_page(
            found.accounts,
            tenant=found.tenant,
            seller=found.seller,
            buyer=found.buyer,
            language=language,
            now_ms=found.now_ms,
            unpaid=found.unpaid,
        )

    shown = page(Language.EN)
    assert "Invoices not paid yet" in shown
    assert owed.number in shown
    assert "75.76" in shown
    assert "overdue" not in shown
    books.clock.now = at(6, 1)
    assert "已逾期" in page(Language.ZH)
    pay_invoice(books.context, OPERATOR, owed.number, amount=None, key="wire-7")
    assert "not paid yet" not in page(Language.EN)


def test_a_debt_that_was_given_up_can_be_paid_after_all(books: Books, owed: InvoiceDocument) -> None:
    assert write_off(books.context, OPERATOR, owed.number, reason="insolvent").due_micros == 0
    (given_up,) = posted(books, TransferKind.WRITE_OFF)
    reverse(books.context, OPERATOR, given_up.id, note="the receiver pays")
    again = find_invoice(books.context, OPERATOR, owed.number)
    assert (again.state, again.due_micros, again.reason) == (InvoiceState.ISSUED, owed.due_micros, "")
    with pytest.raises(ConflictError, match="was taken back"):
        write_off(books.context, OPERATOR, owed.number, reason="insolvent again")
    assert pay_invoice(books.context, OPERATOR, owed.number, amount=None, key="wire-9").due_micros == 0


def test_a_debt_that_was_given_up_is_not_credited_besides(books: Books, owed: InvoiceDocument) -> None:
    """Of 1,075.76 were 1,000.00 paid from credit, and 75.76 written off."""
    write_off(books.context, OPERATOR, owed.number, reason="insolvent")
    with books.store.read() as tx:
        head = tx.ledger.head()
    with pytest.raises(ConflictError, match=r"of PH2026-00001 becomes no credit: 1,000\.00 CNY of it was paid"):
        credit_invoice(books.context, OPERATOR, owed.number, line=1, amount=None, reason="it never ran", key="n-1")
    with books.store.read() as tx:
        assert tx.ledger.head() == head
    credit_invoice(books.context, OPERATOR, owed.number, line=1, amount="800", reason="slow", key="n-2")
    assert credit(books) == 904_000_000
    with pytest.raises(ConflictError, match=r"96\.00 CNY of it was paid and not credited yet"):
        credit_invoice(books.context, OPERATOR, owed.number, line=1, amount="85", reason="slow", key="n-3")
    (given_up,) = posted(books, TransferKind.WRITE_OFF)
    reverse(books.context, OPERATOR, given_up.id, note="the receiver pays")
    credit_invoice(books.context, OPERATOR, owed.number, line=1, amount=None, reason="it never ran", key="n-4")
    assert credit(books) == 1_000_000_000
    assert find_invoice(books.context, OPERATOR, owed.number).due_micros == 0


@pytest.mark.parametrize("kind", [TransferKind.TAX, TransferKind.ROUNDING, TransferKind.SERVICE_CREDIT])
def test_what_belongs_to_a_document_is_not_taken_back_alone(
    books: Books, owed: InvoiceDocument, kind: TransferKind
) -> None:
    credit_invoice(books.context, OPERATOR, owed.number, line=1, amount="2.00", reason="slow", key="t-1")
    with books.store.read() as tx:
        head = tx.ledger.head()
    for one in posted(books, kind):
        with pytest.raises(ConflictError, match="goes with that document"):
            reverse(books.context, OPERATOR, one.id, note="why not")
    with books.store.read() as tx:
        assert tx.ledger.head() == head


def test_what_an_invoice_owes_its_tenant_becomes_credit(books: Books, owed: InvoiceDocument) -> None:
    """Use that was owed and invoiced is taken back in the next month, in which there is nothing else."""
    with books.store.write() as tx:
        use(tx, "b", at(4, 5), at(4, 5, 1), count=2, postpaid=True)  # 28.00 in April
    books.clock.now = at(5, 2)
    april = close_month(books.context, OPERATOR, "2026-04")[0].document
    assert april is not None
    assert april.due_micros == 31_640_000
    charge = posted(books, TransferKind.CHARGE)[-1]
    assert charge.debit == "receivable:acme:CNY"
    reverse(books.context, OPERATOR, charge.id, note="it never ran")
    books.clock.now = at(6, 2)
    may = close_month(books.context, OPERATOR, "2026-05")[0].document
    assert may is not None
    assert (may.total_micros, may.prepaid_micros, may.due_micros) == (-31_640_000, -31_640_000, 0)
    (offset,) = posted(books, TransferKind.OFFSET)
    assert (offset.debit, offset.credit) == ("receivable:acme:CNY", "prepaid:acme:CNY")
    assert offset.amount_micros == 31_640_000
    with pytest.raises(ConflictError, match="goes with that document"):
        reverse(books.context, OPERATOR, offset.id, note="why not")
    before = credit(books)
    void_invoice(books.context, OPERATOR, may.number, reason="wrong month")
    assert credit(books) == before - 31_640_000


def credit(books: Books) -> int:
    with books.store.read() as tx:
        return tx.ledger.balance("prepaid:acme:CNY", "CNY").posted_micros
