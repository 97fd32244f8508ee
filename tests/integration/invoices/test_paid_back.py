"""What invoices and credit notes bring back is cash only as far as it was paid for."""

from __future__ import annotations

import pytest
from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.test_close import issued
from tests.integration.invoices.worked import at, use

from petahour.control.audit.refunds import refund_faults
from petahour.control.credit_moves import move_credit
from petahour.control.credit_terms import set_credit_terms
from petahour.control.invoices import credit_invoice, pay_invoice
from petahour.model.errors import ConflictError
from petahour.model.usage import TransferKind


def moved(books: Books, kind: TransferKind, amount: str, key: str = "k") -> None:
    move_credit(books.context, OPERATOR, "acme", kind, amount=amount, currency="CNY", key=key, note="as agreed")


def proven(books: Books) -> None:
    with books.store.read() as tx:
        assert list(refund_faults(tx, ["prepaid:acme:CNY"])) == []


def test_a_credit_note_brings_granted_credit_back_as_granted_credit(books: Books) -> None:
    """500.00 of 952.00 were granted: of what comes back with its tax, 1,075.76, all else was paid for."""
    moved(books, TransferKind.GRANT, "500")
    with books.store.write() as tx:
        use(tx, "a", at(3, 5), at(3, 5, 8, 30), count=8)  # 68 h x 14 = 952.00, tax 123.76
    invoice = issued(books)
    with pytest.raises(ConflictError, match=r"424\.24 CNY; acme has 424\.24 CNY: 424\.24 CNY paid for \(got"):
        moved(books, TransferKind.REFUND, "424.25")
    credit_invoice(books.context, OPERATOR, invoice.number, line=1, amount=None, reason="it never ran", key="n")
    with pytest.raises(ConflictError, match=r"1,000\.00 CNY paid for, 500\.00 CNY granted"):
        moved(books, TransferKind.REFUND, "1000.01")
    moved(books, TransferKind.REFUND, "1000")
    proven(books)


def test_what_was_owed_comes_back_as_cash_if_it_was_paid(books: Books) -> None:
    set_credit_terms(books.context, OPERATOR, "acme", postpaid=True, limit="5000", days=(1, 7, 14, 30))
    with books.store.write() as tx:
        use(tx, "a", at(3, 5), at(3, 5, 8, 30), count=8, postpaid=True)
    invoice = issued(books)
    with pytest.raises(
        ConflictError, match=r"1,000\.00 CNY paid for, and it owes 1,075\.76 CNY.* Nothing can be paid"
    ):
        moved(books, TransferKind.REFUND, "1")
    pay_invoice(books.context, OPERATOR, invoice.number, amount=None, key="wire")
    credit_invoice(books.context, OPERATOR, invoice.number, line=1, amount="100", reason="slow", key="n")
    with pytest.raises(ConflictError, match=r"1,113\.00 CNY paid for"):
        moved(books, TransferKind.REFUND, "1200")
    moved(books, TransferKind.REFUND, "1113")
    proven(books)
