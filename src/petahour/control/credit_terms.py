"""Terms of payment: credit limits and dunning days of tenants, budgets of projects, and debts written off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from petahour.billing.postings import posting_id
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit_accounts import spendable_micros
from petahour.control.dues import spent_micros
from petahour.control.tenants import known_tenant
from petahour.model.credit import Budget, CreditTerms, DunningStep
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.invoices import WRITTEN_OFF, DocumentKind, InvoiceDocument, InvoiceState
from petahour.model.money import Money
from petahour.model.tenants import Caller
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id
from petahour.store.protocol import Transaction

MAX_DAYS = 3_660
MAX_PERCENT = 1_000
MAX_ALERTS = 10


def set_credit_terms(
    context: Context, caller: Caller, tenant: str, *, postpaid: bool, limit: str, days: tuple[int, int, int, int]
) -> CreditTerms:
    """How a tenant pays from now on. What runs keeps the account it was placed on; what is placed next follows.

    ``days`` after an invoice is due: to remind, to start no new job, to stop spot jobs, to stop all.
    """
    authorize(caller, Action.SET_TERMS)
    if list(days) != sorted(days) or not all(0 <= day <= MAX_DAYS for day in days):
        raise ValidationError(
            field="days",
            value=list(days),
            rule=f"from 0 to {MAX_DAYS}, each step no earlier than the one before",
            remedy="Remind first, then stop new jobs, then spot, then all.",
        )
    with context.store.write() as tx:
        currency = known_tenant(tx, tenant).currency
        money = Money.parse(limit, currency, field="limit")
        if money.micros < 0:
            raise ValidationError(field="limit", value=limit, rule="zero or more", remedy="Give what may be owed.")
        terms = CreditTerms(
            tenant=tenant,
            postpaid=postpaid,
            limit_micros=money.micros,
            remind_days=days[0],
            stop_new_days=days[1],
            stop_spot_days=days[2],
            stop_all_days=days[3],
        )
        tx.credit.put_terms(terms)
        _note(tx, context, caller, tenant, {"postpaid": postpaid, "limit_micros": money.micros})
    context.wake()
    return terms


def credit_terms_of(context: Context, caller: Caller, tenant: str) -> CreditTerms:
    """How a tenant pays."""
    authorize(caller, Action.READ_MONEY, tenant)
    with context.store.read() as tx:
        known_tenant(tx, tenant)
        return tx.credit.terms(tenant)


def set_budget(
    context: Context,
    caller: Caller,
    tenant: str,
    project: str,
    *,
    limit: str,
    hard: bool,
    alerts: tuple[int, ...],
) -> Budget:
    """What a project may spend in a calendar month, with alerts in per cent of it."""
    authorize(caller, Action.SET_BUDGET, tenant)
    if len(alerts) > MAX_ALERTS or not all(1 <= percent <= MAX_PERCENT for percent in alerts):
        raise ValidationError(
            field="alerts",
            value=list(alerts),
            rule=f"at most {MAX_ALERTS} of 1 to {MAX_PERCENT} per cent",
            remedy="Give them like 50, 80, 100.",
        )
    with context.store.write() as tx:
        currency = known_tenant(tx, tenant).currency
        money = Money.parse(limit, currency, field="limit")
        if money.micros <= 0:
            raise ValidationError(
                field="limit", value=limit, rule="more than zero", remedy="Remove the budget for no limit."
            )
        _project(tx, tenant, project)
        budget = Budget(
            tenant=tenant,
            project=project,
            limit_micros=money.micros,
            hard=hard,
            alerts=tuple(sorted(set(alerts))),
        )
        tx.credit.put_budget(budget)
        _note(tx, context, caller, tenant, {"project": project, "budget_micros": money.micros, "hard": hard})
    context.wake()
    return budget


def remove_budget(context: Context, caller: Caller, tenant: str, project: str) -> None:
    """The project may spend without a limit of its own."""
    authorize(caller, Action.SET_BUDGET, tenant)
    with context.store.write() as tx:
        known_tenant(tx, tenant)
        _project(tx, tenant, project)
        tx.credit.remove_budget(tenant, project)
        _note(tx, context, caller, tenant, {"project": project, "budget_micros": None})
    context.wake()


def budgets_of(context: Context, caller: Caller, tenant: str) -> Sequence[tuple[Budget, int]]:
    """A tenant's budgets, each with what is spent of it this month."""
    authorize(caller, Action.READ_MONEY, tenant)
    with context.store.read() as tx:
        known_tenant(tx, tenant)
        spent = spent_micros(tx, context, context.clock.now_ms())
        return [(budget, spent[budget.tenant, budget.project]) for budget in tx.credit.budgets(tenant)]


