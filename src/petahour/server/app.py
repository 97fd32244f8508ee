"""The application: routers, limits and problem documents over one control plane."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from petahour import __version__
from petahour.control.context import Context
from petahour.server import problems
from petahour.server.limits import BodyLimit
from petahour.server.routes import (
    catalog,
    credit,
    explain,
    fleet,
    invoices,
    jobs,
    keys,
    money,
    notices,
    payment,
    prices,
    promises,
    quotes,
    reports,
    standing,
    tenants,
)


def create_app(context: Context) -> FastAPI:
    """A FastAPI app over the context. /docs shows the OpenAPI page."""
    app = FastAPI(
        title="Petahour",
        version=__version__,
        summary="Rents AI compute: submit jobs, look at the fleet, read usage and invoices.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        redoc_url=None,
    )
    app.state.context = context
    app.add_middleware(BodyLimit)
    problems.install(app)
    for part in (
        jobs,
        quotes,
        fleet,
        catalog,
        tenants,
        keys,
        money,
        invoices,
        explain,
        reports,
        prices,
        credit,
        notices,
        payment,
        standing,
        promises,
    ):
        app.include_router(part.router)

    @app.get("/healthz", tags=["health"])
    def healthz() -> JSONResponse:
        """The process answers; of several replicas, which one it is and whether it leads."""
        answer: dict[str, object] = {"status": "ok", "version": __version__}
        leadership = context.leadership
        if leadership.name:
            role = "follower" if leadership.epoch is None else "leader"
            answer |= {"replica": leadership.name, "role": role}
        return JSONResponse(answer)

    return app
