"""The monthly close: every tenant's month becomes an invoice, once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from petahour.billing.close import Gathered, draft, gather, numbered
from petahour.billing.reserved_lines import with_hours
from petahour.billing.settle import settle
from petahour.control.authorize import Action, authorize
from petahour.control.billing_terms import require_seller, terms_of
from petahour.control.context import Context
from petahour.control.credit_accounts import prepaid, spendable_micros
from petahour.control.tenants import known_tenant
from petahour.model.allocations import Allocation
from petahour.model.errors import ConflictError, InvariantError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.invoices import InvoiceDocument, InvoiceState, MonthClose, Seller
from petahour.model.jobs import Tier
from petahour.model.promises import ReservationState
from petahour.model.tenants import Caller, Tenant
from petahour.model.time import DAY_MS, month_bounds, to_datetime, to_iso
from petahour.store.protocol import Transaction


class Outcome(StrEnum):
    """What the close made of a tenant's month; ``waiting`` has to be asked for again."""

    ISSUED = "issued"
    DRAFT = "draft"
    NOTHING = "nothing"
    ALREADY = "already"
    WAITING = "waiting"


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantClose:
    """One tenant's result. ``document`` None: there is no invoice. ``reason`` says why a month has to wait."""

    tenant: str
    outcome: Outcome
    document: InvoiceDocument | None = None
    reason: str = ""


def close_month(
    context: Context, caller: Caller, month: str, *, tenant: str | None = None, as_draft: bool = False
) -> tuple[TenantClose, ...]:
    """Close a month that is over, for one tenant or all, each in a transaction of its own.

    A month that is closed stays as it was; use that becomes known later goes to the next invoice. ``as_draft``
    only stores what the invoice would be, without a number. A tenant whose running jobs are not metered up to the
    month's end has to wait for the control loop. Raises ValidationError on a month that is not over and
    ConflictError when an earlier month with use was never closed, or nobody is named as the seller.
    """
    authorize(caller, Action.MANAGE_INVOICES)
    from_ms, to_ms = month_bounds(month)
    now_ms = context.clock.now_ms()
    if now_ms < to_ms + context.settings.settle_ms:
        raise ValidationError(
            field="month",
            value=month,
            rule="a month that is over, and its last hour settled",
            remedy=f"Close it after {to_iso(to_ms + context.settings.settle_ms)}.",
        )
    with context.store.read() as tx:
        seller = require_seller(tx)
        tenants = tx.people.tenants() if tenant is None else (known_tenant(tx, tenant),)
        unmetered = _unmetered(tx.allocations.active(), to_ms)
        for one in tx.promises.reservations(state=ReservationState.CONFIRMED):
            if one.from_ms < to_ms and (one.billed_ms or one.from_ms) < min(one.to_ms, to_ms):
                charged = to_iso(one.billed_ms or one.from_ms)
                unmetered[one.tenant] = f"reservation {one.id} is charged up to {charged} only"
        unmetered |= _unshared(tx, from_ms, to_ms)
    results = []
    for owner in tenants:
        late = unmetered.get(owner.name)
        if late is not None and not as_draft:
            results.append(TenantClose(tenant=owner.name, outcome=Outcome.WAITING, reason=late))
            continue
        with context.store.write() as tx:
            results.append(_close_one(tx, owner, month, seller, now_ms, as_draft=as_draft))
    context.wake()
    return tuple(results)


def _unmetered(allocations: Iterable[Allocation], to_ms: int) -> dict[str, str]:
    """Tenants with a gang that ran before the month's end and is not metered up to it, with the reason to wait."""
    found: dict[str, str] = {}
    for one in allocations:
        if one.started_ms is not None and one.started_ms < to_ms and (one.metered_ms or one.placed_ms) < to_ms:
            found[one.tenant] = f"{one.job} runs and is metered up to {to_iso(one.metered_ms or one.placed_ms)} only"
    return found


def _unshared(tx: Transaction, from_ms: int, to_ms: int) -> dict[str, str]:
    """Owners of lent seats on which spot of others ran in the month and is not metered up to its end."""
    lendings = tx.promises.lendings(from_ms=from_ms, to_ms=to_ms)
    if not lendings:
        return {}
    found: dict[str, str] = {}
    for one in tx.allocations.active():
        if one.tier is Tier.SPOT and _unmetered([one], to_ms):
            places = {(slot.node, index) for slot in one.slots for index in slot.indexes}
            for lending in lendings:
                if places & {(slot.node, index) for slot in lending.seats for index in slot.indexes}:
                    found[lending.tenant] = f"what {lending.reservation} lends is metered up to an earlier hour only"
    return found


