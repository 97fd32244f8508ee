"""Dues and budgets: what is overdue and what is spent, who is told, and whose work is kept from running."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from petahour.billing.dunning import alert_due, dunning_step
from petahour.control.bars import Bars, bars_data
from petahour.control.cancel import ask_to_stop
from petahour.control.context import Context
from petahour.control.notices.outbox import tell
from petahour.control.pricing import cost_micros
from petahour.model.allocations import AllocationState
from petahour.model.credit import Budget, CreditTerms, DunningStep
from petahour.model.events import Event, EventKind
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState
from petahour.model.money import format_micros
from petahour.model.time import month_bounds, month_of, to_iso
from petahour.store.protocol import InvoiceFilter, Transaction

_WORDS = {
    DunningStep.REMIND: "please pay it",
    DunningStep.STOP_NEW: "no new job starts until it is paid",
    DunningStep.STOP_SPOT: "no new job starts and spot jobs are stopped until it is paid",
    DunningStep.STOP_ALL: "all jobs are stopped until it is paid",
}


def watch_dues(context: Context) -> None:
    """Take every tenant's dunning and every budget a look further. Who is barred from then on is told by the log.

    What must stop gets its signal and its grace period like any other stop, and waits in the queue.
    """
    now_ms = context.clock.now_ms()
    with context.store.read() as tx:
        overdue, spent = overdue_invoices(tx, now_ms), spent_micros(tx, context, now_ms)
        terms, told, budgets = tx.credit.every_terms(), tx.credit.steps(), tx.credit.budgets()
    steps = {
        tenant: dunning_step(now_ms - (document.due_ms or now_ms), terms.get(tenant, CreditTerms(tenant=tenant)))
        for tenant, document in overdue.items()
    }
    steps = {tenant: step for tenant, step in steps.items() if step is not DunningStep.NONE}
    _tell_steps(context, steps, {tenant: step for tenant, (step, _) in told.items()}, overdue, now_ms)
    _tell_budgets(context, budgets, spent, now_ms)
    full = {
        (one.tenant, one.project)
        for one in budgets
        if one.hard and spent[one.tenant, one.project] >= one.limit_micros
    }
    bars = Bars(steps=steps, spent=frozenset(full))
    if bars != context.live.follower.bars:
        with context.store.write() as tx:
            tx.events.append(Event(kind=EventKind.BARRED, at_ms=now_ms, data=bars_data(bars)))
    _stop_barred(context, bars, now_ms)


def overdue_invoices(tx: Transaction, now_ms: int) -> Mapping[str, InvoiceDocument]:
    """Of each tenant with an overdue invoice, the one that is due longest."""
    overdue: dict[str, InvoiceDocument] = {}
    for document in tx.invoices.find(InvoiceFilter(states=(InvoiceState.ISSUED,))):
        if document.kind is not DocumentKind.INVOICE or document.due_ms is None or document.due_micros <= 0:
            continue
        known = overdue.get(document.tenant)
        if document.due_ms < now_ms and (known is None or document.due_ms < (known.due_ms or 0)):
            overdue[document.tenant] = document
    return overdue


def spent_micros(tx: Transaction, context: Context, now_ms: int) -> Counter[tuple[str, str]]:
    """What each project with a budget was charged this month, with what its running work used since."""
    from_ms, to_ms = month_bounds(month_of(now_ms))
    spent: Counter[tuple[str, str]] = Counter()
    for one in tx.credit.budgets():
        spent[one.tenant, one.project] = tx.credit.charged_micros(
            tenant=one.tenant, project=one.project, from_ms=from_ms, to_ms=to_ms
        )
    for allocation in context.live.allocations.values():
        key = (allocation.tenant, allocation.project)
        if key not in spent or allocation.rehearsal or allocation.started_ms is None:
            continue
        since_ms = max(allocation.started_ms, allocation.metered_ms or 0, from_ms)
        spent[key] += cost_micros(
            context.prices, allocation, start_ms=since_ms, duration_ms=max(0, now_ms - since_ms)
        )
    return spent


def _tell_steps(
    context: Context,
    steps: Mapping[str, DunningStep],
    told: Mapping[str, DunningStep],
    overdue: Mapping[str, InvoiceDocument],
    now_ms: int,
) -> None:
    changed = {
        tenant: steps.get(tenant, DunningStep.NONE)
        for tenant in steps.keys() | told.keys()
        if steps.get(tenant) != told.get(tenant)
    }
    if not changed:
        return
    with context.store.write() as tx:
        for tenant, step in changed.items():
            tx.credit.put_step(tenant, step, at_ms=now_ms)
            document = overdue.get(tenant)
            number = document.number if document else ""
            data: dict[str, object] = {"step": step.value, "invoice": number}
            event = tx.events.append(Event(kind=EventKind.DUNNING_STEP, at_ms=now_ms, tenant=tenant, data=data))
            if document is None or step is DunningStep.NONE:
                continue
            due = f"{format_micros(document.due_micros, document.currency)} {document.currency}"
            tell(
                tx,
                tenant,
                cause=f"dunning-{event.seq}",
                kind=EventKind.DUNNING_STEP.value,
                subject=f"Petahour: invoice {number} is overdue",
                text=f"{due} of invoice {number} were due at {to_iso(document.due_ms or now_ms)}: {_WORDS[step]}.",
                facts=data | {"due_micros": document.due_micros, "currency": document.currency},
                at_ms=now_ms,
            )


def _tell_budgets(
    context: Context, budgets: Sequence[Budget], spent: Mapping[tuple[str, str], int], now_ms: int
) -> None:
    month = month_of(now_ms)
    due = []
    for one in budgets:
        before = one.told_percent if one.told_month == month else 0
        reached = alert_due(spent[one.tenant, one.project], one.limit_micros, one.alerts)
        if reached > before:
            due.append(replace(one, told_month=month, told_percent=reached))
    if not due:
        return
    with context.store.write() as tx:
        for one in due:
            _alert(tx, one, spent[one.tenant, one.project], now_ms)


def _alert(tx: Transaction, budget: Budget, spent: int, now_ms: int) -> None:
    tx.credit.put_budget(budget)
    tenant = tx.people.tenant(budget.tenant)
    currency = tenant.currency if tenant else ""
    facts: dict[str, object] = {
        "project": budget.project,
        "percent": budget.told_percent,
        "spent_micros": spent,
        "limit_micros": budget.limit_micros,
        "hard": budget.hard,
    }
    event = tx.events.append(Event(kind=EventKind.BUDGET_ALERT, at_ms=now_ms, tenant=budget.tenant, data=facts))
    used = f"{format_micros(spent, currency)} of {format_micros(budget.limit_micros, currency)} {currency}"
    stops = " Its jobs are stopped until the month is over or the budget is raised." if budget.hard else ""
    tell(
        tx,
        budget.tenant,
        cause=f"budget-{event.seq}",
        kind=EventKind.BUDGET_ALERT.value,
        subject=f"Petahour: project {budget.project} has spent {budget.told_percent} % of its budget",
        text=f"Project {budget.project} has spent {used} this month.{stops if budget.told_percent >= 100 else ''}",
        facts=facts | {"currency": currency},
        at_ms=now_ms,
    )


def _stop_barred(context: Context, bars: Bars, now_ms: int) -> None:
    doomed = {
        allocation.id: why
        for allocation in context.live.allocations.values()
        if allocation.state is AllocationState.RUNNING and (why := bars.stop(allocation)) is not None
    }
    if not doomed:
        return
    with context.store.write() as tx:
        for allocation in tx.allocations.many(doomed):
            job = tx.jobs.get(allocation.job)
            if job is not None and allocation.state is AllocationState.RUNNING:
                cause, text = doomed[allocation.id]
                ask_to_stop(tx, job, allocation, cause=cause, for_job="", at_ms=now_ms, text=text)
