"""The catalogue: every type of accelerator with its figures, as this control plane knows them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from petahour.catalog.view import catalog_view, type_view
from petahour.control.authorize import Action, authorize
from petahour.model.errors import NotFoundError, ValidationError
from petahour.server.caller import TheCaller, TheContext

router = APIRouter(prefix="/v1/catalog", tags=["catalog"])


@router.get("")
def catalog(context: TheContext, caller: TheCaller) -> JSONResponse:
    """Every type, and every vendor's software stack."""
    authorize(caller, Action.READ_CATALOG)
    return JSONResponse(catalog_view(context.catalog))


@router.get("/{accelerator_type}")
def catalog_type(accelerator_type: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """One type."""
    authorize(caller, Action.READ_CATALOG)
    try:
        found = context.catalog.get(accelerator_type)
    except ValidationError as error:
        raise NotFoundError(field="type", value=error.value, rule=error.rule, remedy=error.remedy) from None
    return JSONResponse(type_view(context.catalog, found))
