"""Credit: top-ups, who may make them, and how long credit lasts."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, status
from fastapi.responses import JSONResponse

from petahour.control.credit_moves import move_credit
from petahour.control.credit_watch import runway_for
from petahour.control.topups import decide_topup, request_topup, set_topup_rule, topup_requests, topup_rules
from petahour.model.credit import Runway, TopupRequest
from petahour.model.tenants import Role
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import CreditMoveBody, TopupBody, TopupRuleBody
from petahour.server.views import balance_view

router = APIRouter(prefix="/v1", tags=["credit"])


@router.post("/tenants/{tenant}/topups", status_code=status.HTTP_201_CREATED)
def topup(tenant: str, body: TopupBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Credit a tenant; one key is one credit. 202: it waits for a second person."""
    made = request_topup(
        context, caller, tenant, amount=body.amount, currency=body.currency, key=body.key, note=body.note
    )
    if isinstance(made, TopupRequest):
        return JSONResponse({"request": asdict(made)}, status.HTTP_202_ACCEPTED)
    transfer, balance = made
    return JSONResponse(
        {"transfer": asdict(transfer), "balance": balance_view(tenant, balance)}, status.HTTP_201_CREATED
    )


@router.post("/tenants/{tenant}/credit-moves", status_code=status.HTTP_201_CREATED)
def moved(tenant: str, body: CreditMoveBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Give credit, make a fault good, or pay credit back; one key is one movement of its kind."""
    transfer, balance = move_credit(
        context,
        caller,
        tenant,
        body.kind,
        amount=body.amount,
        currency=body.currency,
        key=body.key,
        note=body.note,
    )
    return JSONResponse(
        {"transfer": asdict(transfer), "balance": balance_view(tenant, balance)}, status.HTTP_201_CREATED
    )


@router.get("/topup-requests")
def requests(context: TheContext, caller: TheCaller, waiting: bool = True) -> JSONResponse:
    """Top-ups that wait for a second person, or with ``waiting=false`` all that ever did."""
    return JSONResponse({"requests": [asdict(item) for item in topup_requests(context, caller, waiting=waiting)]})


@router.post("/tenants/{tenant}/topup-requests/{key}/approve")
def approve(tenant: str, key: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Add the credit that another person asked for."""
    return JSONResponse(asdict(decide_topup(context, caller, tenant, key, approve=True)))


@router.post("/tenants/{tenant}/topup-requests/{key}/refuse")
def refuse(tenant: str, key: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Add nothing; the key is used up."""
    return JSONResponse(asdict(decide_topup(context, caller, tenant, key, approve=False)))


@router.get("/topup-rules")
def rules(context: TheContext, caller: TheCaller) -> JSONResponse:
    """What each role may add at once, and what it may add alone."""
    return JSONResponse({"rules": [asdict(rule) for rule in topup_rules(context, caller)]})


@router.put("/topup-rules/{currency}/{role}")
def put_rule(currency: str, role: Role, body: TopupRuleBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Set what a role may add in a currency."""
    rule = set_topup_rule(context, caller, currency=currency, role=role, most=body.most, alone=body.alone)
    return JSONResponse(asdict(rule))


@router.get("/tenants/{tenant}/credit")
def credit(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """How long a tenant's credit lasts at the present burn."""
    return JSONResponse(_runway(runway_for(context, caller, tenant)))


def _runway(found: Runway) -> dict[str, object]:
    return asdict(found) | {"left_micros": found.left_micros, "overspent_micros": found.overspent_micros}
