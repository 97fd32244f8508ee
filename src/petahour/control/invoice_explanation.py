"""Explain an invoice: which transfers each line bills, and the charge, use, allocation and job behind each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from petahour.billing.close import line_key
from petahour.control.context import Context
from petahour.control.invoices import billed_by
from petahour.model.errors import ValidationError
from petahour.model.invoices import DocumentLine, InvoiceDocument, Posting
from petahour.model.tenants import Caller
from petahour.model.usage import AccountKind, TransferKind
from petahour.store.protocol import Transaction

MOST_ENTRIES = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One transfer of a line. What is not of a charge has a ``cause`` and a ``note``, and the rest empty.

    A share of what lent seats earned names the usage record and the charge, and not whose they were.
    """

    cause: str
    kind: str
    at_ms: int
    amount_micros: int
    note: str
    charge: str = ""
    price_book: str = ""
    price_micros: int = 0
    usage: str = ""
    accelerator_ms: int = 0
    allocation: str = ""
    job: str = ""
    start_ms: int = 0
    end_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LineSum:
    """A line of an invoice, its number from 1, and what the transfers come to that are bound to it."""

    number: int
    line: DocumentLine
    transfers: int
    posted_micros: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceExplanation:
    """``entries``: the first transfers of the line asked about, in order of time; none without a line."""

    invoice: InvoiceDocument
    line: int | None
    lines: tuple[LineSum, ...]
    entries: tuple[Entry, ...]


def explain_invoice(context: Context, caller: Caller, name: str, *, limit: int = 100) -> InvoiceExplanation:
    """``NUMBER`` or ``NUMBER/LINE``: the lines of an issued invoice, and of one of them what it bills.

    Raises what ``billed_by`` raises, and ValidationError on a line that the invoice has not.
    """
    number, _, asked = name.partition("/")
    if not 1 <= limit <= MOST_ENTRIES:
        raise ValidationError(
            field="limit", value=limit, rule=f"from 1 to {MOST_ENTRIES}", remedy="Choose one in that range."
        )
    with billed_by(context, caller, number) as (document, postings):
        line = _line(document, asked)
        lines, wanted = _sorted(document, postings, line, limit)
    with context.store.read() as tx:
        entries = tuple(_entry(tx, posting) for posting in wanted)
    return InvoiceExplanation(invoice=document, line=line, lines=lines, entries=entries)


def _line(document: InvoiceDocument, asked: str) -> int | None:
    if not asked:
        return None
    line = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 0
    if not 1 <= line <= len(document.lines):
        raise ValidationError(
            field="line",
            value=asked,
            rule=f"a line from 1 to {len(document.lines)}",
            remedy=f'"petahour explain invoice {document.number}" numbers them.',
        )
    return line


def _sorted(
    document: InvoiceDocument, postings: Iterable[Posting], line: int | None, limit: int
) -> tuple[tuple[LineSum, ...], list[Posting]]:
    """Every line with its sums, and the first postings of the one asked about."""
    place = {
        (one.kind, one.month, one.project, one.type, one.tier, one.note): number
        for number, one in enumerate(document.lines, 1)
    }
    counts, sums, wanted = [0] * (len(place) + 1), [0] * (len(place) + 1), list[Posting]()
    for posting in postings:
        if posting.account.partition(":")[0] == AccountKind.REHEARSAL_USE:
            continue
        # A line of nothing is left out of the invoice; what it would bill adds up to zero.
        number = place.get(line_key(posting, document.month), 0)
        counts[number] += 1
        sums[number] += posting.amount_micros
        if number == line and len(wanted) < limit:
            wanted.append(posting)
    found = tuple(
        LineSum(number=number, line=one, transfers=counts[number], posted_micros=sums[number])
        for number, one in enumerate(document.lines, 1)
    )
    return found, wanted


def _entry(tx: Transaction, posting: Posting) -> Entry:
    if posting.kind == TransferKind.LENT_SHARE:
        return _share(tx, posting)
    usage = tx.ledger.usage_record(posting.cause) if posting.kind == TransferKind.CHARGE else None
    charge = None if usage is None else tx.ledger.charge_of(usage.id)
    if usage is None or charge is None:
        return Entry(
            cause=posting.cause,
            kind=posting.kind,
            at_ms=posting.at_ms,
            amount_micros=posting.amount_micros,
            note=posting.note,
        )
    return Entry(
        cause=posting.cause,
        kind=posting.kind,
        at_ms=posting.at_ms,
        amount_micros=posting.amount_micros,
        note=posting.note,
        charge=charge.id,
        price_book=charge.price_book,
        price_micros=charge.price_micros,
        usage=usage.id,
        accelerator_ms=usage.billed_ams,
        allocation=usage.allocation,
        job=usage.job,
        start_ms=usage.start_ms,
        end_ms=usage.end_ms,
    )


def _share(tx: Transaction, posting: Posting) -> Entry:
    usage, charge = tx.ledger.usage_record(posting.cause), tx.ledger.charge_of(posting.cause)
    return Entry(
        cause=posting.cause,
        kind=posting.kind,
        at_ms=posting.at_ms,
        amount_micros=posting.amount_micros,
        note=posting.note,
        usage=posting.cause,
        price_book="" if charge is None else charge.price_book,
        price_micros=0 if charge is None else charge.price_micros,
        accelerator_ms=0 if usage is None else usage.billed_ams,
        start_ms=0 if usage is None else usage.start_ms,
        end_ms=0 if usage is None else usage.end_ms,
    )
