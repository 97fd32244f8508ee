"""Statements: the invoice of a month, the conservation of capacity, and the audit."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.billing.conservation import Conservation, conserve
from petahour.billing.invoice import CREDIT_OF_TENANT, Invoice, make_invoice
from petahour.control.audit import Check, audit
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.tenants import known_tenant
from petahour.model.errors import ValidationError
from petahour.model.events import Event
from petahour.model.invoices import DocumentKind, InvoiceState
from petahour.model.tenants import Caller
from petahour.model.time import month_bounds
from petahour.model.usage import AccountKind, account_id
from petahour.store.protocol import InvoiceFilter, Transaction


def invoice_for(context: Context, caller: Caller, tenant: str, month: str) -> Invoice:
    """The month's invoice from the ledger; of a month not over yet, as it stands now."""
    authorize(caller, Action.READ_INVOICE, tenant)
    from_ms, to_ms = month_bounds(month)
    now_ms = context.clock.now_ms()
    if from_ms > now_ms:
        raise ValidationError(
            field="month", value=month, rule="a month that has begun", remedy="Ask for this month or an earlier one."
        )
    with context.store.read() as tx:
        owner = known_tenant(tx, tenant)
        accounts = [
            account_id(kind, owner.currency, tenant) for kind in (*CREDIT_OF_TENANT, AccountKind.REHEARSAL_USE)
        ]
        standing = (InvoiceState.ISSUED, InvoiceState.PAID)
        issued = tx.invoices.find(InvoiceFilter(tenant=tenant, month=month, states=standing))
        return make_invoice(
            tenant=owner,
            month=month,
            charges=tx.ledger.charges(tenant=tenant, from_ms=from_ms, to_ms=to_ms),
            usage=tx.ledger.usage(tenant=tenant, from_ms=from_ms, to_ms=to_ms),
            transfers=tx.ledger.transfers(accounts=accounts, until_ms=to_ms),
            generated_ms=now_ms,
            issued=next((one.number for one in issued if one.kind is DocumentKind.INVOICE), ""),
        )


def conservation_for(context: Context, caller: Caller, *, from_ms: int | None, to_ms: int | None) -> Conservation:
    """Where every accelerator-millisecond of a window went; from the first node to now unless said otherwise."""
    authorize(caller, Action.AUDIT)
    now_ms = context.clock.now_ms()
    end_ms = now_ms if to_ms is None else min(to_ms, now_ms)
    with context.store.read() as tx:
        events = list(every_event(tx, context.settings.events_per_read))
        first_ms = min((event.at_ms for event in events), default=end_ms)
        begin_ms = first_ms if from_ms is None else max(from_ms, first_ms)
        if begin_ms > end_ms:
            raise ValidationError(
                field="from_ms", value=from_ms, rule="before the window's end", remedy="Swap from_ms and to_ms."
            )
        usage = tx.ledger.usage(tenant=None, from_ms=0, to_ms=end_ms)
        allocations = tx.allocations.every()
    return conserve(events=events, usage=usage, from_ms=begin_ms, to_ms=end_ms, allocations=allocations)


def audit_for(context: Context, caller: Caller) -> tuple[Check, ...]:
    """Recompute everything from the raw events and transfers."""
    authorize(caller, Action.AUDIT)
    with context.store.read() as tx:
        return audit(tx)


def every_event(tx: Transaction, size: int) -> Iterator[Event]:
    """The whole log in commit order, read in pieces."""
    seq = 0
    while batch := tx.events.after(seq, limit=size):
        yield from batch
        seq = batch[-1].seq
