"""Reports for the operator's people, as JSON, CSV, Parquet or a chart."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from petahour.billing.reports.table import Report
from petahour.control import reports as cases
from petahour.documents.charts import chart
from petahour.documents.report_files import report_csv, report_json, report_parquet
from petahour.model.time import month_of
from petahour.server.caller import TheCaller, TheContext

router = APIRouter(prefix="/v1/reports", tags=["reports"])
Form = Annotated[Literal["json", "csv", "parquet", "svg"], Query(alias="format")]


@router.get("/revenue")
def revenue(context: TheContext, caller: TheCaller, month: str | None = None, form: Form = "json") -> Response:
    """Revenue of a month by currency, type and tier."""
    month = month or month_of(context.clock.now_ms())
    return _answer(cases.revenue_for(context, caller, month), form)


@router.get("/occupancy")
def occupancy(context: TheContext, caller: TheCaller, month: str | None = None, form: Form = "json") -> Response:
    """Used, borrowed, lent, unused (reserved), waived, open, idle and down time of a month, by type: the capacity."""
    month = month or month_of(context.clock.now_ms())
    return _answer(cases.occupancy_for(context, caller, month), form)


@router.get("/receivables")
def receivables(context: TheContext, caller: TheCaller, form: Form = "json") -> Response:
    """What tenants owe, by how long it is overdue."""
    return _answer(cases.receivables_for(context, caller), form)


@router.get("/margin")
def margin(
    context: TheContext,
    caller: TheCaller,
    month: str | None = None,
    currency: str = "CNY",
    energy_price: str = "0.65",
    dollar: str | None = None,
    years: str = "4",
    form: Form = "json",
) -> Response:
    """Revenue less power and depreciation, by type, in one currency."""
    month = month or month_of(context.clock.now_ms())
    found = cases.margin_for(
        context, caller, month, currency=currency, energy_price=energy_price, dollar=dollar, years=years
    )
    return _answer(found, form)


@router.get("/runway")
def runway(
    context: TheContext, caller: TheCaller, days: Annotated[int, Query(ge=1, le=366)] = 1, form: Form = "json"
) -> Response:
    """Every tenant's burn over the last days, and how long its credit lasts at that."""
    return _answer(cases.runway_for(context, caller, days=days), form)


def _answer(report: Report, form: str) -> Response:
    if form == "csv":
        return Response(report_csv(report), media_type="text/csv; charset=utf-8")
    if form == "parquet":
        return Response(report_parquet(report), media_type="application/vnd.apache.parquet")
    if form == "svg":
        return Response(chart(report), media_type="image/svg+xml")
    return JSONResponse(report_json(report))
