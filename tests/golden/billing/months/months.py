"""Books of one tenant on SQLite, for months that were worked by hand."""

from __future__ import annotations

from pathlib import Path

from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.worked import SELLER, FixedClock, add_tenant

from petahour.catalog import load_catalog
from petahour.control.context import Context
from petahour.control.ids import RandomIds
from petahour.control.live import LiveState
from petahour.control.month_close import close_month
from petahour.control.prices import load_price_books
from petahour.model.invoices import BillingTerms, InvoiceDocument, Party
from petahour.model.money import Money, format_micros
from petahour.model.tenants import Tenant
from petahour.model.usage import AccountKind, account_id
from petahour.store.sql.store import open_store, sqlite_url


def open_books(directory: Path, tenant: Tenant, *, credit: str, tax_rate_ppm: int, now_ms: int) -> Books:
    """Empty books with the tenant, its credit and its tax; the caller closes the store."""
    store = open_store(sqlite_url(directory / "books.db"))
    catalog = load_catalog(None)
    clock = FixedClock(now_ms)
    context = Context(
        store=store,
        engines={},
        catalog=catalog,
        prices=load_price_books(catalog),
        clock=clock,
        ids=RandomIds(),
        live=LiveState(),
        data_dir=directory,
    )
    with store.write() as tx:
        add_tenant(tx, tenant, credit=credit)
        tx.invoices.put_seller(SELLER)
        party = Party(name=tenant.title, address=("1 Lab Street",))
        tx.invoices.put_terms(BillingTerms(tenant=tenant.name, party=party, tax_rate_ppm=tax_rate_ppm, terms_days=14))
    return Books(context=context, clock=clock, store=store)


def close(books: Books, month: str) -> InvoiceDocument:
    """The month's only invoice."""
    (done,) = close_month(books.context, OPERATOR, month)
    assert done.document is not None, done
    return done.document


def table(document: InvoiceDocument) -> list[tuple[str, ...]]:
    """The lines as the table of the test has them: kind, month, project, type, tier, exact, amount."""
    return [
        (
            line.kind.value,
            line.month,
            line.project,
            line.type,
            line.tier,
            amount(line.exact_micros, document.currency),
            amount(line.amount_micros, document.currency),
        )
        for line in document.lines
    ]


def sums(document: InvoiceDocument) -> tuple[str, ...]:
    """Number, net, tax, total, due."""
    micros = (document.net_micros, document.tax_micros, document.total_micros, document.due_micros)
    return (document.number, *(amount(one, document.currency) for one in micros))


def posted(books: Books, kind: AccountKind, currency: str, owner: str = "operator") -> str:
    """What an account has."""
    with books.store.read() as tx:
        return amount(tx.ledger.balance(account_id(kind, currency, owner), currency).posted_micros, currency)


def amount(micros: int, currency: str) -> str:
    return format_micros(micros, currency)


def micros(text: str, currency: str) -> int:
    return Money.parse(text, currency).micros
