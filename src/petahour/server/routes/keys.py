"""API keys and who one is."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, status
from fastapi.responses import JSONResponse, Response

from petahour.control.keys import issue_key, list_keys, revoke_key
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import KeyBody
from petahour.server.views import key_view

router = APIRouter(prefix="/v1", tags=["keys"])


@router.get("/whoami")
def whoami(caller: TheCaller) -> JSONResponse:
    """The user, role and tenant behind the key."""
    return JSONResponse(asdict(caller))


@router.get("/keys")
def keys(context: TheContext, caller: TheCaller) -> JSONResponse:
    """API keys, without their secrets."""
    return JSONResponse({"keys": [key_view(key) for key in list_keys(context, caller)]})


@router.post("/keys", status_code=status.HTTP_201_CREATED)
def create_key(body: KeyBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A new key; its text is shown in this answer only."""
    tenant = body.tenant if caller.role.of_operator else (body.tenant or caller.tenant)
    key, text = issue_key(context, caller, tenant=tenant, user=body.user, label=body.label)
    return JSONResponse({**key_view(key), "key": text}, status.HTTP_201_CREATED)


@router.delete("/keys/{key_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_key(key_id: str, context: TheContext, caller: TheCaller) -> Response:
    """Revoke a key."""
    revoke_key(context, caller, key_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
