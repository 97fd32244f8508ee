"""Corrections: what was posted wrongly is taken back by a transfer of its own; and holds that nobody closes end."""

from __future__ import annotations

from petahour.billing.ledger import expire, reversal
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit_accounts import spendable_micros
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.tenants import Caller
from petahour.model.usage import AccountKind, Transfer, TransferKind
from petahour.store.protocol import Store, Transaction

MAX_NOTE_LENGTH = 500
EXPIRED_AT_ONCE = 1_000
_SETTLEMENT = (TransferKind.TAX, TransferKind.ROUNDING)


def reverse(context: Context, caller: Caller, transfer_id: str, *, note: str) -> Transfer:
    """Take a transfer back in full. Doing it twice is one reversal, and a reversal is final.

    Raises NotFoundError for an unknown transfer, ValidationError without a note, and ConflictError for a hold, a
    reversal, tax and rounding of an invoice, for one that was reversed with another note, and where it would leave a
    tenant with less credit than is held.
    """
    authorize(caller, Action.ADD_CREDIT)
    if not 1 <= len(note) <= MAX_NOTE_LENGTH or not note.isprintable():
        raise ValidationError(
            field="note", value=note, rule=f"1 to {MAX_NOTE_LENGTH} printable characters", remedy="Say why."
        )
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        taken = tx.ledger.transfer(transfer_id)
        if taken is None:
            raise NotFoundError(
                field="transfer",
                value=transfer_id,
                rule="no such transfer",
                remedy='"petahour explain" shows the transfers of a charge.',
            )
        if taken.kind is TransferKind.PENDING or taken.kind.closes:
            raise ConflictError(
                field="transfer",
                value=transfer_id,
                rule="a hold moved nothing that could be taken back",
                remedy="Reverse what was posted instead.",
            )
        _refuse_final(tx, taken)
        back = reversal(taken, at_ms=now_ms, note=note)
        known = tx.ledger.transfer(back.id)
        if known is not None:
            if known.note != note:
                raise ConflictError(
                    field="transfer",
                    value=transfer_id,
                    rule="a transfer is reversed once; this one was, with another note",
                    remedy=f"See {known.id}, which stays as it is.",
                )
            return known
        _require_credit(tx, back)
        tx.ledger.post(back)
        told: dict[str, object] = {"transfer": back.id, "reverses": taken.id, "by": caller.user, "note": note}
        _tell(tx, EventKind.TRANSFER_REVERSED, back, told)
    context.wake()
    return back


def _refuse_final(tx: Transaction, taken: Transfer) -> None:
    """Raises ConflictError on a reversal, and on what an invoice settled, which goes back with the invoice alone."""
    if taken.kind in _SETTLEMENT:
        raise ConflictError(
            field="transfer",
            value=taken.id,
            rule=f"the {taken.kind} of an invoice goes back with the invoice, not by itself",
            remedy='Declare the invoice void, or write a credit note: "petahour invoices --help".',
        )
    if taken.kind is not TransferKind.REVERSAL:
        return
    before = tx.ledger.transfer(taken.cause)
    remedy = "No transfer is made a second time: settle with the tenant what was taken back by mistake."
    if before is not None and before.kind in _SETTLEMENT:
        remedy = f'The invoice {before.note} is void and stays so: bill its month anew by "petahour close".'
    elif before is not None and before.kind is TransferKind.TOPUP:
        remedy = 'Add the credit again by "petahour topup", under a new key.'
    raise ConflictError(
        field="transfer",
        value=taken.id,
        rule=f"a reversal is final: it took {taken.cause} back",
        remedy=remedy,
    )


def expire_holds(store: Store, now_ms: int) -> int:
    """Close the pending transfers whose time is over; how many that were. Looking costs one indexed read."""
    with store.read() as tx:
        if not tx.ledger.expired(now_ms=now_ms, limit=1):
            return 0
    with store.write() as tx:
        due = tx.ledger.expired(now_ms=now_ms, limit=EXPIRED_AT_ONCE)
        for expired in tx.ledger.post_all([expire(held, at_ms=now_ms) for held in due]):
            _tell(tx, EventKind.HOLD_EXPIRED, expired, {"transfer": expired.id})
        return len(due)


def _tell(tx: Transaction, kind: EventKind, transfer: Transfer, told: dict[str, object]) -> None:
    """The event of a transfer, with what the tenant's credit came to by it, if it has one."""
    owner = next((name for name in map(_tenant, (transfer.debit, transfer.credit)) if name), None)
    if owner is not None:
        told["available_micros"] = spendable_micros(tx, owner, transfer.currency)
    tx.events.append(Event(kind=kind, at_ms=transfer.at_ms, tenant=owner, data=told))


def _require_credit(tx: Transaction, back: Transfer) -> None:
    if not back.debit.startswith(f"{AccountKind.PREPAID}:"):
        return
    available_micros = tx.ledger.balance(back.debit, back.currency).available_micros
    if available_micros < back.amount_micros:
        raise ConflictError(
            field="transfer",
            value=back.cause,
            rule=f"at most what is left is taken back, {available_micros} micro-units; it moved {back.amount_micros}",
            remedy="Stop the tenant's jobs, which hold credit, or take back a smaller top-up.",
        )


def _tenant(account: str) -> str | None:
    owner = account.split(":")[1]
    return None if owner == "operator" else owner
