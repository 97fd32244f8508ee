"""The client's part about invoices: one method per route, typed."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from petahour.client.decode import decode
from petahour.client.explanation import InvoiceExplanation
from petahour.client.transport import Query, Transport, json_of, segment
from petahour.model.invoices import PPM, BillingTerms, InvoiceDocument, Seller


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantClose:
    """What the close made of a tenant's month: issued, draft, nothing, already, or waiting with its reason."""

    tenant: str
    outcome: str
    reason: str
    document: InvoiceDocument | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthCloses:
    """A month's close, tenant by tenant."""

    month: str
    closes: tuple[TenantClose, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    invoices: tuple[InvoiceDocument, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportColumn:
    """A report's column. ``holds`` names the unit of its whole numbers: money, hours, share, duration, ..."""

    name: str
    title: str
    holds: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report for the operator. Cells are text, whole numbers in the column's unit, or None.

    ``series`` are the columns that are drawn, ``stacked`` where they are parts of a whole.
    """

    name: str
    title: str
    columns: tuple[ReportColumn, ...]
    rows: tuple[tuple[object, ...], ...]
    series: tuple[str, ...] = ()
    stacked: bool = False
    notes: tuple[str, ...] = ()


class Books:
    """Invoices of a control plane. ``Client.books`` has one; errors are those of ``Client``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def close(self, month: str, *, tenant: str | None = None, draft: bool = False) -> MonthCloses:
        """Close a month that is over, for one tenant or all. A repeat changes nothing."""
        body = {"month": month, "tenant": tenant, "draft": draft}
        return decode(MonthCloses, json_of(self._transport.send("POST", "/v1/closes", body=body, repeatable=True)))

    def invoices(
        self, *, tenant: str | None = None, month: str | None = None, states: Collection[str] = ()
    ) -> tuple[InvoiceDocument, ...]:
        """Invoices and credit notes, oldest first."""
        query: Query = {"tenant": tenant, "month": month, "state": tuple(states) or None}
        return decode(
            _Listing, json_of(self._transport.send("GET", "/v1/invoices", query=query, repeatable=True))
        ).invoices

    def invoice(self, number: str) -> InvoiceDocument:
        """One document by its number (a draft by its id)."""
        return decode(InvoiceDocument, json_of(self._transport.send("GET", _path(number), repeatable=True)))

    def explain(self, number: str, *, line: int | None = None, limit: int = 100) -> InvoiceExplanation:
        """What each line of an invoice bills; of one line its first transfers, with the job behind each."""
        path = f"/v1/explain/invoice/{segment('number', number)}" + ("" if line is None else f"/{line}")
        found = self._transport.send("GET", path, query={"limit": limit}, repeatable=True)
        return decode(InvoiceExplanation, json_of(found))

    def file(self, number: str, form: str, *, language: str | None = None) -> bytes:
        """The document as a file: ``pdf``, ``html``, ``csv``, ``json``, ``focus`` (CSV) or ``focus-parquet``."""
        query: Query = {"format": form, "language": language}
        return self._transport.send("GET", _path(number), query=query, repeatable=True).content

    def statement(self, tenant: str, month: str, form: str, *, language: str | None = None) -> bytes:
        """A tenant's statement of account for a month as a file: ``pdf``, ``html``, ``csv`` or ``json``."""
        path = f"/v1/tenants/{segment('tenant', tenant)}/statements/{segment('month', month)}"
        query: Query = {"format": form, "language": language}
        return self._transport.send("GET", path, query=query, repeatable=True).content

    def pay(
        self, number: str, *, key: str | None = None, amount: str | None = None, note: str = ""
    ) -> InvoiceDocument:
        """Note a payment; all that is due without an amount. One key (the bank's reference) is one payment."""
        body = {"key": key or str(uuid.uuid4()), "amount": amount, "note": note}
        return self._change(f"{_path(number)}/payments", body)

    def void(self, number: str, *, reason: str) -> InvoiceDocument:
        """Declare an unpaid invoice void; its month can be closed again."""
        return self._change(f"{_path(number)}/void", {"reason": reason})

    def credit(
        self, number: str, *, line: int, amount: str | None = None, reason: str, key: str | None = None
    ) -> InvoiceDocument:
        """A credit note over a part of a line, counted from 1; what it has left without an amount."""
        body = {"line": line, "amount": amount, "reason": reason, "key": key or str(uuid.uuid4())}
        return self._change(f"{_path(number)}/credit-notes", body)

    def seller(self) -> Seller:
        """Who issues invoices."""
        return decode(Seller, json_of(self._transport.send("GET", "/v1/seller", repeatable=True)))

    def set_seller(self, seller: Seller) -> Seller:
        """Name who issues invoices."""
        return decode(
            Seller, json_of(self._transport.send("PUT", "/v1/seller", body=asdict(seller), repeatable=True))
        )

    def terms(self, tenant: str) -> BillingTerms:
        """A tenant's name on invoices, address, tax and days to pay."""
        return decode(BillingTerms, json_of(self._transport.send("GET", _terms(tenant), repeatable=True)))

    def set_terms(self, terms: BillingTerms) -> BillingTerms:
        """Set them, for invoices from now on."""
        body = asdict(terms)
        del body["tenant"]
        rate = body.pop("tax_rate_ppm")
        body["tax_rate"] = f"{rate // (PPM // 100)}.{rate % (PPM // 100):04d}%"
        path = _terms(terms.tenant)
        return decode(BillingTerms, json_of(self._transport.send("PUT", path, body=body, repeatable=True)))

    def report(self, name: str, query: Mapping[str, str | None]) -> Report:
        """``revenue``, ``occupancy``, ``receivables``, ``margin`` or ``runway``, with what the route takes."""
        answer = self._transport.send("GET", _report(name), query=dict(query), repeatable=True)
        return decode(Report, json_of(answer))

    def report_file(self, name: str, form: str, query: Mapping[str, str | None]) -> bytes:
        """A report as a file: ``json``, ``csv``, ``parquet`` or ``svg``."""
        asked: Query = {**query, "format": form}
        return self._transport.send("GET", _report(name), query=asked, repeatable=True).content

    def _change(self, path: str, body: Mapping[str, object]) -> InvoiceDocument:
        return decode(InvoiceDocument, json_of(self._transport.send("POST", path, body=body, repeatable=True)))


def _path(number: str) -> str:
    return f"/v1/invoices/{segment('number', number)}"


def _terms(tenant: str) -> str:
    return f"/v1/tenants/{segment('tenant', tenant)}/billing"


def _report(name: str) -> str:
    return f"/v1/reports/{segment('report', name)}"
