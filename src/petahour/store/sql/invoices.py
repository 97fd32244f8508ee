"""Invoices in SQL: documents, what each of them bills, closed months, billing terms and the seller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from petahour.model.invoices import (
    BillingTerms,
    DocumentKind,
    InvoiceDocument,
    InvoiceState,
    MonthClose,
    PostedSum,
    Posting,
    Seller,
)
from petahour.model.usage import TransferKind
from petahour.store.protocol import BoundSum, InvoiceFilter
from petahour.store.sql.invoice_tables import billing_terms, invoiced_transfers, invoices, month_closes, sellers
from petahour.store.sql.postings import marking, postings_query, sums_query, waived_query
from petahour.store.sql.schema import accounts, transfers
from petahour.store.sql.statements import one, rows

_READ_AT_ONCE = 2_000
_POSTING = tuple(column.name for column in postings_query(()).selected_columns)[1:]
_DOCUMENT = TypeAdapter(InvoiceDocument)
_TERMS = TypeAdapter(BillingTerms)
_SELLER = TypeAdapter(Seller)

# What changes after issuing has columns of its own; the document beside them stays as it was issued.
_CHANGING = ("number", "issued_ms", "due_ms", "paid_micros", "credited_micros", "settled_ms", "voided_ms", "reason")


class SqlInvoices:
    """What was billed, and what is still to be billed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Documents

    def put(self, document: InvoiceDocument, *, series: str | None = None, serial: int | None = None) -> None:
        """Store a new document, or what has changed of one. A number once given stays."""
        row = _row(document)
        if series is not None:
            row |= {"series": series, "serial": serial}
        same = invoices.c.id == document.id
        if not self._connection.execute(update(invoices).where(same), row).rowcount:
            self._connection.execute(insert(invoices), row)

    def get(self, document_id: str) -> InvoiceDocument | None:
        return one(self._connection, select(invoices).where(invoices.c.id == document_id), _document_of)

    def numbered(self, number: str) -> InvoiceDocument | None:
        return one(self._connection, select(invoices).where(invoices.c.number == number), _document_of)

    def live(self, tenant: str, month: str) -> InvoiceDocument | None:
        """The month's invoice that counts: a draft, issued or paid."""
        query = select(invoices).where(
            invoices.c.tenant == tenant,
            invoices.c.month == month,
            invoices.c.kind == DocumentKind.INVOICE.value,
            invoices.c.state != InvoiceState.VOID.value,
        )
        return one(self._connection, query, _document_of)

    def find(self, wanted: InvoiceFilter) -> Sequence[InvoiceDocument]:
        query = select(invoices).order_by(invoices.c.created_ms, invoices.c.serial, invoices.c.id)
        if wanted.tenant is not None:
            query = query.where(invoices.c.tenant == wanted.tenant)
        if wanted.month is not None:
            query = query.where(invoices.c.month == wanted.month)
        if wanted.states:
            query = query.where(invoices.c.state.in_([state.value for state in wanted.states]))
        if wanted.corrects is not None:
            query = query.where(invoices.c.corrects == wanted.corrects)
        return rows(self._connection, query, _document_of)

    def last_serial(self, series: str) -> int:
        """The highest number given in a series; 0 before the first."""
        query = select(func.max(invoices.c.serial)).where(invoices.c.series == series)
        return self._connection.execute(query).scalar() or 0

    def serials(self) -> Sequence[tuple[str, int]]:
        """Every number given, as series and serial, in order."""
        query = select(invoices.c.series, invoices.c.serial).where(invoices.c.serial.is_not(None))
        found = self._connection.execute(query.order_by(invoices.c.series, invoices.c.serial))
        return [(series, serial) for series, serial in found]

    def count(self, tenant: str, month: str) -> int:
        """How many documents the tenant's month has, void ones and credit notes too."""
        query = select(func.count()).where(invoices.c.tenant == tenant, invoices.c.month == month)
        return self._connection.execute(query).scalar_one()

    # What is billed

    def accounts_of(self, tenant: str, currency: str) -> Sequence[str]:
        """The tenant's own accounts."""
        query = select(accounts.c.account).where(accounts.c.account.like(f"%:{tenant}:{currency}"))
        return list(self._connection.execute(query.order_by(accounts.c.account)).scalars())

    def unbilled(self, own: Sequence[str], *, from_ms: int, until_ms: int) -> Sequence[PostedSum]:
        """What moved between these accounts and revenue before an instant and is on no invoice, summed.

        What is dated before ``from_ms`` is apart, by days.
        """
        query = sums_query(own, from_ms=from_ms).where(*_open(until_ms))
        return rows(self._connection, query, _sum_of)

    def bill(self, own: Sequence[str], *, until_ms: int, invoice: str) -> int:
        """Bind all that ``unbilled`` gives to an invoice; how many transfers that are."""
        query = marking(own, invoice).where(*_open(until_ms))
        columns = ["transfer", "invoice"]
        # Counted by itself: not every driver tells how many rows such an insert made.
        self._connection.execute(insert(invoiced_transfers).from_select(columns, query, include_defaults=False))
        mine = invoiced_transfers.c.invoice == invoice
        return self._connection.execute(select(func.count()).select_from(invoiced_transfers).where(mine)).scalar_one()

    def unbill(self, invoice: str) -> None:
        """Set free what a void invoice billed."""
        self._connection.execute(invoiced_transfers.delete().where(invoiced_transfers.c.invoice == invoice))

    def billed(self, own: Sequence[str], invoice: str) -> Iterator[Posting]:
        """What an invoice bills, transfer by transfer."""
        mine = select(invoiced_transfers.c.transfer).where(invoiced_transfers.c.invoice == invoice)
        query = postings_query(own).where(transfers.c.seq.in_(mine)).order_by(transfers.c.at_ms, transfers.c.seq)
        yield from self._postings(query)

    def bound_sums(self) -> Sequence[BoundSum]:
        """All that is bound to invoices, summed by invoice and accounts."""
        keys = (invoiced_transfers.c.invoice, transfers.c.debit, transfers.c.credit)
        query = (
            select(*keys, func.sum(transfers.c.amount_micros))
            .join_from(invoiced_transfers, transfers, transfers.c.seq == invoiced_transfers.c.transfer)
            .group_by(*keys)
            .order_by(*keys)
        )
        found = self._connection.execute(query)
        return [BoundSum(invoice, debit, credit, int(micros)) for invoice, debit, credit, micros in found]

    def payments(self) -> Mapping[str, int]:
        """What came in for each invoice by its number and was not taken back, as the ledger says."""
        taken_back = select(transfers.c.cause).where(transfers.c.kind == TransferKind.REVERSAL.value)
        query = (
            select(transfers.c.cause, func.sum(transfers.c.amount_micros))
            .where(transfers.c.kind == TransferKind.PAYMENT.value, transfers.c.id.not_in(taken_back))
            .group_by(transfers.c.cause)
        )
        return {number: int(micros) for number, micros in self._connection.execute(query)}

    def _postings(self, query: Select[Any]) -> Iterator[Posting]:
        found = self._connection.execute(query, execution_options={"yield_per": _READ_AT_ONCE})
        for _, *values in found:
            yield Posting(**dict(zip(_POSTING, values, strict=True)))

    def waived_ams(self, tenant: str, *, from_ms: int, to_ms: int) -> int:
        """Accelerator-milliseconds that were held in a window and not billed, rehearsals left out."""
        return int(self._connection.execute(waived_query(tenant, from_ms, to_ms)).scalar() or 0)

    # Closed months

    def close(self, closed: MonthClose) -> None:
        row = {"tenant": closed.tenant, "month": closed.month, "closed_ms": closed.closed_ms}
        self._connection.execute(insert(month_closes), {**row, "invoice": closed.invoice or None})

    def closed(self, tenant: str, month: str) -> MonthClose | None:
        query = select(month_closes).where(month_closes.c.tenant == tenant, month_closes.c.month == month)
        return one(self._connection, query, _close_of)

    def reopen(self, tenant: str, month: str) -> None:
        same = (month_closes.c.tenant == tenant) & (month_closes.c.month == month)
        self._connection.execute(month_closes.delete().where(same))

    # Who is billed, and who bills

    def terms(self, tenant: str) -> BillingTerms | None:
        return one(
            self._connection,
            select(billing_terms.c.terms).where(billing_terms.c.tenant == tenant),
            lambda row: _TERMS.validate_json(row["terms"]),
        )

    def put_terms(self, terms: BillingTerms) -> None:
        row = {"tenant": terms.tenant, "terms": _TERMS.dump_json(terms).decode()}
        same = billing_terms.c.tenant == terms.tenant
        if not self._connection.execute(update(billing_terms).where(same), row).rowcount:
            self._connection.execute(insert(billing_terms), row)

    def seller(self) -> Seller | None:
        return one(self._connection, select(sellers.c.seller), lambda row: _SELLER.validate_json(row["seller"]))

    def put_seller(self, seller: Seller) -> None:
        row = {"row": 1, "seller": _SELLER.dump_json(seller).decode()}
        if not self._connection.execute(update(sellers), row).rowcount:
            self._connection.execute(insert(sellers), row)


