"""The fleet: nodes, who holds what, drain and resume."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from petahour.control.fleet import drain, resume
from petahour.control.queries import fleet_for
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import Body, DrainBody
from petahour.server.views import node_view

router = APIRouter(prefix="/v1/fleet", tags=["fleet"])


@router.get("")
def fleet(context: TheContext, caller: TheCaller) -> JSONResponse:
    """Nodes with the holder of each accelerator; other tenants are shown as ``other``."""
    nodes = fleet_for(context, caller)
    return JSONResponse({"nodes": [node_view(node, holders) for node, holders in nodes]})


@router.post("/nodes/{name}/drain")
def drain_node(name: str, body: DrainBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Take no new work on a node."""
    return JSONResponse(asdict(drain(context, caller, name, reason=body.reason)))


@router.post("/nodes/{name}/resume")
def resume_node(name: str, context: TheContext, caller: TheCaller, body: Body | None = None) -> JSONResponse:
    """Take work on a drained node again."""
    return JSONResponse(asdict(resume(context, caller, name)))
