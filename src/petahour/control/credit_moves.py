"""Credit that no payment brought and no use took: given away, made good for a fault, or paid back."""

from __future__ import annotations

from petahour.billing.postings import move, posting_id
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit import require_room, rule_for
from petahour.control.credit_accounts import prepaid, spendable_micros
from petahour.control.paid_credit import require_refundable
from petahour.control.tenants import paying_tenant
from petahour.model.errors import ConflictError, ForbiddenError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.money import Money
from petahour.model.tenants import Caller
from petahour.model.usage import Balance, Transfer, TransferKind
from petahour.store.protocol import Transaction

KINDS = (TransferKind.GRANT, TransferKind.SERVICE_CREDIT, TransferKind.REFUND)
MAX_NOTE_LENGTH = 500


def move_credit(
    context: Context,
    caller: Caller,
    tenant: str,
    kind: TransferKind,
    *,
    amount: str,
    currency: str,
    key: str,
    note: str,
) -> tuple[Transfer, Balance]:
    """Give a tenant credit (``grant``), make a fault good (``service-credit``), or pay credit back (``refund``).

    One key is one movement of its kind, however often it is sent. Raises ConflictError for a key that was used with
    another amount or note and for a refund of more than was paid for and is neither used, held nor owed,
    ForbiddenError above what the caller may add alone, and ValidationError without a reason.
    """
    authorize(caller, Action.ADD_CREDIT)
    if kind not in KINDS:
        raise ValidationError(
            field="kind", value=kind.value, rule=f"one of {', '.join(KINDS)}", remedy="Use one of them."
        )
    words = " ".join(note.split())
    if not 1 <= len(words) <= MAX_NOTE_LENGTH:
        raise ValidationError(
            field="note",
            value=words,
            rule=f"1 to {MAX_NOTE_LENGTH} characters",
            remedy="Say why: an auditor will ask.",
        )
    money = Money.parse(amount, currency)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        paying_tenant(tx, tenant, currency)
        transfer = move(kind, tenant=tenant, money=money, key=key, at_ms=now_ms, note=words)
        known = tx.ledger.transfer(transfer.id)
        if known is not None:
            return _same(known, transfer), prepaid(tx, tenant, currency)
        _require_alone(tx, caller, money)
        if kind is TransferKind.REFUND:
            require_refundable(tx, tenant, money)
        require_room(tx, transfer)
        tx.ledger.post(transfer)
        data: dict[str, object] = {
            "what": kind.value,
            "amount_micros": money.micros,
            "currency": currency,
            "transfer": transfer.id,
            "note": words,
            "by": caller.user,
            "available_micros": spendable_micros(tx, tenant, currency),
        }
        tx.events.append(Event(kind=EventKind.CREDIT_MOVED, at_ms=now_ms, tenant=tenant, data=data))
        balance = prepaid(tx, tenant, currency)
    context.wake()
    return transfer, balance


def is_own(transfer: Transfer) -> bool:
    """Whether it is such a movement by itself, and not a part of a credit note."""
    account = transfer.debit if transfer.kind is TransferKind.REFUND else transfer.credit
    return transfer.kind in KINDS and transfer.id == posting_id(transfer.kind, account.split(":")[1], transfer.cause)


def _same(known: Transfer, wanted: Transfer) -> Transfer:
    if (known.amount_micros, known.note) != (wanted.amount_micros, wanted.note):
        raise ConflictError(
            field="key",
            value=wanted.cause,
            rule=f"a key stands for one {wanted.kind.value}; this one was used with another amount or note",
            remedy="Use a new key.",
        )
    return known


def _require_alone(tx: Transaction, caller: Caller, money: Money) -> None:
    rule = rule_for(tx, caller, money.currency)
    if rule is not None and money.micros > rule.alone_micros:
        raise ForbiddenError(
            field="amount",
            value=str(money),
            rule=f"{caller.role} moves at most {Money(rule.alone_micros, rule.currency)} alone",
            remedy="Ask somebody with a role that may.",
        )
