"""The statement of a tenant's accounts for a month."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.billing.account_statement import AccountStatement, account_statement
from petahour.control.authorize import Action, authorize
from petahour.control.billing_terms import terms_of
from petahour.control.context import Context
from petahour.control.tenants import known_tenant
from petahour.model.errors import ValidationError
from petahour.model.invoices import InvoiceDocument, InvoiceState, Party
from petahour.model.tenants import Caller, Tenant
from petahour.model.time import month_bounds
from petahour.model.usage import AccountKind, account_id
from petahour.store.protocol import InvoiceFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthStatement:
    """Prepaid credit and receivable of one tenant, with whom it is between, and its invoices not paid by now."""

    tenant: Tenant
    seller: Party
    buyer: Party
    language: str
    now_ms: int
    accounts: tuple[AccountStatement, ...]
    unpaid: tuple[InvoiceDocument, ...]


def statement_for(context: Context, caller: Caller, tenant: str, month: str) -> MonthStatement:
    """All that moved in a month that has begun, and the balances before and after."""
    authorize(caller, Action.READ_INVOICE, tenant)
    from_ms, to_ms = month_bounds(month)
    now_ms = context.clock.now_ms()
    if from_ms > now_ms:
        raise ValidationError(
            field="month", value=month, rule="a month that has begun", remedy="Ask for this month or an earlier one."
        )
    with context.store.read() as tx:
        owner = known_tenant(tx, tenant)
        names = [account_id(kind, owner.currency, tenant) for kind in (AccountKind.PREPAID, AccountKind.RECEIVABLE)]
        transfers = tx.ledger.transfers(accounts=names, until_ms=to_ms)
        terms = terms_of(tx, owner)
        seller = tx.invoices.seller()
        issued = tx.invoices.find(InvoiceFilter(tenant=tenant, states=(InvoiceState.ISSUED,)))
    return MonthStatement(
        tenant=owner,
        seller=Party(name="") if seller is None else seller.party,
        buyer=terms.party,
        language=terms.language,
        now_ms=now_ms,
        accounts=tuple(account_statement(name, transfers, from_ms=from_ms, to_ms=to_ms) for name in names),
        unpaid=tuple(one for one in issued if one.due_micros > 0),
    )
