"""Promises in time: maintenance windows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status
from fastapi.responses import JSONResponse

from petahour.billing.fields import read_instant
from petahour.control.maintenance import cancel_maintenance, plan_maintenance, windows_for
from petahour.model.promises import maintenance_data
from petahour.server.caller import TheCaller, TheContext
from petahour.server.promise_schemas import MaintenanceBody
from petahour.server.schemas import Body

router = APIRouter(prefix="/v1", tags=["promises"])


@router.get("/maintenance")
def windows(
    context: TheContext,
    caller: TheCaller,
    past: Annotated[bool, Query(description="Those that are over, too.")] = False,
) -> JSONResponse:
    """Maintenance windows, the next first; with ``past`` the latest first."""
    found = windows_for(context, caller, over=past)
    return JSONResponse({"windows": [maintenance_data(window) for window in found]})


@router.post("/maintenance", status_code=status.HTTP_201_CREATED)
def plan(body: MaintenanceBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Plan a window in which nodes are empty; ``runs_on``: jobs that it does not stop and that may run into it."""
    made = plan_maintenance(
        context,
        caller,
        body.nodes,
        from_ms=read_instant(body.begins, "from"),
        to_ms=read_instant(body.to, "to"),
        reason=body.reason,
        empties=body.empties,
    )
    answer = maintenance_data(made.window) | {"runs_on": list(made.runs_on)}
    return JSONResponse(answer, status_code=status.HTTP_201_CREATED)


@router.post("/maintenance/{window_id}/cancel")
def call_off(window_id: str, context: TheContext, caller: TheCaller, body: Body | None = None) -> JSONResponse:
    """Call a window off; what it drained takes work again."""
    return JSONResponse(maintenance_data(cancel_maintenance(context, caller, window_id)))