def _open(until_ms: int) -> tuple[ColumnElement[bool], ...]:
    billed = select(invoiced_transfers.c.transfer).where(invoiced_transfers.c.transfer == transfers.c.seq)
    return (transfers.c.at_ms < until_ms, ~billed.exists())


def _row(document: InvoiceDocument) -> dict[str, object]:
    """Columns of a document. The stored document itself is that of its issuing: later changes are columns alone."""
    return {
        "id": document.id,
        "kind": document.kind.value,
        "tenant": document.tenant,
        "month": document.month,
        "currency": document.currency,
        "state": document.state.value,
        "net_micros": document.net_micros,
        "tax_micros": document.tax_micros,
        "prepaid_micros": document.prepaid_micros,
        "corrects": document.corrects or None,
        "created_ms": document.created_ms,
        "document": _DOCUMENT.dump_json(_as_issued(document)).decode(),
        **{name: getattr(document, name) for name in _CHANGING},
        "number": document.number or None,
    }


def _as_issued(document: InvoiceDocument) -> InvoiceDocument:
    return replace(
        document,
        state=InvoiceState.DRAFT,
        paid_micros=0,
        credited_micros=0,
        settled_ms=None,
        voided_ms=None,
        reason="",
    )


def _document_of(row: Mapping[str, Any]) -> InvoiceDocument:
    changing = {name: row[name] for name in _CHANGING} | {"number": row["number"] or ""}
    return replace(_DOCUMENT.validate_json(row["document"]), state=InvoiceState(row["state"]), **changing)


def _sum_of(row: Mapping[str, Any]) -> PostedSum:
    # PostgreSQL sums 64-bit integers as decimals.
    known: dict[str, Any] = {key: int(value) if isinstance(value, Decimal) else value for key, value in row.items()}
    return PostedSum(**known)


def _close_of(row: Mapping[str, Any]) -> MonthClose:
    return MonthClose(**{**row, "invoice": row["invoice"] or ""})
