"""The credit watch: how long each tenant's credit lasts, warnings before its end, and what was overspent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from petahour.billing.commitments import commit_id, cost_of, hours_of
from petahour.billing.runway import exhausted_ms, warning_level
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit_accounts import owed, prepaid
from petahour.control.notices.outbox import tell
from petahour.control.prices import PriceBooks
from petahour.control.pricing import cost_micros, price_at
from petahour.control.tenants import known_tenant
from petahour.model.allocations import Allocation
from petahour.model.credit import Runway
from petahour.model.events import Event, EventKind
from petahour.model.money import format_micros
from petahour.model.promises import Reservation, ReservationState
from petahour.model.tenants import Caller
from petahour.model.time import to_iso
from petahour.store.protocol import Transaction


def runway_for(context: Context, caller: Caller, tenant: str) -> Runway:
    """How long a tenant's credit lasts at the present burn."""
    authorize(caller, Action.READ_MONEY, tenant)
    now_ms = context.clock.now_ms()
    with context.store.read() as tx:
        currency = known_tenant(tx, tenant).currency
        running = [allocation for allocation in tx.allocations.active() if allocation.tenant == tenant]
        reserved = tx.promises.reservations(tenant=tenant, state=ReservationState.CONFIRMED)
        return runway(tx, context.prices, tenant, currency, running, now_ms, reserved=reserved)


def runway(
    tx: Transaction,
    prices: PriceBooks,
    tenant: str,
    currency: str,
    running: Iterable[Allocation],
    now_ms: int,
    *,
    reserved: Iterable[Reservation] = (),
) -> Runway:
    """The same inside a transaction, of these allocations and reservations of the tenant. Rehearsals cost nothing."""
    terms = tx.credit.terms(tenant)
    balance, debt = prepaid(tx, tenant, currency), owed(tx, tenant, currency)
    posted_micros = balance.posted_micros + (debt.posted_micros if terms.postpaid else 0)
    limit_micros = terms.limit_micros if terms.postpaid else 0
    accrued_micros = burn_micros = 0
    for allocation in running:
        if allocation.rehearsal or allocation.started_ms is None:
            continue
        since_ms = max(allocation.started_ms, allocation.metered_ms or 0)
        accrued_micros += cost_micros(prices, allocation, start_ms=since_ms, duration_ms=max(0, now_ms - since_ms))
        burn_micros += price_at(prices, allocation, now_ms)[1] * allocation.accelerators
    reserved_micros = aside_micros = 0
    for one in reserved:
        if one.rehearsal or not one.in_force(now_ms):
            continue
        reserved_micros += one.price_micros * one.accelerators
        set_aside, owed_yet = _uncharged(tx, one, now_ms)
        aside_micros += set_aside
        accrued_micros += owed_yet
    burn_micros += reserved_micros
    left_micros = posted_micros + limit_micros + aside_micros - accrued_micros
    return Runway(
        tenant=tenant,
        currency=currency,
        posted_micros=posted_micros,
        held_micros=balance.pending_debits_micros + debt.pending_debits_micros,
        limit_micros=limit_micros,
        accrued_micros=accrued_micros,
        burn_micros=burn_micros,
        at_ms=now_ms,
        exhausted_ms=exhausted_ms(left_micros=left_micros, burn_micros=burn_micros, at_ms=now_ms),
        reserved_micros=reserved_micros,
        aside_micros=aside_micros,
    )


def _uncharged(tx: Transaction, one: Reservation, now_ms: int) -> tuple[int, int]:
    """What is set aside for the time to come of the hours not charged yet, and what their time so far will take."""
    aside = due = 0
    for start_ms, end_ms in hours_of(one, one.billed_ms or one.from_ms, now_ms + 1):
        if tx.ledger.transfer(commit_id(one.id, start_ms)) is None:
            due += cost_of(one, start_ms, min(now_ms, end_ms))
        elif now_ms < end_ms:
            aside += cost_of(one, now_ms, end_ms)
    return aside, due


