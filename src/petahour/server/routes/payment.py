"""Payment: how tenants pay, what projects may spend, who is being dunned, and debts given up."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response, status
from fastapi.responses import JSONResponse

from petahour.control import credit_terms as cases
from petahour.model.credit import Budget
from petahour.server.caller import TheCaller, TheContext
from petahour.server.schemas import BudgetBody, CreditTermsBody, WriteOffBody

router = APIRouter(prefix="/v1", tags=["payment"])


@router.get("/tenants/{tenant}/credit-terms")
def terms(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """How the tenant pays."""
    return JSONResponse(asdict(cases.credit_terms_of(context, caller, tenant)))


@router.put("/tenants/{tenant}/credit-terms")
def put_terms(tenant: str, body: CreditTermsBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Set how the tenant pays, and when an overdue invoice has which consequence."""
    days = (body.remind_days, body.stop_new_days, body.stop_spot_days, body.stop_all_days)
    made = cases.set_credit_terms(context, caller, tenant, postpaid=body.postpaid, limit=body.limit, days=days)
    return JSONResponse(asdict(made))


@router.get("/tenants/{tenant}/budgets")
def budgets(tenant: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """The budgets of the tenant's projects, with what is spent of them this month."""
    found = cases.budgets_of(context, caller, tenant)
    return JSONResponse({"budgets": [_budget(budget) | {"spent_micros": spent} for budget, spent in found]})


@router.put("/tenants/{tenant}/projects/{project}/budget")
def put_budget(tenant: str, project: str, body: BudgetBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Set what a project may spend in a calendar month."""
    made = cases.set_budget(
        context, caller, tenant, project, limit=body.limit, hard=body.hard, alerts=tuple(body.alerts)
    )
    return JSONResponse(_budget(made))


@router.delete("/tenants/{tenant}/projects/{project}/budget", status_code=status.HTTP_204_NO_CONTENT)
def remove_budget(tenant: str, project: str, context: TheContext, caller: TheCaller) -> Response:
    """Let the project spend without a limit of its own."""
    cases.remove_budget(context, caller, tenant, project)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/dunning")
def dunning(context: TheContext, caller: TheCaller) -> JSONResponse:
    """Tenants with overdue invoices, and how far their collection has come."""
    found = cases.dunning_of(context, caller)
    steps = [{"tenant": tenant, "step": step.value, "since_ms": at_ms} for tenant, (step, at_ms) in found.items()]
    return JSONResponse({"dunning": steps})


@router.post("/invoices/{number}/write-off")
def write_off(number: str, body: WriteOffBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Give up what is still due of an invoice."""
    done = cases.write_off(context, caller, number, reason=body.reason)
    return JSONResponse(
        {"number": done.number, "tenant": done.tenant, "state": done.state.value, "reason": done.reason}
    )


def _budget(budget: Budget) -> dict[str, object]:
    return asdict(budget) | {"alerts": list(budget.alerts)}
