"""Corrections: what was posted wrongly is taken back by a transfer of its own; and holds that nobody closes end."""

from __future__ import annotations

from dataclasses import replace

from petahour.billing.ledger import expire, reversal
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.credit_accounts import spendable_micros
from petahour.control.credit_moves import is_own
from petahour.control.lending import shares_of
from petahour.control.paid_credit import require_brought
from petahour.model.errors import ConflictError, InvariantError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.invoices import InvoiceState
from petahour.model.money import format_micros
from petahour.model.tenants import Caller
from petahour.model.usage import AccountKind, Transfer, TransferKind
from petahour.store.protocol import Store, Transaction

MAX_NOTE_LENGTH = 500
EXPIRED_AT_ONCE = 1_000
_SETTLING = (TransferKind.PAYMENT, TransferKind.WRITE_OFF)
_OF_INVOICES = (TransferKind.TAX, TransferKind.ROUNDING, TransferKind.OFFSET)


def reverse(context: Context, caller: Caller, transfer_id: str, *, note: str) -> Transfer:
    """Take a transfer back in full. Doing it twice is one reversal, and a reversal is final.

    A payment or a write-off that is taken back leaves its invoice due again. With a charge go the shares of it that
    owners of lent seats got. Raises NotFoundError for an unknown
    transfer, ValidationError without a note, and ConflictError for a hold, a reversal, for what belongs to a document
    or to a reservation and is taken back with it, for one that was reversed with another note, and where it would
    leave a tenant with less credit than is held.
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
        _require_alone(tx, taken)
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
        if taken.kind is TransferKind.TOPUP:
            require_brought(tx, taken)
        tx.ledger.post(back)
        told: dict[str, object] = {"transfer": back.id, "reverses": taken.id, "by": caller.user, "note": note}
        if taken.kind in _SETTLING:
            _make_due(tx, taken)
            told["invoice"] = taken.cause
        _tell(tx, EventKind.TRANSFER_REVERSED, back, told)
        if taken.kind is TransferKind.CHARGE:
            _take_shares(tx, taken, caller, now_ms)
    context.wake()
    return back


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


def _require_alone(tx: Transaction, taken: Transfer) -> None:
    """What is only a part of something else is not taken back by itself: the rest would say what is no more so."""
    rule = remedy = ""
    if taken.kind is TransferKind.PENDING or taken.kind.closes:
        rule, remedy = "a hold moved nothing that could be taken back", "Reverse what was posted instead."
    elif taken.kind in (*_OF_INVOICES, TransferKind.SERVICE_CREDIT) and not is_own(taken):
        rule = f"the {taken.kind} of {taken.note or taken.cause} goes with that document"
        remedy = "Void the invoice, or take a part of it back by a credit note."
    elif taken.kind is TransferKind.COMMITMENT:
        rule, remedy = "an hour of a reservation is set aside while that lasts", "End the reservation."
    elif taken.kind is TransferKind.FEE and taken.debit.startswith(f"{AccountKind.COMMITTED}:"):
        rule = "an hour of a reservation is paid by what was set aside for it"
        remedy = "Take it back by a credit note on the month's invoice."
    elif taken.kind is TransferKind.REVERSAL:
        rule, remedy = f"a reversal is final: it took {taken.cause} back", _instead(tx.ledger.transfer(taken.cause))
    if rule:
        raise ConflictError(field="transfer", value=taken.id, rule=rule, remedy=remedy)


def _instead(before: Transfer | None) -> str:
    """What is done where it was a mistake that this was taken back."""
    if before is not None and before.kind in _SETTLING:
        return "Note the payment, or write off, with a new key."
    if before is not None and before.kind in _OF_INVOICES:
        return f'The invoice {before.note} is void and stays so: bill its month anew by "petahour close".'
    if before is not None and before.kind is TransferKind.TOPUP:
        return 'Add the credit again by "petahour topup", under a new key.'
    return "No transfer is made a second time: settle with the tenant what was taken back by mistake."


def _take_shares(tx: Transaction, charge: Transfer, caller: Caller, now_ms: int) -> None:
    """What owners of lent seats got of a charge goes back with it, even where that leaves them below zero.

    The note is about the seats alone, as owners are not told whose job lay there.
    """
    for share in shares_of(tx, charge.cause):
        note = f"{share.note}, taken back with its charge"
        back = reversal(share, at_ms=now_ms, note=note)
        tx.ledger.post(back)
        told: dict[str, object] = {"transfer": back.id, "reverses": share.id, "by": caller.user, "note": note}
        _tell(tx, EventKind.TRANSFER_REVERSED, back, told)


def _make_due(tx: Transaction, taken: Transfer) -> None:
    """The invoice whose payment or write-off is taken back is due again, since when it was."""
    found = tx.invoices.numbered(taken.cause)
    if found is None:
        raise InvariantError(rule="what settles an invoice names it", value=taken.id)
    if taken.kind is TransferKind.PAYMENT:
        found = replace(found, paid_micros=found.paid_micros - taken.amount_micros)
    else:
        found = replace(found, credited_micros=found.credited_micros - taken.amount_micros, reason="")
    tx.invoices.put(replace(found, state=InvoiceState.ISSUED, settled_ms=None))


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
        left, moved = (format_micros(micros, back.currency) for micros in (available_micros, back.amount_micros))
        raise ConflictError(
            field="transfer",
            value=back.cause,
            rule=f"at most what is left is taken back, {left} {back.currency}; it moved {moved}",
            remedy="Stop the tenant's jobs, which hold credit, or take back a smaller top-up.",
        )


def _tenant(account: str) -> str | None:
    owner = account.split(":")[1]
    return None if owner == "operator" else owner
