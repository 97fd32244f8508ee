"""Prepaid credit: top up once per key, and look at the balance."""

from __future__ import annotations

from petahour.billing.ledger import topup
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.tenants import known_tenant
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.money import Money
from petahour.model.tenants import Caller
from petahour.model.usage import AccountKind, Balance, Transfer, account_id
from petahour.store.protocol import Transaction

MAX_KEY_LENGTH = 100
MAX_SUM_MICROS = 2**63 - 1  # what a 64-bit column holds; an account's debits and credits only grow


def add_credit(
    context: Context, caller: Caller, tenant: str, *, amount: str, currency: str, key: str, note: str
) -> tuple[Transfer, Balance]:
    """Credit a tenant's prepaid account. The same key with the same amount is one credit, however often sent.

    Raises ConflictError for the same key with another amount.
    """
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
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        owner = known_tenant(tx, tenant)
        if owner.currency != currency:
            raise ValidationError(
                field="currency",
                value=currency,
                rule=f"the tenant's currency {owner.currency}",
                remedy="Convert the payment first.",
            )
        transfer = topup(tenant=tenant, money=money, key=key, at_ms=now_ms, note=note)
        known = tx.ledger.transfer(transfer.id)
        if known is not None:
            if known.amount_micros != money.micros:
                raise ConflictError(
                    field="key",
                    value=key,
                    rule="a key stands for one top-up; this one was used with another amount",
                    remedy="Use a new key for a new payment.",
                )
            transfer = known
        else:
            _require_room(tx, transfer)
            tx.ledger.post(transfer)
            data: dict[str, object] = {
                "amount_micros": money.micros,
                "currency": currency,
                "transfer": transfer.id,
                "available_micros": prepaid(tx, tenant, currency).available_micros,
            }
            tx.events.append(Event(kind=EventKind.CREDIT_ADDED, at_ms=now_ms, tenant=tenant, data=data))
        balance = prepaid(tx, tenant, currency)
    context.wake()
    return transfer, balance


def _require_room(tx: Transaction, transfer: Transfer) -> None:
    paid = tx.ledger.balance(transfer.debit, transfer.currency).debits_micros
    credited = tx.ledger.balance(transfer.credit, transfer.currency).credits_micros
    if max(paid, credited) + transfer.amount_micros > MAX_SUM_MICROS:
        raise ValidationError(
            field="amount",
            value=transfer.amount_micros,
            rule=f"all top-ups in one currency come to at most {MAX_SUM_MICROS} micro-units",
            remedy="Check the amount.",
        )


def balance_of(context: Context, caller: Caller, tenant: str) -> Balance:
    """A tenant's prepaid account."""
    authorize(caller, Action.READ_MONEY, tenant)
    with context.store.read() as tx:
        return prepaid(tx, tenant, known_tenant(tx, tenant).currency)


def prepaid(tx: Transaction, tenant: str, currency: str) -> Balance:
    """The prepaid account inside a transaction."""
    return tx.ledger.balance(account_id(AccountKind.PREPAID, currency, tenant), currency)
