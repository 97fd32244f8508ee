"""Closing a month: what the ledger says becomes an invoice's lines and totals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from petahour.billing.apportion import apportion, tax_of
from petahour.model.errors import InvariantError
from petahour.model.invoices import (
    BillingTerms,
    DocumentKind,
    DocumentLine,
    InvoiceDocument,
    LineKind,
    PostedSum,
    Posting,
    Seller,
)
from petahour.model.tenants import Tenant
from petahour.model.time import month_bounds, month_of
from petahour.model.usage import AccountKind, TransferKind

_Key = tuple[int, str, str, str, str, str]
_ORDER = (LineKind.USE, LineKind.FEE, LineKind.LENT_SHARE, LineKind.ADJUSTMENT, LineKind.CORRECTION)
_KINDS = {
    TransferKind.REVERSAL.value: LineKind.CORRECTION,
    TransferKind.LENT_SHARE.value: LineKind.LENT_SHARE,
}
_PREPAID = (AccountKind.PREPAID, AccountKind.COMMITTED)


@dataclass(kw_only=True, slots=True)
class _Sum:
    """A line while its postings come in."""

    accelerator_ms: int = 0
    price_min_micros: int | None = None
    price_max_micros: int = 0
    exact_micros: int = 0


@dataclass(kw_only=True, slots=True)
class Gathered:
    """Postings summed by line of the invoice.

    ``prepaid_micros`` and ``owed_micros`` are the payable sums by the side of the tenant they were taken from;
    ``transfers`` counts all postings, rehearsals too; ``late`` are months before the invoice's own.
    """

    month: str
    sums: dict[_Key, _Sum] = field(default_factory=dict)
    rehearsed: dict[_Key, _Sum] = field(default_factory=dict)
    prepaid_micros: int = 0
    owed_micros: int = 0
    transfers: int = 0
    late: set[str] = field(default_factory=set)


def gather(postings: Iterable[PostedSum], month: str) -> Gathered:
    """Sum what is to be billed by line. Raises InvariantError on an account that no invoice knows."""
    from_ms, to_ms = month_bounds(month)
    found = Gathered(month=month)
    for posting in postings:
        if posting.at_ms >= to_ms:
            raise InvariantError(rule="an invoice bills nothing after its month", value=posting.cause)
        used_in = month if posting.at_ms >= from_ms else month_of(posting.at_ms)
        kind = posting.account.partition(":")[0]
        rehearsal = kind == AccountKind.REHEARSAL_USE
        if kind in _PREPAID:
            found.prepaid_micros += posting.amount_micros
        elif kind == AccountKind.RECEIVABLE:
            found.owed_micros += posting.amount_micros
        elif not rehearsal:
            raise InvariantError(rule="an invoice bills credit, commitments and receivables", value=posting.account)
        if used_in != month:
            found.late.add(used_in)
        _add(found.rehearsed if rehearsal else found.sums, posting, used_in, late=used_in != month)
        found.transfers += posting.transfers
    return found


def _add(sums: dict[_Key, _Sum], posting: PostedSum, used_in: str, *, late: bool) -> None:
    line = sums.setdefault(_key_of(posting, used_in, late=late), _Sum())
    line.exact_micros += posting.amount_micros
    if posting.project:
        line.accelerator_ms += posting.accelerator_ms
        low = line.price_min_micros
        line.price_min_micros = posting.price_min_micros if low is None else min(low, posting.price_min_micros)
        line.price_max_micros = max(line.price_max_micros, posting.price_max_micros)


def line_key(posting: Posting, month: str) -> tuple[LineKind, str, str, str, str, str]:
    """The line that bills a posting on the invoice of a month: kind, month of use, project, type, tier, note."""
    from_ms, _ = month_bounds(month)
    used_in = month if posting.at_ms >= from_ms else month_of(posting.at_ms)
    place, *rest = _key_of(posting, used_in, late=used_in != month)
    used_in, project, type_name, tier, note = rest
    return _ORDER[place], used_in, project, type_name, tier, note


def _key_of(posting: PostedSum | Posting, used_in: str, *, late: bool) -> _Key:
    if posting.project:
        kind = LineKind.ADJUSTMENT if late else LineKind.USE
        return (_ORDER.index(kind), used_in, posting.project, posting.type, posting.tier, "")
    kind = _KINDS.get(posting.kind, LineKind.FEE)
    type_name, _, tier = posting.counter.split(":", 3)[-1].partition("/")
    return (_ORDER.index(kind), used_in, "", type_name, tier, " ".join((posting.note or posting.cause).split()))


def draft(
    gathered: Gathered,
    *,
    document_id: str,
    tenant: Tenant,
    seller: Seller,
    terms: BillingTerms,
    waived_ams: int,
    created_ms: int,
) -> InvoiceDocument:
    """The invoice of what was gathered: lines rounded to the minor unit so that they sum to the net amount, and tax.

    ``prepaid_micros`` is yet the exact part taken from credit; ``settle`` makes it whole when the invoice is issued.
    """
    from_ms, to_ms = month_bounds(gathered.month)
    lines = _lines(gathered.sums, tenant.currency)
    rehearsed = _lines(gathered.rehearsed, tenant.currency)
    net_micros = sum(line.amount_micros for line in lines)
    return InvoiceDocument(
        id=document_id,
        kind=DocumentKind.INVOICE,
        tenant=tenant.name,
        month=gathered.month,
        from_ms=from_ms,
        to_ms=to_ms,
        currency=tenant.currency,
        seller=seller.party,
        buyer=terms.party,
        lines=lines,
        net_micros=net_micros,
        exact_micros=sum(line.exact_micros for line in lines),
        tax_name=terms.tax_name,
        tax_rate_ppm=terms.tax_rate_ppm,
        tax_micros=tax_of(net_micros, terms.tax_rate_ppm, tenant.currency),
        prepaid_micros=gathered.prepaid_micros,
        rehearsal_lines=rehearsed,
        rehearsal_micros=sum(line.amount_micros for line in rehearsed),
        waived_ams=waived_ams,
        terms_days=seller.terms_days if terms.terms_days is None else terms.terms_days,
        language=terms.language,
        note=seller.note,
        created_ms=created_ms,
    )


def _lines(sums: dict[_Key, _Sum], currency: str) -> tuple[DocumentLine, ...]:
    keys = sorted(sums)
    amounts = apportion([sums[key].exact_micros for key in keys], currency)
    lines = tuple(_line(key, sums[key], amount) for key, amount in zip(keys, amounts, strict=True))
    return tuple(line for line in lines if line.exact_micros or line.accelerator_ms or line.amount_micros)


def _line(key: _Key, line: _Sum, amount_micros: int) -> DocumentLine:
    place, month, project, type_name, tier, note = key
    return DocumentLine(
        kind=_ORDER[place],
        month=month,
        project=project,
        type=type_name,
        tier=tier,
        accelerator_ms=line.accelerator_ms,
        price_min_micros=line.price_min_micros or 0,
        price_max_micros=line.price_max_micros,
        exact_micros=line.exact_micros,
        amount_micros=amount_micros,
        note=note,
    )


def numbered(document: InvoiceDocument, *, series: str, serial: int) -> InvoiceDocument:
    """The document with the number that its place in a series gives it: ``PH2026-00001``."""
    return replace(document, number=f"{series}-{serial:05d}")