def _close_one(
    tx: Transaction, owner: Tenant, month: str, seller: Seller, now_ms: int, *, as_draft: bool
) -> TenantClose:
    # 1. What is closed stays closed.
    done = tx.invoices.closed(owner.name, month)
    if done is not None:
        return TenantClose(tenant=owner.name, outcome=Outcome.ALREADY, document=tx.invoices.get(done.invoice))
    # 2. All that moved between the tenant and revenue before the month's end, and is on no invoice yet.
    from_ms, to_ms = month_bounds(month)
    own = tx.invoices.accounts_of(owner.name, owner.currency)
    gathered = gather(tx.invoices.unbilled(own, from_ms=from_ms, until_ms=to_ms), month)
    _refuse_open_months(tx, owner.name, gathered)
    known = tx.invoices.live(owner.name, month)
    if not gathered.transfers and known is None:
        if not as_draft:
            tx.invoices.close(MonthClose(tenant=owner.name, month=month, closed_ms=now_ms))
        return TenantClose(tenant=owner.name, outcome=Outcome.NOTHING)
    # 3. The invoice, as a draft.
    document = draft(
        gathered,
        document_id=known.id if known is not None else _new_id(tx, owner.name, month),
        tenant=owner,
        seller=seller,
        terms=terms_of(tx, owner),
        waived_ams=tx.invoices.waived_ams(owner.name, from_ms=from_ms, to_ms=to_ms),
        created_ms=now_ms,
    )
    reserved = tx.promises.reservations(tenant=owner.name)
    document = replace(
        document,
        lines=with_hours(document.lines, reserved),
        rehearsal_lines=with_hours(document.rehearsal_lines, reserved),
    )
    if as_draft:
        tx.invoices.put(document)
        return TenantClose(tenant=owner.name, outcome=Outcome.DRAFT, document=document)
    # 4. Its number, its transfers, and what it bills, all in this transaction.
    issued = _issue(tx, document, seller, now_ms)
    if tx.invoices.bill(own, until_ms=to_ms, invoice=issued.id) != gathered.transfers:
        raise InvariantError(rule="an invoice bills just what it gathered", value=issued.id)
    tx.invoices.close(MonthClose(tenant=owner.name, month=month, closed_ms=now_ms, invoice=issued.id))
    return TenantClose(tenant=owner.name, outcome=Outcome.ISSUED, document=issued)


def _issue(tx: Transaction, document: InvoiceDocument, seller: Seller, now_ms: int) -> InvoiceDocument:
    series = f"{seller.prefix}{to_datetime(now_ms):%Y}"
    serial = tx.invoices.last_serial(series) + 1
    available_micros = prepaid(tx, document.tenant, document.currency).available_micros
    issued, transfers = settle(
        numbered(document, series=series, serial=serial), available_micros=available_micros, at_ms=now_ms
    )
    for transfer in transfers:
        tx.ledger.post(transfer)
    issued = replace(issued, state=InvoiceState.ISSUED, issued_ms=now_ms, due_ms=now_ms + issued.terms_days * DAY_MS)
    if issued.due_micros <= 0:
        issued = replace(issued, state=InvoiceState.PAID, settled_ms=now_ms)
    tx.invoices.put(issued, series=series, serial=serial)
    data: dict[str, object] = {
        "number": issued.number,
        "month": issued.month,
        "total_micros": issued.total_micros,
        "due_micros": issued.due_micros,
        "currency": issued.currency,
        "available_micros": spendable_micros(tx, issued.tenant, issued.currency),
    }
    tx.events.append(Event(kind=EventKind.INVOICE_ISSUED, at_ms=now_ms, tenant=issued.tenant, data=data))
    return issued


def _new_id(tx: Transaction, tenant: str, month: str) -> str:
    """``inv-acme-2026-03``; after a void one ``inv-acme-2026-03-2``."""
    before = tx.invoices.count(tenant, month)
    return f"inv-{tenant}-{month}" + (f"-{before + 1}" if before else "")


def _refuse_open_months(tx: Transaction, tenant: str, gathered: Gathered) -> None:
    """Use of an earlier month is an adjustment only if that month was closed."""
    for month in sorted(gathered.late):
        if tx.invoices.closed(tenant, month) is None:
            raise ConflictError(
                field="month",
                value=gathered.month,
                rule=f"{tenant} used something in {month}, which is not closed",
                remedy=f'Close it first: "petahour close {month}".',
            )
