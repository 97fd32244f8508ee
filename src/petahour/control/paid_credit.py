"""What of a tenant's credit it paid for, as the ledger says: no more goes back as cash."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.billing.apportion import minor_unit
from petahour.billing.paid_credit import CreditMove, PaidCredit
from petahour.billing.postings import posting_id
from petahour.control.credit_accounts import owed, prepaid
from petahour.model.errors import ConflictError
from petahour.model.money import Money, format_micros
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id
from petahour.store.protocol import Transaction

_APART = (TransferKind.REFUND.value, TransferKind.REVERSAL.value)  # debits that are no use


def paid_credit(tx: Transaction, tenant: str, currency: str) -> PaidCredit:
    """The parts of a tenant's credit, from all that ever moved it. Costs that many rows."""
    return PaidCredit.of(_moves(tx, tenant, currency))


def require_refundable(tx: Transaction, tenant: str, money: Money) -> None:
    """Raises ConflictError for more than what was paid for and is neither used, held nor owed, with these sums."""
    balance = prepaid(tx, tenant, money.currency)
    parts = paid_credit(tx, tenant, money.currency)
    owes = max(0, -owed(tx, tenant, money.currency).posted_micros)
    most = max(0, parts.refundable_micros(balance.pending_debits_micros) - owes)
    if money.micros <= most:
        return
    sums = [f"{Money(max(0, parts.paid_micros), money.currency)} paid for"]
    if parts.granted_micros:
        sums.append(f"{Money(parts.granted_micros, money.currency)} granted, which is spent and never paid back")
    if parts.owed_micros:
        sums.append(f"{Money(parts.owed_micros, money.currency)} used beyond all credit")
    if balance.pending_debits_micros:
        sums.append(f"{Money(balance.pending_debits_micros, money.currency)} of it held for jobs")
    if owes:
        sums.append(f"and it owes {Money(owes, money.currency)}")
    payable = most - most % minor_unit(money.currency)
    remedies = [f"Pay back at most {Money(payable, money.currency)}"] if payable else ["Nothing can be paid back now"]
    if parts.refundable_micros(0) > parts.refundable_micros(balance.pending_debits_micros):
        remedies.append("or stop the tenant's jobs, which hold credit")
    raise ConflictError(
        field="amount",
        value=str(money),
        rule="at most the credit that was paid for and is neither used, held nor owed, "
        f"{Money(most, money.currency)}; {tenant} has {Money(balance.posted_micros, money.currency)}: "
        f"{', '.join(sums)}",
        remedy=", ".join(remedies) + ".",
    )


def require_brought(tx: Transaction, topup: Transfer) -> None:
    """Raises ConflictError where a top-up to be taken back was paid back already: cash goes back once."""
    tenant = topup.credit.split(":")[1]
    left = paid_credit(tx, tenant, topup.currency).brought_micros
    if topup.amount_micros > left:
        brought, moved = (format_micros(micros, topup.currency) for micros in (max(0, left), topup.amount_micros))
        raise ConflictError(
            field="transfer",
            value=topup.id,
            rule=f"what was paid back is not taken back too: of all top-ups {brought} {topup.currency} are left, "
            f"this one brought {moved}",
            remedy='Take the refund back first, or note what goes back by "petahour refund".',
        )


def _moves(tx: Transaction, tenant: str, currency: str) -> Iterator[CreditMove]:
    """Use between two other movements is one, as it comes to the same: of a year there are many rows of it."""
    own = account_id(AccountKind.PREPAID, currency, tenant)
    used = 0
    for one, taken in tx.ledger.credit_moves(tenant, currency, holds=False):
        if one.debit == own and one.kind not in _APART:
            used += one.amount_micros
            continue
        if used:
            yield CreditMove(TransferKind.CHARGE, -used)
            used = 0
        kind = TransferKind(one.kind)
        paid_out = one.debit == own or (own != one.credit and taken is not None)
        yield CreditMove(
            kind,
            -one.amount_micros if paid_out else one.amount_micros,
            None if taken is None else TransferKind(taken),
            of_note=kind is TransferKind.SERVICE_CREDIT and one.id != posting_id(kind, tenant, one.cause),
        )
    if used:
        yield CreditMove(TransferKind.CHARGE, -used)
