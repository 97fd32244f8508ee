"""Standing: which replica answers, and who leads."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from petahour.control.standing import standing
from petahour.server.caller import TheCaller, TheContext

router = APIRouter(prefix="/v1/standing", tags=["health"])


@router.get("")
def show_standing(context: TheContext, caller: TheCaller) -> JSONResponse:
    """The replica that answers, whether it leads, how far it has followed the log, and the lease."""
    return JSONResponse(asdict(standing(context, caller)))
