"""Explaining any number of the ledger."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from petahour.control.explanation import Explanation, Subject, explain
from petahour.control.invoice_explanation import MOST_ENTRIES, explain_invoice
from petahour.server.caller import TheCaller, TheContext
from petahour.server.views import allocation_view, event_view

router = APIRouter(prefix="/v1", tags=["money"])


@router.get("/explain/invoice/{number:path}")
def invoice_explanation(
    number: str,
    context: TheContext,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
) -> JSONResponse:
    """What each line of an invoice bills; of ``NUMBER/LINE`` the transfers with charge, use, allocation and job."""
    found = explain_invoice(context, caller, number, limit=limit)
    return JSONResponse(
        {
            "number": found.invoice.number,
            "month": found.invoice.month,
            "tenant": found.invoice.tenant,
            "currency": found.invoice.currency,
            "net_micros": found.invoice.net_micros,
            "line": found.line,
            "lines": [
                {
                    **asdict(one.line),
                    "number": one.number,
                    "transfers": one.transfers,
                    "posted_micros": one.posted_micros,
                }
                for one in found.lines
            ],
            "entries": [asdict(one) for one in found.entries],
        }
    )


@router.get("/explain/{subject}/{money_id:path}")
def explanation(subject: Subject, money_id: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """From a charge, a transfer, a usage record or an allocation to its job, with the price and its version."""
    return JSONResponse(_view(explain(context, caller, subject, money_id)))


def _view(found: Explanation) -> dict[str, object]:
    allocation, job = found.allocation, found.job
    return {
        "subject": found.subject.value,
        "id": found.id,
        "tenant": found.tenant,
        "movements": [asdict(one) for one in found.movements],
        "pieces": [asdict(one) for one in found.pieces],
        "lent": [asdict(one) for one in found.lent],
        "allocation": None if allocation is None else allocation_view(allocation),
        "events": [event_view(event) for event in found.events],
        "job": job
        and {
            "id": job.id,
            "name": job.spec.name,
            "tenant": job.tenant,
            "project": job.project,
            "user": job.user,
            "state": job.state.value,
            "command": list(job.spec.command),
        },
    }
