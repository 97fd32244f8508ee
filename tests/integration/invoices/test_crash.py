"""A crash at every statement of the close: nothing is lost, nothing billed twice, and no number skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.test_close import check_books
from tests.integration.invoices.worked import ACME, add_tenant, at, terms, use

from petahour.control.invoices import credit_invoice, void_invoice
from petahour.control.month_close import close_month
from petahour.model.invoices import InvoiceDocument
from petahour.model.tenants import Tenant
from petahour.store.protocol import InvoiceFilter

BETA = Tenant(name="beta", title="Beta", currency="CNY", created_ms=at(1, 1))
MOST_STATEMENTS = 400


class CrashError(Exception):
    """Stands for the end of the process: it goes through everything, as a kill does."""


def crash_at(books: Books, number: int, work: Callable[[], object]) -> bool:
    """Do the work with a crash before its statement of this number; whether it came so far."""
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1
        if counted == number:
            raise CrashError

    engine = books.store._engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        work()
    except CrashError:
        return True
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return False


def documents(books: Books) -> list[InvoiceDocument]:
    with books.store.read() as tx:
        return list(tx.invoices.find(InvoiceFilter()))


def test_a_close_that_crashes_anywhere_and_is_repeated_is_one_close(books: Books) -> None:
    with books.store.write() as tx:
        add_tenant(tx, BETA)
        tx.invoices.put_terms(terms(BETA, "60000"))
        for tenant in (ACME, BETA):
            use(tx, f"a-{tenant.name}", at(3, 5, 11), at(3, 5, 12, 0, 1), tenant=tenant)
            use(tx, f"r-{tenant.name}", at(3, 6, 11), at(3, 6, 12), tenant=tenant, rehearsal=True)

    crashes = 0
    for number in range(1, MOST_STATEMENTS):
        if not crash_at(books, number, lambda: close_month(books.context, OPERATOR, "2026-03")):
            break
        crashes += 1
        # Whatever it came to: each tenant has its invoice whole, or has none of it.
        for made in documents(books):
            with books.store.read() as tx:
                own = tx.invoices.accounts_of(made.tenant, "CNY")
                assert tx.invoices.unbilled(own, from_ms=at(3, 1), until_ms=at(4, 1)) == []
                assert len(list(tx.invoices.billed(own, made.id))) == 3
    assert 20 < crashes < MOST_STATEMENTS
    made = documents(books)
    assert [(item.tenant, item.number) for item in made] == [("acme", "PH2026-00001"), ("beta", "PH2026-00002")]
    with books.store.read() as tx:
        assert list(tx.invoices.serials()) == [("PH2026", 1), ("PH2026", 2)]
        named = [one.cause for one in tx.ledger.transfers() if one.cause.startswith("inv-")]
    # Acme's rounding and tax go to its credit; Beta has none, so that its tax is due.
    assert named == ["inv-acme-2026-03"] * 2 + ["inv-beta-2026-03"] * 2
    check_books(books)


def test_a_void_and_a_credit_note_that_crash_anywhere(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12, 0, 1))
    close_month(books.context, OPERATOR, "2026-03")
    number = 1
    while crash_at(
        books, number, lambda: void_invoice(books.context, OPERATOR, "PH2026-00001", reason="wrong address")
    ):
        number += 1
    close_month(books.context, OPERATOR, "2026-03")
    number = 1
    while crash_at(
        books,
        number,
        lambda: credit_invoice(books.context, OPERATOR, "PH2026-00002", line=1, amount="1", reason="slow", key="c"),
    ):
        number += 1
    with books.store.read() as tx:
        assert list(tx.invoices.serials()) == [("PH2026", 1), ("PH2026", 2), ("PHC2026", 1)]
    check_books(books)
