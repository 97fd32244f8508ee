"""Credit notes: a part of an issued invoice taken back, with its share of the tax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from petahour.billing.apportion import tax_of
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState, LineKind
from petahour.model.money import format_micros
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id


def credit_note(
    invoice: InvoiceDocument,
    earlier: Sequence[InvoiceDocument],
    *,
    line: int,
    micros: int | None,
    reason: str,
    key: str,
    at_ms: int,
) -> InvoiceDocument:
    """A credit note over ``micros`` (positive, net) of the line with this number, counted from 1; None: all of it.

    ``earlier`` are the invoice's credit notes before. The tax of all notes together is that of what they took back,
    so that a whole invoice taken back in pieces leaves no tax. ``prepaid_micros`` of the note is what becomes
    credit: all but what is still due. Raises ValidationError on an unknown line, ConflictError on too much.
    """
    if not 1 <= line <= len(invoice.lines):
        raise ValidationError(
            field="line",
            value=line,
            rule=f"a line from 1 to {len(invoice.lines)}",
            remedy=f'"petahour explain invoice {invoice.number}" numbers them.',
        )
    chosen = invoice.lines[line - 1]
    left_micros = chosen.amount_micros - _credited(line, earlier)
    net_micros = left_micros if micros is None else micros
    if not 0 < net_micros <= left_micros:
        left = format_micros(left_micros, invoice.currency)
        raise ConflictError(
            field="amount",
            value=format_micros(net_micros, invoice.currency),
            rule=f"more than zero and at most what line {line} has left, {left} {invoice.currency}",
            remedy="Credit less, or another line.",
        )
    before_micros = -sum(note.net_micros for note in earlier)
    taxed_micros = tax_of(before_micros + net_micros, invoice.tax_rate_ppm, invoice.currency)
    tax_micros = taxed_micros + sum(note.tax_micros for note in earlier)
    off_due_micros = min(max(0, invoice.due_micros), net_micros + tax_micros)
    made = replace(
        chosen,
        kind=LineKind.CORRECTION,
        accelerator_ms=0,
        exact_micros=-net_micros,
        amount_micros=-net_micros,
        note=reason,
    )
    return replace(
        invoice,
        id=f"crn-{invoice.number}-{len(earlier) + 1}",
        kind=DocumentKind.CREDIT_NOTE,
        lines=(made,),
        net_micros=-net_micros,
        exact_micros=-net_micros,
        tax_micros=-tax_micros,
        prepaid_micros=off_due_micros - net_micros - tax_micros,
        rehearsal_lines=(),
        rehearsal_micros=0,
        waived_ams=0,
        corrects=invoice.number,
        created_ms=at_ms,
        state=InvoiceState.ISSUED,
        number="",
        issued_ms=at_ms,
        due_ms=None,
        paid_micros=0,
        credited_micros=0,
        settled_ms=None,
        reason=reason,
        key=key,
        line=line,
    )


def credit_transfers(note: InvoiceDocument, *, at_ms: int) -> Iterator[Transfer]:
    """The postings of a credit note: from service credits and tax, to the receivable first and then to credit."""
    to_credit = -note.prepaid_micros
    parts = (
        (TransferKind.TAX, AccountKind.TAX, -note.tax_micros),
        (TransferKind.SERVICE_CREDIT, AccountKind.SERVICE_CREDITS, -note.net_micros),
    )
    for kind, source, micros in parts:
        prepaid = min(micros, to_credit)
        to_credit -= prepaid
        for side, amount in ((AccountKind.PREPAID, prepaid), (AccountKind.RECEIVABLE, micros - prepaid)):
            if amount:
                yield Transfer(
                    id=f"trf-{kind.value}-{side.value}-{note.id}",
                    kind=kind,
                    debit=account_id(source, note.currency),
                    credit=account_id(side, note.currency, note.tenant),
                    amount_micros=amount,
                    currency=note.currency,
                    at_ms=at_ms,
                    cause=note.id,
                    note=note.number,
                )


def _credited(line: int, earlier: Sequence[InvoiceDocument]) -> int:
    """What earlier notes took off this line."""
    return -sum(note.net_micros for note in earlier if note.line == line)
