"""Quotes: make one, look at them, and see how right they were."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status
from fastapi.responses import JSONResponse

from petahour.control.quotes.make import make_quote
from petahour.control.quotes.outcomes import accuracy_for
from petahour.control.quotes.queries import find_quote, list_quotes
from petahour.control.quotes.throughput import measured_job
from petahour.control.quotes.view import accuracy_view, quote_view, throughput_view
from petahour.server.caller import TheCaller, TheContext
from petahour.server.quotes import QuoteBody

router = APIRouter(prefix="/v1", tags=["quotes"])


@router.post("/quotes", status_code=status.HTTP_201_CREATED)
def quote(body: QuoteBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Quote a piece of work on each type of accelerator. The quote is kept, and a job may be submitted under it."""
    made = make_quote(context, caller, body.request())
    return JSONResponse(quote_view(made), status.HTTP_201_CREATED)


@router.get("/quotes")
def quotes(
    context: TheContext,
    caller: TheCaller,
    tenant: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> JSONResponse:
    """Quotes, newest first."""
    found = list_quotes(context, caller, tenant=tenant, limit=limit)
    return JSONResponse({"quotes": [quote_view(item) for item in found]})


@router.get("/quotes/{quote_id}")
def quote_detail(quote_id: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """One quote."""
    return JSONResponse(quote_view(find_quote(context, caller, quote_id)))


@router.get("/quote-accuracy")
def accuracy(context: TheContext, caller: TheCaller, tenant: str | None = None) -> JSONResponse:
    """What the jobs submitted under quotes took and were charged, beside what was quoted."""
    return JSONResponse(accuracy_view(accuracy_for(context, caller, tenant)))


@router.get("/jobs/{job_id}/throughput")
def throughput(job_id: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """What a finished job's output tells of its throughput: the calibration of a quote."""
    return JSONResponse(throughput_view(measured_job(context, caller, job_id)))