def dunning_of(context: Context, caller: Caller) -> Mapping[str, tuple[DunningStep, int]]:
    """Every tenant that is being dunned: the step it has come to, and since when."""
    authorize(caller, Action.SET_TERMS)
    with context.store.read() as tx:
        return tx.credit.steps()


def write_off(context: Context, caller: Caller, number: str, *, reason: str) -> InvoiceDocument:
    """Give up what is still due of an invoice: from the receivable to bad debt. Dunning for it ends.

    Writing off twice is one write-off. Raises ConflictError on a document of which nothing is due.
    """
    authorize(caller, Action.WRITE_OFF)
    words = " ".join(reason.split())
    if not 1 <= len(words) <= 200:
        raise ValidationError(
            field="reason", value=words, rule="1 to 200 characters", remedy="Say why: an auditor will ask."
        )
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        found = tx.invoices.numbered(number)
        if found is None or found.kind is not DocumentKind.INVOICE:
            raise NotFoundError(
                field="number", value=number, rule="no such invoice", remedy='"petahour invoices list" shows them.'
            )
        transfer = Transfer(
            id=posting_id(TransferKind.WRITE_OFF, found.tenant, number),
            kind=TransferKind.WRITE_OFF,
            debit=account_id(AccountKind.BAD_DEBT, found.currency),
            credit=account_id(AccountKind.RECEIVABLE, found.currency, found.tenant),
            amount_micros=found.due_micros,
            currency=found.currency,
            at_ms=now_ms,
            cause=number,
            note=words,
        )
        known = tx.ledger.transfer(transfer.id)
        if known is not None and tx.ledger.consequence(known) is not None:
            raise ConflictError(
                field="number",
                value=number,
                rule="an invoice is written off once; this write-off was taken back",
                remedy="Take what is due of it back by a credit note.",
            )
        if known is not None:
            return found
        if found.state is not InvoiceState.ISSUED or found.due_micros <= 0:
            raise ConflictError(
                field="number",
                value=number,
                rule="an issued invoice of which something is due",
                remedy="There is nothing to write off.",
            )
        tx.ledger.post(transfer)
        found = replace(
            found,
            credited_micros=found.credited_micros + transfer.amount_micros,
            state=InvoiceState.PAID,
            settled_ms=now_ms,
            reason=f"{WRITTEN_OFF}{words}",
        )
        tx.invoices.put(found)
        data: dict[str, object] = {"number": number, "amount_micros": transfer.amount_micros, "reason": words}
        data["available_micros"] = spendable_micros(tx, found.tenant, found.currency)
        tx.events.append(Event(kind=EventKind.WRITTEN_OFF, at_ms=now_ms, tenant=found.tenant, data=data))
    context.wake()
    return found


def _project(tx: Transaction, tenant: str, project: str) -> None:
    if tx.people.project(tenant, project) is None:
        raise NotFoundError(
            field="project", value=project, rule=f"no such project of {tenant}", remedy="Check the name."
        )


def _note(tx: Transaction, context: Context, caller: Caller, tenant: str, data: dict[str, object]) -> None:
    at_ms = context.clock.now_ms()
    owner = known_tenant(tx, tenant)
    data["available_micros"] = spendable_micros(tx, tenant, owner.currency)
    tx.events.append(Event(kind=EventKind.TERMS_SET, at_ms=at_ms, tenant=tenant, data=data | {"by": caller.user}))
