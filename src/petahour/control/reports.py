"""Reports for the operator: revenue, occupancy, receivables, margin, runway."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from petahour.billing.conservation import Conservation, conserve
from petahour.billing.reports.kept import kept_time
from petahour.billing.reports.margin import Costs, Fleet, margin
from petahour.billing.reports.occupancy import occupancy
from petahour.billing.reports.receivables import receivables
from petahour.billing.reports.revenue import revenue, with_reserved
from petahour.billing.reports.runway import Burn, runway
from petahour.billing.reports.table import Report
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.statements import every_event
from petahour.model.errors import ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.invoices import InvoiceState
from petahour.model.jobs import Tier
from petahour.model.money import check_currency
from petahour.model.tenants import Caller
from petahour.model.time import DAY_MS, month_bounds
from petahour.model.usage import AccountKind, account_id
from petahour.store.protocol import InvoiceFilter, Transaction

MAX_WINDOW_DAYS = 366


def revenue_for(context: Context, caller: Caller, month: str) -> Report:
    """What a month earned."""
    authorize(caller, Action.READ_REPORTS)
    from_ms, to_ms = month_bounds(month)
    with context.store.read() as tx:
        earned = tx.reports.earned(from_ms=from_ms, to_ms=to_ms)
        return revenue(with_reserved(earned, tx.promises.reservations(), from_ms=from_ms, to_ms=to_ms), month)


def occupancy_for(context: Context, caller: Caller, month: str) -> Report:
    """Where the fleet's time went in a month, as far as it has come."""
    authorize(caller, Action.READ_REPORTS)
    with context.store.read() as tx:
        events = list(every_event(tx, context.settings.events_per_read))
        found = _conserved(context, tx, month, events)
        allocations = tx.allocations.every()
        borrowed = {one.id for one in allocations if one.borrowed}
        # Only what is told apart is read: a month has many records.
        reserved = any(event.kind is EventKind.RESERVATION_SET for event in events)
        apart = borrowed | {one.id for one in allocations if reserved and one.tier is Tier.SPOT}
        usage = [record for name in sorted(apart) for record in tx.ledger.usage_of(name)]
    kept = kept_time(events, usage, from_ms=found.from_ms, to_ms=found.to_ms)
    return occupancy(found, usage, borrowed, kept, title=f"Occupancy in {month}, accelerator-hours")


def receivables_for(context: Context, caller: Caller) -> Report:
    """Who owes how much, by age."""
    authorize(caller, Action.READ_REPORTS)
    with context.store.read() as tx:
        documents = tx.invoices.find(InvoiceFilter(states=(InvoiceState.ISSUED,)))
    return receivables(documents, now_ms=context.clock.now_ms())


def runway_for(context: Context, caller: Caller, *, days: int) -> Report:
    """Every tenant's burn over the last days, and how long its credit lasts at that."""
    authorize(caller, Action.READ_REPORTS)
    if not 1 <= days <= MAX_WINDOW_DAYS:
        raise ValidationError(
            field="days", value=days, rule=f"from 1 to {MAX_WINDOW_DAYS}", remedy="Choose one in that range."
        )
    now_ms = context.clock.now_ms()
    with context.store.read() as tx:
        charged = tx.reports.charged(from_ms=now_ms - days * DAY_MS, to_ms=now_ms)
        burns = []
        for tenant in tx.people.tenants():
            account = account_id(AccountKind.PREPAID, tenant.currency, tenant.name)
            balance = tx.ledger.balance(account, tenant.currency)
            burns.append(
                Burn(
                    tenant=tenant.name,
                    currency=tenant.currency,
                    credit_micros=balance.posted_micros,
                    held_micros=balance.pending_debits_micros,
                    charged_micros=charged.get(account, 0),
                )
            )
    return runway(burns, window_ms=days * DAY_MS, now_ms=now_ms)


def margin_for(
    context: Context, caller: Caller, month: str, *, currency: str, energy_price: str, dollar: str | None, years: str
) -> Report:
    """Revenue less power and depreciation, by type. ``dollar``: the price of one US dollar in the currency."""
    authorize(caller, Action.READ_REPORTS)
    rate = "1" if check_currency(currency) == "USD" else dollar
    costs = Costs(
        currency=currency,
        energy_per_kwh=_positive(energy_price, "energy_price"),
        dollar=None if rate is None else _positive(rate, "dollar"),
        years=_positive(years, "years"),
    )
    from_ms, to_ms = month_bounds(month)
    with context.store.read() as tx:
        events = list(every_event(tx, context.settings.events_per_read))
        found = _conserved(context, tx, month, events)
        earned = tx.reports.earned(from_ms=from_ms, to_ms=to_ms)
    return margin(earned, _fleet(context, found), costs, month)


def _fleet(context: Context, found: Conservation) -> dict[str, Fleet]:
    """The time of every type's real accelerators, with the catalogue's figures."""
    sums: dict[str, list[int]] = {}
    for cell in found.cells:
        if not cell.rehearsal:
            one, row = cell.sums, sums.setdefault(cell.type, [0, 0, 0])
            row[0] += one.billed_ams + one.waived_ams + one.open_ams
            row[1] += one.capacity_ams - one.down_ams
            row[2] += one.capacity_ams
    made = {}
    for name, (busy, up, capacity) in sums.items():
        known = context.catalog.types.get(name)
        made[name] = Fleet(
            busy_ams=busy,
            up_ams=up,
            capacity_ams=capacity,
            power_w=None if known is None else known.value("power_w"),
            purchase_usd=None if known is None else known.value("purchase_usd"),
        )
    return made


def _conserved(context: Context, tx: Transaction, month: str, events: Sequence[Event]) -> Conservation:
    """The conservation of a month that has begun, up to now, by all events of the log."""
    from_ms, to_ms = month_bounds(month)
    end_ms = min(to_ms, context.clock.now_ms())
    begin_ms = max(from_ms, min((event.at_ms for event in events), default=end_ms))
    if begin_ms > end_ms:
        raise ValidationError(
            field="month", value=month, rule="a month that has begun", remedy="Ask for this month or an earlier one."
        )
    usage = tx.ledger.usage(tenant=None, from_ms=0, to_ms=end_ms)
    return conserve(events=events, usage=usage, from_ms=begin_ms, to_ms=end_ms, allocations=tx.allocations.every())


def _positive(text: str, field: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 < number < 1_000_000:
        raise ValidationError(
            field=field, value=text, rule="a decimal number above zero", remedy='Write it like "0.65".'
        )
    return number
