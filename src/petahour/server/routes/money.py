"""Money: credit, usage, invoices, conservation and the audit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, status
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from petahour.billing.conservation import conservation_json
from petahour.billing.invoice_form import render_text, to_json
from petahour.control.corrections import reverse
from petahour.control.credit import balance_of
from petahour.control.queries import events_for, usage_for
from petahour.control.statements import audit_for, conservation_for, invoice_for
from petahour.model.time import month_of
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import ReversalBody
from petahour.server.views import balance_view, event_view, usage_view

router = APIRouter(prefix="/v1", tags=["money"])


@router.post("/transfers/{money_id:path}/reversal", status_code=status.HTTP_201_CREATED)
def take_back(money_id: str, body: ReversalBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Take a transfer back in full; twice is once."""
    back = reverse(context, caller, money_id, note=body.note)
    return JSONResponse({"transfer": asdict(back)}, status.HTTP_201_CREATED)


@router.get("/tenants/{tenant}/balance")
def balance(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Prepaid credit: posted, held, available."""
    return JSONResponse(balance_view(tenant, balance_of(context, caller, tenant)))


@router.get("/tenants/{tenant}/usage")
def usage(tenant: str, context: TheContext, caller: TheCaller, month: str | None = None) -> JSONResponse:
    """Usage records of a month with their charges."""
    month = month or month_of(context.clock.now_ms())
    currency, records = usage_for(context, caller, tenant, month)
    return JSONResponse(
        {
            "tenant": tenant,
            "month": month,
            "currency": currency,
            "records": [usage_view(record, charge) for record, charge in records],
        }
    )


@router.get("/tenants/{tenant}/invoices/{month}")
def invoice(
    tenant: str,
    month: str,
    context: TheContext,
    caller: TheCaller,
    form: Annotated[Literal["json", "text"], Query(alias="format")] = "json",
) -> Response:
    """A month's invoice, as JSON or as text."""
    made = invoice_for(context, caller, tenant, month)
    return PlainTextResponse(render_text(made)) if form == "text" else JSONResponse(to_json(made))


@router.get("/conservation")
def conservation(
    context: TheContext,
    caller: TheCaller,
    from_ms: Annotated[int | None, Query(ge=0)] = None,
    to_ms: Annotated[int | None, Query(ge=0)] = None,
) -> JSONResponse:
    """Billed + waived + open + idle + down = capacity, hour by hour and type by type."""
    return JSONResponse(conservation_json(conservation_for(context, caller, from_ms=from_ms, to_ms=to_ms)))


@router.get("/audit")
def audit(context: TheContext, caller: TheCaller) -> JSONResponse:
    """Everything recomputed from the raw events and transfers."""
    checks = audit_for(context, caller)
    return JSONResponse({"ok": all(check.ok for check in checks), "checks": [asdict(check) for check in checks]})


@router.get("/events", tags=["events"])
def events(
    context: TheContext, caller: TheCaller, after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0, limit: int = 500
) -> JSONResponse:
    """The raw event log in commit order."""
    found = events_for(context, caller, after=after, limit=limit)
    return JSONResponse({"events": [event_view(event) for event in found]})
