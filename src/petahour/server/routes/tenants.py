"""Tenants with their projects, users and quotas."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, status
from fastapi.responses import JSONResponse

from petahour.control import tenants as cases
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import ProjectBody, QuotaBody, TenantBody, UserBody

router = APIRouter(prefix="/v1", tags=["tenants"])


@router.get("/tenants")
def tenants(context: TheContext, caller: TheCaller) -> JSONResponse:
    """Every tenant for the operator's people, one's own otherwise."""
    return JSONResponse({"tenants": [asdict(item) for item in cases.tenants_for(context, caller)]})


@router.post("/tenants", status_code=status.HTTP_201_CREATED)
def create_tenant(body: TenantBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A new tenant with a default project."""
    made = cases.create_tenant(context, caller, name=body.name, title=body.title, currency=body.currency)
    return JSONResponse(asdict(made), status.HTTP_201_CREATED)


@router.get("/tenants/{tenant}")
def tenant_detail(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """One tenant."""
    return JSONResponse(asdict(cases.find_tenant(context, caller, tenant)))


@router.get("/tenants/{tenant}/projects")
def projects(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A tenant's projects."""
    return JSONResponse({"projects": [asdict(item) for item in cases.list_projects(context, caller, tenant)]})


@router.post("/tenants/{tenant}/projects", status_code=status.HTTP_201_CREATED)
def create_project(tenant: str, body: ProjectBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A new project; only the operator chooses its directory."""
    made = cases.create_project(context, caller, tenant, name=body.name, directory=body.directory)
    return JSONResponse(asdict(made), status.HTTP_201_CREATED)


@router.get("/tenants/{tenant}/users")
def users(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A tenant's users."""
    return JSONResponse({"users": [asdict(item) for item in cases.list_users(context, caller, tenant)]})


@router.post("/tenants/{tenant}/users", status_code=status.HTTP_201_CREATED)
def create_user(tenant: str, body: UserBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A new user of a tenant."""
    made = cases.create_user(context, caller, tenant, name=body.name, role=body.role)
    return JSONResponse(asdict(made), status.HTTP_201_CREATED)


@router.get("/users")
def operators(context: TheContext, caller: TheCaller) -> JSONResponse:
    """The operator's own people."""
    return JSONResponse({"users": [asdict(item) for item in cases.list_users(context, caller, None)]})


@router.post("/users", status_code=status.HTTP_201_CREATED)
def create_operator(body: UserBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A new operator or finance user."""
    made = cases.create_user(context, caller, None, name=body.name, role=body.role)
    return JSONResponse(asdict(made), status.HTTP_201_CREATED)


@router.get("/tenants/{tenant}/quotas")
def quotas(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """A tenant's quotas."""
    return JSONResponse({"quotas": [asdict(item) for item in cases.list_quotas(context, caller, tenant)]})


@router.put("/tenants/{tenant}/quotas/{accelerator_type}")
def put_quota(
    tenant: str, accelerator_type: str, body: QuotaBody, context: TheContext, caller: TheCaller
) -> JSONResponse:
    """Set a tenant's nominal share of a type."""
    made = cases.set_quota(
        context,
        caller,
        tenant,
        accelerator_type=accelerator_type,
        nominal=body.nominal,
        borrowing_limit=body.borrowing_limit,
        lending_limit=body.lending_limit,
        cohort=body.cohort,
    )
    return JSONResponse(asdict(made))
