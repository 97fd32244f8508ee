"""Invoices: the monthly close, documents, payments, voids, credit notes, and who bills whom."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, status
from fastapi.responses import HTMLResponse, JSONResponse, Response

from petahour.control import billing_terms as parties
from petahour.control import invoices as cases
from petahour.control.account_statement import statement_for
from petahour.control.context import Context
from petahour.control.month_close import TenantClose, close_month
from petahour.documents.focus import Focus, focus_csv, focus_parquet
from petahour.documents.invoice_csv import invoice_csv
from petahour.documents.invoice_json import invoice_json
from petahour.documents.page import invoice_page
from petahour.documents.pdf import to_pdf
from petahour.documents.statement_page import statement_csv, statement_page
from petahour.documents.words import Language
from petahour.model.invoices import DocumentKind, InvoiceState
from petahour.model.tenants import Caller
from petahour.server.billing_schemas import CloseBody, CreditNoteBody, PaymentBody, SellerBody, TermsBody, VoidBody
from petahour.server.caller import TheCaller, TheContext
from petahour.store.protocol import InvoiceFilter

router = APIRouter(prefix="/v1", tags=["invoices"])


@router.post("/closes")
def close(body: CloseBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Close a month that is over, for one tenant or all; repeating it changes nothing."""
    done = close_month(context, caller, body.month, tenant=body.tenant, as_draft=body.draft)
    return JSONResponse({"month": body.month, "closes": [_close_view(item) for item in done]})


@router.get("/invoices")
def listing(
    context: TheContext,
    caller: TheCaller,
    tenant: str | None = None,
    month: str | None = None,
    state: Annotated[list[InvoiceState] | None, Query()] = None,
) -> JSONResponse:
    """Invoices and credit notes, oldest first."""
    wanted = InvoiceFilter(tenant=tenant, month=month, states=tuple(state or ()))
    return JSONResponse({"invoices": [invoice_json(item) for item in cases.list_invoices(context, caller, wanted)]})


@router.get("/invoices/{number}")
def document(
    number: str,
    context: TheContext,
    caller: TheCaller,
    form: Annotated[Literal["json", "csv", "html", "pdf", "focus", "focus-parquet"], Query(alias="format")] = "json",
    language: Language | None = None,
) -> Response:
    """One document, by its number (a draft by its id); ``focus``: its charges as FOCUS cost and usage."""
    if form in ("focus", "focus-parquet"):
        return _focus(context, caller, number, form)
    found = cases.find_invoice(context, caller, number)
    if form == "json":
        return JSONResponse(invoice_json(found))
    if form == "csv":
        return Response(invoice_csv(found), media_type="text/csv; charset=utf-8")
    page = invoice_page(found, language=language or Language(found.language), titles=_titles(context))
    if form == "html":
        return HTMLResponse(page)
    return Response(to_pdf(page), media_type="application/pdf")


@router.get("/tenants/{tenant}/statements/{month}")
def statement(
    tenant: str,
    month: str,
    context: TheContext,
    caller: TheCaller,
    form: Annotated[Literal["json", "csv", "html", "pdf"], Query(alias="format")] = "json",
    language: Language | None = None,
) -> Response:
    """A statement of account: what moved in a month on the tenant's credit and receivable."""
    found = statement_for(context, caller, tenant, month)
    if form == "json":
        accounts, unpaid = [asdict(item) for item in found.accounts], [invoice_json(item) for item in found.unpaid]
        return JSONResponse({"tenant": tenant, "month": month, "accounts": accounts, "unpaid": unpaid})
    if form == "csv":
        return Response(statement_csv(found.accounts), media_type="text/csv; charset=utf-8")
    page = statement_page(
        found.accounts,
        tenant=found.tenant,
        seller=found.seller,
        buyer=found.buyer,
        language=language or Language(found.language),
        now_ms=found.now_ms,
        unpaid=found.unpaid,
    )
    if form == "html":
        return HTMLResponse(page)
    return Response(to_pdf(page), media_type="application/pdf")


@router.post("/invoices/{number}/payments")
def pay(number: str, body: PaymentBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Note a payment; one key is one payment."""
    paid = cases.pay_invoice(context, caller, number, amount=body.amount, key=body.key, note=body.note)
    return JSONResponse(invoice_json(paid))


@router.post("/invoices/{number}/void")
def void(number: str, body: VoidBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Declare an unpaid invoice void; its month can be closed again."""
    return JSONResponse(invoice_json(cases.void_invoice(context, caller, number, reason=body.reason)))


@router.post("/invoices/{number}/credit-notes", status_code=status.HTTP_201_CREATED)
def credit(number: str, body: CreditNoteBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Take a part of a line back, with its share of the tax."""
    made = cases.credit_invoice(
        context, caller, number, line=body.line, amount=body.amount, reason=body.reason, key=body.key
    )
    return JSONResponse(invoice_json(made), status.HTTP_201_CREATED)


@router.get("/seller")
def seller(context: TheContext, caller: TheCaller) -> JSONResponse:
    """Who issues invoices."""
    return JSONResponse(asdict(parties.get_seller(context, caller)))


@router.put("/seller")
def set_seller(body: SellerBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Name who issues invoices."""
    return JSONResponse(asdict(parties.set_seller(context, caller, body.seller())))


@router.get("/tenants/{tenant}/billing")
def terms(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A tenant's name on invoices, address, tax and days to pay."""
    return JSONResponse(asdict(parties.get_terms(context, caller, tenant)))


@router.put("/tenants/{tenant}/billing")
def set_terms(tenant: str, body: TermsBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Set them, for invoices from now on."""
    return JSONResponse(asdict(parties.set_terms(context, caller, body.terms(tenant))))


def _focus(context: Context, caller: Caller, number: str, form: str) -> Response:
    noted = cases.find_invoice(context, caller, number)
    if noted.kind is DocumentKind.CREDIT_NOTE:
        return _focus_file(Focus(document=noted, postings=(), titles={}), form)
    with cases.billed_by(context, caller, number) as (document, postings):
        return _focus_file(Focus(document=document, postings=postings, titles=_titles(context)), form)


def _focus_file(focus: Focus, form: str) -> Response:
    if form == "focus":
        return Response(focus_csv(focus), media_type="text/csv; charset=utf-8")
    return Response(focus_parquet(focus), media_type="application/vnd.apache.parquet")


def _titles(context: Context) -> dict[str, str]:
    return {item.name: item.title for item in context.catalog.types.values()}


def _close_view(done: TenantClose) -> dict[str, object]:
    return {
        "tenant": done.tenant,
        "outcome": done.outcome.value,
        "reason": done.reason,
        "document": None if done.document is None else invoice_json(done.document),
    }