def watch_credit(context: Context) -> None:
    """Warn every tenant whose credit has come to last less than a threshold, once for each threshold.

    A tenant whose credit lasts longer again, after a top-up or when its work has ended, is warned anew next time.
    """
    now_ms, live = context.clock.now_ms(), context.live
    running: dict[str, list[Allocation]] = defaultdict(list)
    for allocation in live.allocations.values():
        running[allocation.tenant].append(allocation)
    reserved: dict[str, list[Reservation]] = defaultdict(list)
    for one in live.reservations.values():
        if one.in_force(now_ms):
            reserved[one.tenant].append(one)
    with context.store.read() as tx:
        warned = tx.credit.warned()
        seen = {
            tenant: runway(
                tx,
                context.prices,
                tenant,
                live.currencies[tenant],
                running[tenant],
                now_ms,
                reserved=reserved[tenant],
            )
            for tenant in running.keys() | reserved.keys() | warned.keys()
            if tenant in live.currencies
        }
    changed = {}
    for tenant, found in seen.items():
        level = warning_level(found.left_ms, context.settings.warn_hours)
        if level != warned.get(tenant):
            changed[tenant] = level
    if not changed:
        return
    with context.store.write() as tx:
        for tenant, level in changed.items():
            before = warned.get(tenant)
            tx.credit.put_warned(tenant, level, at_ms=now_ms)
            if level is not None and (before is None or level < before):
                _warn(tx, seen[tenant], level)


def measure_overspend(tx: Transaction, allocation: Allocation, *, at_ms: int, prices: PriceBooks) -> None:
    """Record what a job used after it was asked to stop for want of credit, and how far credit is overdrawn now."""
    after_ms = max(0, at_ms - max(allocation.stop_ms or at_ms, allocation.started_ms or at_ms))
    used_micros = cost_micros(prices, allocation, start_ms=at_ms - after_ms, duration_ms=after_ms)
    found = runway(tx, prices, allocation.tenant, allocation.currency, (), at_ms)
    overspent_micros = found.overspent_micros
    text = (
        f"after its credit was used up, {allocation.job} ran {after_ms / 1000:.1f} s more within its grace period, "
    )
    text += f"which cost {format_micros(used_micros, allocation.currency)} {allocation.currency}"
    facts: dict[str, object] = {
        "after_stop_ms": after_ms,
        "after_stop_micros": used_micros,
        "overspent_micros": overspent_micros,
        "currency": allocation.currency,
    }
    tx.events.append(
        Event(
            kind=EventKind.CREDIT_OVERSPENT, at_ms=at_ms, tenant=allocation.tenant, data=facts | {"of": allocation.id}
        )
    )
    tell(
        tx,
        allocation.tenant,
        cause=f"overspent-{allocation.id}",
        kind=EventKind.CREDIT_OVERSPENT.value,
        subject=f"Petahour: {allocation.job} was stopped, credit of {allocation.tenant} is used up",
        text=f"{text}. It waits in the queue and goes on when credit is added.",
        facts=facts,
        at_ms=at_ms,
    )


def _warn(tx: Transaction, found: Runway, level_h: int) -> None:
    ends = to_iso(found.exhausted_ms or found.at_ms)
    left = format_micros(max(0, found.left_micros), found.currency)
    burn = format_micros(found.burn_micros, found.currency)
    facts: dict[str, object] = {
        "hours": level_h,
        "exhausted_ms": found.exhausted_ms,
        "left_micros": found.left_micros,
        "burn_micros_per_hour": found.burn_micros,
        "currency": found.currency,
    }
    event = tx.events.append(Event(kind=EventKind.CREDIT_WARNING, at_ms=found.at_ms, tenant=found.tenant, data=facts))
    tell(
        tx,
        found.tenant,
        cause=f"warning-{event.seq}",
        kind=EventKind.CREDIT_WARNING.value,
        subject=f"Petahour: credit of {found.tenant} lasts less than {level_h} h",
        text=(
            f"At the present burn of {burn} {found.currency} an hour, the {left} {found.currency} left of "
            f"{found.tenant} are used up at {ends}. Then running jobs get their checkpoint signal and their grace "
            "period, and are stopped. They go on when credit is added."
        ),
        facts=facts,
        at_ms=found.at_ms,
    )
