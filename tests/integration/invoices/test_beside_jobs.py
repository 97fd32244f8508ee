"""A close while jobs run: use is posted by another thread all the time, and every transfer is billed once."""

from __future__ import annotations

from threading import Event, Thread

from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.test_close import check_books
from tests.integration.invoices.worked import at, use

from petahour.control.audit.invoices import invoice_checks
from petahour.control.month_close import close_month
from petahour.model.invoices import LineKind
from petahour.model.usage import TransferKind
from petahour.store.protocol import InvoiceFilter

POSTED = 40


def test_what_is_posted_beside_a_close_is_on_this_invoice_or_the_next(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "first", at(3, 1), at(3, 1, 1))
    begun, errors = Event(), list[BaseException]()

    def run_jobs() -> None:
        try:
            for number in range(POSTED):
                # Some of it is of the month that is being closed, as a late report is.
                start_ms = at(3 if number % 2 else 4, 1 + number // 2, 5)
                with books.store.write() as tx:
                    use(tx, f"j{number}", start_ms, start_ms + 3_600_000)
                begun.set()
        except BaseException as error:
            errors.append(error)
        finally:
            begun.set()

    jobs = Thread(target=run_jobs)
    jobs.start()
    begun.wait()
    made = [close_month(books.context, OPERATOR, "2026-03")[0] for _ in range(10)]
    jobs.join()
    assert errors == []
    assert len({one.document.id for one in made if one.document is not None}) == 1
    books.clock.now = at(5, 2)
    close_month(books.context, OPERATOR, "2026-04")
    with books.store.read() as tx:
        own = tx.invoices.accounts_of("acme", "CNY")
        assert tx.invoices.unbilled(own, from_ms=at(1, 1), until_ms=at(5, 1)) == []
        march, april = tx.invoices.find(InvoiceFilter())
        billed = [one for document in (march, april) for one in tx.invoices.billed(own, document.id)]
        charged = [one for one in tx.ledger.transfers() if one.kind is TransferKind.CHARGE]
        assert [check.detail for check in invoice_checks(tx) if not check.ok] == []
    assert sorted(one.cause for one in billed) == sorted(one.cause for one in charged)
    assert len(billed) == POSTED + 1
    assert march.net_micros + april.net_micros == (POSTED + 1) * 14_000_000
    # What of March came after its close is named as such.
    late = [line for line in april.lines if line.kind is LineKind.ADJUSTMENT]
    assert sum(line.amount_micros for line in (*march.lines, *late)) == (POSTED // 2 + 1) * 14_000_000
    check_books(books)
