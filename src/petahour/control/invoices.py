"""Stored invoices: look at them, take payments, void them, and take a part back by a credit note."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from petahour.billing.apportion import parse_minor
from petahour.billing.close import numbered
from petahour.billing.credit_note import credit_note, credit_transfers
from petahour.billing.ledger import reversal
from petahour.billing.postings import posting_id
from petahour.billing.settle import payment, settlement_ids
from petahour.control.authorize import Action, authorize
from petahour.control.billing_terms import require_seller
from petahour.control.context import Context
from petahour.control.credit import MAX_KEY_LENGTH
from petahour.control.credit_accounts import spendable_micros
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState, Posting
from petahour.model.money import Money, format_micros
from petahour.model.tenants import Caller
from petahour.model.time import to_datetime
from petahour.model.usage import TransferKind
from petahour.store.protocol import InvoiceFilter, Transaction

MAX_REASON_LENGTH = 500


def list_invoices(context: Context, caller: Caller, wanted: InvoiceFilter) -> Sequence[InvoiceDocument]:
    """Invoices and credit notes, oldest first; a tenant sees its own, and no drafts."""
    tenant = wanted.tenant if caller.role.of_operator else (wanted.tenant or caller.tenant)
    authorize(caller, Action.READ_INVOICE, tenant)
    with context.store.read() as tx:
        found = tx.invoices.find(replace(wanted, tenant=tenant))
    return [item for item in found if caller.role.of_operator or item.state is not InvoiceState.DRAFT]


def find_invoice(context: Context, caller: Caller, number: str) -> InvoiceDocument:
    """One document by its number, or a draft by its id."""
    with context.store.read() as tx:
        found = _known(tx, number)
    hidden = found.state is InvoiceState.DRAFT and not caller.role.of_operator
    if hidden or (not caller.role.of_operator and caller.tenant != found.tenant):
        raise _no_such(number)
    authorize(caller, Action.READ_INVOICE, found.tenant)
    return found


@contextmanager
def billed_by(context: Context, caller: Caller, number: str) -> Iterator[tuple[InvoiceDocument, Iterator[Posting]]]:
    """An invoice with the postings it bills, which are read as long as the context is open."""
    document = find_invoice(context, caller, number)
    if document.kind is not DocumentKind.INVOICE or document.state in (InvoiceState.DRAFT, InvoiceState.VOID):
        raise ConflictError(
            field="number", value=number, rule="an issued invoice, which bills charges", remedy="Name such a one."
        )
    with context.store.read() as tx:
        own = tx.invoices.accounts_of(document.tenant, document.currency)
        yield document, tx.invoices.billed(own, document.id)


def pay_invoice(
    context: Context, caller: Caller, number: str, *, amount: str | None, key: str, note: str = ""
) -> InvoiceDocument:
    """Note a payment, of all that is due unless an amount is named. One key is one payment, however often sent.

    Raises ConflictError for more than is due, a document that cannot be paid, or a key used for another amount.
    """
    authorize(caller, Action.MANAGE_INVOICES)
    _check_key(key)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        found = _known(tx, number)
        micros = found.due_micros if amount is None else parse_minor(amount, found.currency).micros
        made = payment(found, micros=micros, key=key, at_ms=now_ms, note=note)
        known = tx.ledger.transfer(made.id)
        if known is not None:
            if tx.ledger.consequence(known) is not None:
                raise ConflictError(
                    field="key",
                    value=key,
                    rule="a key stands for one payment; this one was taken back",
                    remedy="Use a new key for a new payment.",
                )
            if known.cause != found.number or (amount is not None and known.amount_micros != micros):
                raise ConflictError(
                    field="key",
                    value=key,
                    rule="a key stands for one payment; this one was used for another",
                    remedy="Use a new key for a new payment.",
                )
            return found
        _check_payable(found, micros)
        tx.ledger.post(made)
        found = _settled(replace(found, paid_micros=found.paid_micros + micros), now_ms)
        tx.invoices.put(found)
        data: dict[str, object] = {"number": number, "amount_micros": micros, "state": found.state.value}
        data["available_micros"] = _available(tx, found)
        tx.events.append(Event(kind=EventKind.INVOICE_PAID, at_ms=now_ms, tenant=found.tenant, data=data))
    context.wake()
    return found


def void_invoice(context: Context, caller: Caller, number: str, *, reason: str) -> InvoiceDocument:
    """Declare an unpaid invoice void: its tax and rounding go back, and its month can be closed again.

    The number stays used. Raises ConflictError where money has come in or a credit note was issued.
    """
    authorize(caller, Action.MANAGE_INVOICES)
    reason = _reason(reason)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        found = _known(tx, number)
        if found.state is InvoiceState.VOID:
            return found
        if found.kind is not DocumentKind.INVOICE or found.paid_micros or tx.invoices.find(_notes_of(found)):
            raise ConflictError(
                field="number",
                value=number,
                rule="an invoice without payments or credit notes",
                remedy="Take it back by a credit note instead.",
            )
        if found.state is InvoiceState.DRAFT:
            raise ConflictError(
                field="number",
                value=number,
                rule="an issued invoice",
                remedy="A draft is made anew by closing again.",
            )
        for transfer_id in settlement_ids(found.id):
            transfer = tx.ledger.transfer(transfer_id)
            if transfer is not None:
                tx.ledger.post(reversal(transfer, at_ms=now_ms, note=f"{number} void: {reason}"))
        tx.invoices.unbill(found.id)
        tx.invoices.reopen(found.tenant, found.month)
        found = replace(found, state=InvoiceState.VOID, voided_ms=now_ms, reason=reason)
        tx.invoices.put(found)
        data: dict[str, object] = {"number": number, "reason": reason, "available_micros": _available(tx, found)}
        tx.events.append(Event(kind=EventKind.INVOICE_VOIDED, at_ms=now_ms, tenant=found.tenant, data=data))
    context.wake()
    return found


def credit_invoice(
    context: Context, caller: Caller, number: str, *, line: int, amount: str | None, reason: str, key: str
) -> InvoiceDocument:
    """A credit note over a part of one line (all of it without an amount), with its share of the tax.

    What is still due gets less; the rest becomes prepaid credit. One key is one note of an invoice, however often
    sent. Raises ConflictError for more than the line has left, for what was written off and so never paid, or a key
    used for another note.
    """
    authorize(caller, Action.MANAGE_INVOICES)
    reason = _reason(reason)
    _check_key(key)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        found = _known(tx, number)
        if found.kind is not DocumentKind.INVOICE or found.state not in (InvoiceState.ISSUED, InvoiceState.PAID):
            raise ConflictError(
                field="number", value=number, rule="an issued invoice", remedy="Name an invoice that is not void."
            )
        earlier = tx.invoices.find(_notes_of(found))
        same = next((note for note in earlier if note.key == key), None)
        if same is not None:
            return _same_note(same, line=line, amount=amount, reason=reason)
        seller = require_seller(tx)
        made = credit_note(
            found,
            earlier,
            line=line,
            micros=None if amount is None else parse_minor(amount, found.currency).micros,
            reason=reason,
            key=key,
            at_ms=now_ms,
        )
        _require_paid(found, earlier, made)
        series = f"{seller.prefix}C{to_datetime(now_ms):%Y}"
        serial = tx.invoices.last_serial(series) + 1
        made = numbered(made, series=series, serial=serial)
        for transfer in credit_transfers(made, at_ms=now_ms):
            tx.ledger.post(transfer)
        tx.invoices.put(made, series=series, serial=serial)
        off_due = -(made.total_micros - made.prepaid_micros)
        tx.invoices.put(_settled(replace(found, credited_micros=found.credited_micros + off_due), now_ms))
        data: dict[str, object] = {
            "number": made.number,
            "corrects": number,
            "total_micros": made.total_micros,
            "available_micros": _available(tx, made),
        }
        tx.events.append(Event(kind=EventKind.CREDIT_NOTE_ISSUED, at_ms=now_ms, tenant=made.tenant, data=data))
    context.wake()
    return made


def _require_paid(found: InvoiceDocument, earlier: Sequence[InvoiceDocument], made: InvoiceDocument) -> None:
    """What becomes credit was paid: without this, a debt that was given up would be a gift besides."""
    left_micros = max(0, found.prepaid_micros) + found.paid_micros + sum(note.prepaid_micros for note in earlier)
    if -made.prepaid_micros > max(0, left_micros):
        given_up = posting_id(TransferKind.WRITE_OFF, found.tenant, found.number)
        becomes, left = (Money(micros, found.currency) for micros in (-made.prepaid_micros, max(0, left_micros)))
        raise ConflictError(
            field="amount",
            value=str(becomes),
            rule=f"what was written off of {found.number} becomes no credit: {left} of it was paid and not credited "
            "yet",
            remedy=f'Credit less, or take the write-off back first by "petahour ledger reverse {given_up}".',
        )


def _same_note(note: InvoiceDocument, *, line: int, amount: str | None, reason: str) -> InvoiceDocument:
    other = amount is not None and parse_minor(amount, note.currency).micros != -note.net_micros
    if other or line != note.line or reason != note.reason:
        raise ConflictError(
            field="key",
            value=note.key,
            rule=f"a key stands for one credit note; this one made {note.number}",
            remedy="Use a new key for a new credit note.",
        )
    return note


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise ValidationError(
            field="key",
            value=key,
            rule=f"1 to {MAX_KEY_LENGTH} printable characters",
            remedy="Use the bank's reference, or the number of the complaint.",
        )


def _settled(document: InvoiceDocument, now_ms: int) -> InvoiceDocument:
    if document.state is InvoiceState.ISSUED and document.due_micros <= 0:
        return replace(document, state=InvoiceState.PAID, settled_ms=now_ms)
    return document


def _check_payable(document: InvoiceDocument, micros: int) -> None:
    if document.state is not InvoiceState.ISSUED:
        raise ConflictError(
            field="number",
            value=document.number or document.id,
            rule=f"an issued invoice that something is due of; this one is {document.state}",
            remedy='"petahour invoices list" shows what is due; what came in besides is a top-up.',
        )
    if micros > document.due_micros:
        due = format_micros(document.due_micros, document.currency)
        raise ConflictError(
            field="amount",
            value=format_micros(micros, document.currency),
            rule=f"at most what is due, {due} {document.currency}",
            remedy="Add what is beyond it as prepaid credit, by a top-up.",
        )


def _reason(reason: str) -> str:
    words = " ".join(reason.split())
    if not 1 <= len(words) <= MAX_REASON_LENGTH:
        raise ValidationError(
            field="reason",
            value=words,
            rule=f"1 to {MAX_REASON_LENGTH} characters",
            remedy="Say why in a sentence: it is printed.",
        )
    return words


def _notes_of(document: InvoiceDocument) -> InvoiceFilter:
    return InvoiceFilter(corrects=document.number)


def _known(tx: Transaction, number: str) -> InvoiceDocument:
    found = tx.invoices.numbered(number) or tx.invoices.get(number)
    if found is None:
        raise _no_such(number)
    return found


def _no_such(number: str) -> NotFoundError:
    return NotFoundError(
        field="number",
        value=number,
        rule="no such invoice",
        remedy='"petahour invoices list" shows them. A month that is not closed has none yet.',
    )


def _available(tx: Transaction, document: InvoiceDocument) -> int:
    """The credit of the document's tenant, as it now is."""
    return spendable_micros(tx, document.tenant, document.currency)
