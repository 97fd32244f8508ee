"""Invoices: totals are those of the lines, lines are those of the transfers bound to them, numbers have no gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from petahour.billing.postings import posting_id
from petahour.control.audit.check import Check, checked
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState
from petahour.model.money import MINOR_DIGITS
from petahour.model.usage import TransferKind
from petahour.store.protocol import BoundSum, InvoiceFilter, Transaction

TOTALS = "every invoice's totals are those of its lines"
BILLED = "every invoice bills just the transfers bound to it"
SETTLED = "the ledger has the tax and the payments of every invoice"
NUMBERS = "invoices are numbered without gaps"
_SIDES = ("prepaid", "receivable")


def invoice_checks(tx: Transaction) -> tuple[Check, ...]:
    """The promises about invoices and credit notes. The transfers that they bind are summed by the database."""
    documents = tx.invoices.find(InvoiceFilter())
    bound: dict[str, list[BoundSum]] = defaultdict(list)
    for one in tx.invoices.bound_sums():
        bound[one.invoice].append(one)
    notes: dict[str, list[InvoiceDocument]] = defaultdict(list)
    for document in documents:
        if document.kind is DocumentKind.CREDIT_NOTE:
            notes[document.corrects].append(document)
    paid = tx.invoices.payments()
    return (
        checked(TOTALS, (fault for one in documents for fault in _totals(one, notes))),
        checked(BILLED, _billed(documents, bound)),
        checked(SETTLED, (fault for one in documents for fault in _settled(tx, one, notes, paid))),
        checked(NUMBERS, _numbers(tx.invoices.serials(), documents)),
    )


def _totals(document: InvoiceDocument, notes: Mapping[str, Sequence[InvoiceDocument]]) -> Iterator[str]:
    name = document.number or document.id
    net = sum(line.amount_micros for line in document.lines)
    exact = sum(line.exact_micros for line in document.lines)
    if (document.net_micros, document.exact_micros) != (net, exact):
        yield f"{name} is of {document.net_micros} ({document.exact_micros}), its lines come to {net} ({exact})"
    unit = 10 ** (6 - MINOR_DIGITS[document.currency])
    if any(line.amount_micros % unit for line in document.lines) or document.tax_micros % unit:
        yield f"{name} has an amount that is no whole number of {document.currency}'s minor units"
    if document.kind is DocumentKind.CREDIT_NOTE:
        return
    # Credit notes share one rounding, so that a whole invoice taken back leaves no tax.
    off = notes.get(document.number, ()) if document.number else ()
    for taxed, tax in (
        (document.net_micros, document.tax_micros),
        (-sum(note.net_micros for note in off), -sum(note.tax_micros for note in off)),
    ):
        if tax != round(Fraction(taxed * document.tax_rate_ppm, 10**6 * unit)) * unit:
            yield f"{name} has the tax {tax} on {taxed} at {document.tax_rate_ppm} millionths"
    if abs(document.net_micros - document.exact_micros) * 2 > unit:
        yield f"{name} is rounded by {document.net_micros - document.exact_micros} micros"


def _billed(documents: Sequence[InvoiceDocument], bound: Mapping[str, Sequence[BoundSum]]) -> Iterator[str]:
    for document in documents:
        counts = document.kind is DocumentKind.INVOICE and document.state in (InvoiceState.ISSUED, InvoiceState.PAID)
        rows = bound.get(document.id, ())
        if rows and not counts:
            yield f"{document.number or document.id} is {document.state} and still bills transfers"
        if not counts:
            continue
        payable = rehearsed = 0
        for row in rows:
            earned = row.credit.startswith(("revenue:", "rehearsal-revenue:"))
            sign, own = (1, row.debit) if earned else (-1, row.credit)
            kind, tenant, currency = own.split(":")[:3]
            if (tenant, currency) != (document.tenant, document.currency):
                yield f"{document.number} is {document.tenant}'s and bills transfers of {own}"
            if kind == "rehearsal-use":
                rehearsed += sign * row.amount_micros
            else:
                payable += sign * row.amount_micros
        lines = sum(line.exact_micros for line in document.lines)
        rehearsal_lines = sum(line.exact_micros for line in document.rehearsal_lines)
        if (payable, rehearsed) != (lines, rehearsal_lines):
            yield (
                f"{document.number} bills transfers of {payable} micros and {rehearsed} of rehearsals, "
                f"its lines say {lines} and {rehearsal_lines}"
            )


def _settled(
    tx: Transaction,
    document: InvoiceDocument,
    notes: Mapping[str, Sequence[InvoiceDocument]],
    paid: Mapping[str, int],
) -> Iterator[str]:
    """Tax by the transfers that issuing made; payments and credit notes by what the document says of them."""
    if document.state is InvoiceState.DRAFT:
        return
    note = document.kind is DocumentKind.CREDIT_NOTE
    posted = 0
    for side in _SIDES:
        transfer = tx.ledger.transfer(f"trf-tax-{side}-{document.id}")
        if transfer is not None:
            posted += -transfer.amount_micros if transfer.debit.startswith("tax:") else transfer.amount_micros
            taken_back = tx.ledger.consequence(transfer) is not None
            if taken_back is not (document.state is InvoiceState.VOID):
                was = "taken back" if taken_back else "not taken back"
                yield f"{transfer.id} is {was}, {document.number} is {document.state}"
    if posted != document.tax_micros:
        yield f"{document.number} has the tax {document.tax_micros}, its transfers come to {posted}"
    if note:
        return
    off = sum(-(one.total_micros - one.prepaid_micros) for one in notes.get(document.number, ()))
    written_off = tx.ledger.transfer(posting_id(TransferKind.WRITE_OFF, document.tenant, document.number))
    if written_off is not None and tx.ledger.consequence(written_off) is None:
        off += written_off.amount_micros
    if document.credited_micros != off:
        yield (
            f"{document.number} is credited {document.credited_micros}, "
            f"its credit notes and what was written off of it come to {off}"
        )
    came = paid.get(document.number, 0)
    if document.paid_micros != came:
        yield f"{document.number} is paid {document.paid_micros}, its payments come to {came}"
    if document.due_micros < 0:
        yield f"{document.number} is overpaid: {document.due_micros} are due"


def _numbers(serials: Sequence[tuple[str, int]], documents: Sequence[InvoiceDocument]) -> Iterator[str]:
    last: dict[str, int] = {}
    for series, serial in serials:
        if serial != last.get(series, 0) + 1:
            yield f"{series}-{serial:05d} follows {series}-{last.get(series, 0):05d}"
        last[series] = serial
    given = {f"{series}-{serial:05d}" for series, serial in serials}
    for document in documents:
        if document.state is not InvoiceState.DRAFT and document.number not in given:
            yield f"{document.id} has the number {document.number}, which no series gave"
