"""Bars: what keeps a tenant's, a project's or a job's work from starting or running on, whatever is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from petahour.model.allocations import Allocation, StopCause
from petahour.model.credit import DunningStep
from petahour.model.jobs import Tier
from petahour.scheduler.plan import Hold, HoldCode

NO_NEW = (DunningStep.STOP_NEW, DunningStep.STOP_SPOT, DunningStep.STOP_ALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """Who is barred: tenants by how far their dunning has come, projects whose hard budget is spent."""

    steps: Mapping[str, DunningStep] = field(default_factory=dict)
    spent: frozenset[tuple[str, str]] = frozenset()

    def hold(self, job: str, *, tenant: str, project: str) -> Hold | None:
        """Why the job may not start; None: nothing here is in its way."""
        if self.steps.get(tenant) in NO_NEW:
            text = "an invoice of your tenant is overdue; it starts when that is paid"
            return Hold(job=job, code=HoldCode.DUES, text=text)
        if (tenant, project) in self.spent:
            text = f"the budget of project {project} for this month is spent; raise it, or wait for the next month"
            return Hold(job=job, code=HoldCode.BUDGET, text=text)
        return None

    def stop(self, allocation: Allocation) -> tuple[StopCause, str] | None:
        """Why what runs must stop, and the words for it; None: it may run on. Rehearsals cost nothing."""
        if allocation.rehearsal:
            return None
        step = self.steps.get(allocation.tenant)
        if step is DunningStep.STOP_ALL or (step is DunningStep.STOP_SPOT and allocation.tier is Tier.SPOT):
            return StopCause.DUES, "an invoice is overdue"
        if (allocation.tenant, allocation.project) in self.spent:
            return StopCause.BUDGET, f"the budget of project {allocation.project} is spent"
        return None


def bars_data(bars: Bars) -> dict[str, object]:
    """As JSON values, for the log."""
    steps = {tenant: step.value for tenant, step in sorted(bars.steps.items())}
    return {"steps": steps, "spent": sorted([tenant, project] for tenant, project in bars.spent)}


def bars_from(data: Mapping[str, Any]) -> Bars:
    """From the log again. Raises KeyError, TypeError or ValueError on another shape."""
    return Bars(
        steps={tenant: DunningStep(step) for tenant, step in data["steps"].items()},
        spent=frozenset((tenant, project) for tenant, project in data["spent"]),
    )
