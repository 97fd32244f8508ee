"""Notices: where a tenant is told of warnings, and what was delivered."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response, status
from fastapi.responses import JSONResponse

from petahour.control.notices import contacts as cases
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import ContactBody

router = APIRouter(prefix="/v1/tenants/{tenant}", tags=["notices"])


@router.get("/contacts")
def contacts(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Where the tenant is told; without the secrets that sign webhooks."""
    found = cases.contacts_of(context, caller, tenant)
    return JSONResponse({"contacts": [asdict(item) | {"secret": ""} for item in found]})


@router.post("/contacts", status_code=status.HTTP_201_CREATED)
def add_contact(tenant: str, body: ContactBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A new contact. A webhook's secret is in this answer only."""
    made = cases.add_contact(context, caller, tenant, channel=body.channel, target=body.target)
    return JSONResponse(asdict(made), status.HTTP_201_CREATED)


@router.delete("/contacts/{contact_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_contact(tenant: str, contact_id: str, context: TheContext, caller: TheCaller) -> Response:
    """Send nothing there any more."""
    cases.remove_contact(context, caller, tenant, contact_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/contacts/try")
def try_contacts(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Send a trial notice to every contact."""
    return JSONResponse({"notices": cases.try_contact(context, caller, tenant)})


@router.get("/notices")
def notices(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """The latest notices and their deliveries."""
    return JSONResponse({"notices": [asdict(item) for item in cases.notices_of(context, caller, tenant)]})
