"""A tenant's accounts inside a transaction: its credit, what it owes, and what it may still spend."""

from __future__ import annotations

from petahour.model.usage import AccountKind, Balance, account_id
from petahour.store.protocol import Transaction


def prepaid(tx: Transaction, tenant: str, currency: str) -> Balance:
    """The prepaid account."""
    return tx.ledger.balance(account_id(AccountKind.PREPAID, currency, tenant), currency)


def owed(tx: Transaction, tenant: str, currency: str) -> Balance:
    """What the tenant owes, as a negative balance."""
    return tx.ledger.balance(account_id(AccountKind.RECEIVABLE, currency, tenant), currency)


def funds(tx: Transaction, tenant: str, currency: str) -> Balance:
    """What the tenant's work is paid from, as one balance: its credit, and where it pays later what it may owe."""
    terms, credit = tx.credit.terms(tenant), prepaid(tx, tenant, currency)
    if not terms.postpaid:
        return credit
    debt = owed(tx, tenant, currency)
    return Balance(
        account=f"funds:{tenant}:{currency}",
        currency=currency,
        debits_micros=credit.debits_micros + debt.debits_micros,
        credits_micros=credit.credits_micros + debt.credits_micros + terms.limit_micros,
        pending_debits_micros=credit.pending_debits_micros + debt.pending_debits_micros,
    )


def funds_accounts(tx: Transaction, tenant: str, currency: str) -> frozenset[str]:
    """The accounts that ``funds`` adds up."""
    credit = account_id(AccountKind.PREPAID, currency, tenant)
    if not tx.credit.terms(tenant).postpaid:
        return frozenset({credit})
    return frozenset({credit, account_id(AccountKind.RECEIVABLE, currency, tenant)})


def spendable_micros(tx: Transaction, tenant: str, currency: str) -> int:
    """What may still be held for the tenant's work."""
    return funds(tx, tenant, currency).available_micros
