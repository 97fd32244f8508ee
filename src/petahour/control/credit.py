"""Prepaid credit: top up once per key, and look at the balance."""

from __future__ import annotations

from petahour.billing.apportion import parse_minor
from petahour.billing.ledger import topup
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit_accounts import prepaid, spendable_micros
from petahour.control.tenants import known_tenant, paying_tenant
from petahour.model.credit import TopupRule
from petahour.model.errors import ConflictError, ForbiddenError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.money import Money
from petahour.model.tenants import Caller
from petahour.model.usage import Balance, Transfer
from petahour.store.protocol import Transaction

MAX_KEY_LENGTH = 100
MAX_SUM_MICROS = 2**63 - 1  # what a 64-bit column holds; an account's debits and credits only grow


def add_credit(
    context: Context, caller: Caller, tenant: str, *, amount: str, currency: str, key: str, note: str
) -> tuple[Transfer, Balance]:
    """Credit a tenant's prepaid account. The same key with the same amount is one credit, however often sent.

    Raises ConflictError for the same key with another amount, and ForbiddenError above what the caller's role may
    add alone (see ``topups``).
    """
    money = checked_topup(caller, amount=amount, currency=currency, key=key)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        paying_tenant(tx, tenant, currency)
        transfer = repeated_topup(tx, tenant, money, key)
        if transfer is None:
            _require_alone(rule_for(tx, caller, currency), money, caller)
            transfer = topup(tenant=tenant, money=money, key=key, at_ms=now_ms, note=note)
            post_topup(tx, transfer)
        balance = prepaid(tx, tenant, currency)
    context.wake()
    return transfer, balance


def checked_topup(caller: Caller, *, amount: str, currency: str, key: str) -> Money:
    """The amount of a top-up that is in order as far as it can be seen from outside. Raises ValidationError."""
    authorize(caller, Action.ADD_CREDIT)
    money = Money.parse(amount, currency)
    if money.micros <= 0:
        raise ValidationError(
            field="amount", value=amount, rule="more than zero", remedy="To take credit back, post a reversal."
        )
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise ValidationError(
            field="key", value=key, rule=f"1 to {MAX_KEY_LENGTH} characters", remedy="Use the payment's reference."
        )
    return parse_minor(amount, currency)


def repeated_topup(tx: Transaction, tenant: str, money: Money, key: str) -> Transfer | None:
    """The top-up of this key, if it was made before. Raises ConflictError when it was of another amount."""
    known = tx.ledger.transfer(topup(tenant=tenant, money=money, key=key, at_ms=0).id)
    if known is not None and known.amount_micros != money.micros:
        raise ConflictError(
            field="key",
            value=key,
            rule="a key stands for one top-up; this one was used with another amount",
            remedy="Use a new key for a new payment.",
        )
    return known


def post_topup(tx: Transaction, transfer: Transfer) -> None:
    """Post a new top-up with its event."""
    require_room(tx, transfer)
    tx.ledger.post(transfer)
    tenant = transfer.credit.split(":")[1]
    data: dict[str, object] = {
        "amount_micros": transfer.amount_micros,
        "currency": transfer.currency,
        "transfer": transfer.id,
        "available_micros": spendable_micros(tx, tenant, transfer.currency),
    }
    tx.events.append(Event(kind=EventKind.CREDIT_ADDED, at_ms=transfer.at_ms, tenant=tenant, data=data))


def rule_for(tx: Transaction, caller: Caller, currency: str) -> TopupRule | None:
    """What the caller's role may add in a currency; None: any amount, alone."""
    return next((rule for rule in tx.credit.rules() if (rule.currency, rule.role) == (currency, caller.role)), None)


def _require_alone(rule: TopupRule | None, money: Money, caller: Caller) -> None:
    if rule is None or money.micros <= rule.alone_micros:
        return
    raise ForbiddenError(
        field="amount",
        value=str(money),
        rule=f"{caller.role} adds at most {Money(rule.alone_micros, rule.currency)} alone",
        remedy="Request the top-up, and let a second person approve it.",
    )


def require_room(tx: Transaction, transfer: Transfer) -> None:
    """Raises ValidationError where an account's sum would be more than its column holds."""
    paid = tx.ledger.balance(transfer.debit, transfer.currency).debits_micros
    credited = tx.ledger.balance(transfer.credit, transfer.currency).credits_micros
    if max(paid, credited) + transfer.amount_micros > MAX_SUM_MICROS:
        raise ValidationError(
            field="amount",
            value=transfer.amount_micros,
            rule=f"all credit in one currency comes to at most {MAX_SUM_MICROS} micro-units",
            remedy="Check the amount.",
        )


def balance_of(context: Context, caller: Caller, tenant: str) -> Balance:
    """A tenant's prepaid account."""
    authorize(caller, Action.READ_MONEY, tenant)
    with context.store.read() as tx:
        return prepaid(tx, tenant, known_tenant(tx, tenant).currency)
