"""Money that people move: gifts, amends, refunds, payments, taxes, commitments, bad debt. One cause, one transfer."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.model.errors import InvariantError, ValidationError
from petahour.model.money import Money
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id

MAX_KEY_LENGTH = 128

_OF_TENANT = frozenset({AccountKind.PREPAID, AccountKind.RECEIVABLE, AccountKind.COMMITTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """Where money of a kind comes from and goes to."""

    debit: AccountKind
    credit: AccountKind


# Credits given away and debts given up are expenses: they pile up as debits of the operator's own accounts.
COURSES = {
    TransferKind.REFUND: Course(debit=AccountKind.PREPAID, credit=AccountKind.CASH),
    TransferKind.GRANT: Course(debit=AccountKind.CREDITS_GRANTED, credit=AccountKind.PREPAID),
    TransferKind.SERVICE_CREDIT: Course(debit=AccountKind.SERVICE_CREDITS, credit=AccountKind.PREPAID),
    TransferKind.PAYMENT: Course(debit=AccountKind.CASH, credit=AccountKind.RECEIVABLE),
    TransferKind.WRITE_OFF: Course(debit=AccountKind.BAD_DEBT, credit=AccountKind.RECEIVABLE),
    TransferKind.TAX: Course(debit=AccountKind.RECEIVABLE, credit=AccountKind.TAX),
    TransferKind.ROUNDING: Course(debit=AccountKind.RECEIVABLE, credit=AccountKind.ROUNDING),
    TransferKind.COMMITMENT: Course(debit=AccountKind.PREPAID, credit=AccountKind.COMMITTED),
    TransferKind.FEE: Course(debit=AccountKind.COMMITTED, credit=AccountKind.REVENUE),
}


def move(
    kind: TransferKind,
    *,
    tenant: str,
    money: Money,
    key: str,
    at_ms: int,
    note: str = "",
    detail: str = "",
    side: AccountKind | None = None,
) -> Transfer:
    """The transfer of one such movement, whose id is that of its kind, tenant and ``key``: a repeat is a no-op.

    ``detail`` parts the operator's revenue (``TYPE/TIER``). ``side`` puts another account of the tenant's in the
    place of the usual one, as ``prepaid`` for the tax of a prepaid invoice. A negative rounding goes the other way.
    Raises ValidationError on an amount that is not positive or a key that cannot be one, and InvariantError on
    kinds and accounts that do not go together.
    """
    course = COURSES.get(kind)
    if course is None or (side is not None and side not in _OF_TENANT):
        raise InvariantError(rule="people move money by a known course, on a tenant's account", value=(kind, side))
    if money.micros == 0 or (money.micros < 0 and kind is not TransferKind.ROUNDING):
        raise ValidationError(
            field="amount", value=str(money), rule="more than zero", remedy="To take it back, reverse the transfer."
        )
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise ValidationError(
            field="key",
            value=key,
            rule=f"1 to {MAX_KEY_LENGTH} printable characters",
            remedy="Use a document's number.",
        )
    debit, credit = (_account(one, money.currency, tenant, detail, side) for one in (course.debit, course.credit))
    if money.micros < 0:
        debit, credit = credit, debit
    return Transfer(
        id=posting_id(kind, tenant, key),
        kind=kind,
        debit=debit,
        credit=credit,
        amount_micros=abs(money.micros),
        currency=money.currency,
        at_ms=at_ms,
        cause=key,
        note=note,
    )


def posting_id(kind: TransferKind, tenant: str, key: str) -> str:
    """The id of a movement that a person makes: one per kind, tenant and key."""
    return f"trf-{kind.value}-{tenant}:{key}"


def _account(kind: AccountKind, currency: str, tenant: str, detail: str, side: AccountKind | None) -> str:
    if kind in _OF_TENANT:
        return account_id(side or kind, currency, tenant)
    return account_id(kind, currency, detail=detail if kind is AccountKind.REVENUE else "")
