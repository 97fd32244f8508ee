"""Documents as HTML pages, made for paper and readable on a screen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from petahour.documents import figures
from petahour.documents.words import Language, Wording
from petahour.model.invoices import DocumentKind, DocumentLine, InvoiceDocument, InvoiceState, LineKind


def invoice_page(document: InvoiceDocument, *, language: Language, titles: Mapping[str, str]) -> str:
    """An invoice or credit note. ``titles`` are the full names of accelerator types."""
    words = Wording(language)
    return render(
        "invoice.html.jinja",
        words=words,
        document=document,
        credit=document.kind is DocumentKind.CREDIT_NOTE,
        mark=words(document.state) if document.state in (InvoiceState.DRAFT, InvoiceState.VOID) else "",
        lines=[_row(line, document.currency, words, titles) for line in document.lines],
        rehearsals=[_row(line, document.currency, words, titles) for line in document.rehearsal_lines],
        off_due_micros=document.total_micros - document.prepaid_micros,
    )


def render(template: str, *, words: Wording, **values: object) -> str:
    """A template of this package with its words and figures."""
    return _environment().get_template(template).render(words=words, figures=figures, **values)


def _row(line: DocumentLine, currency: str, words: Wording, titles: Mapping[str, str]) -> dict[str, str]:
    """One line as a template shows it: what, of which kind, how long, at what price, how much."""
    title = titles.get(line.type, line.type)
    details = [line.type] if title != line.type else []
    details += [words(line.tier) if line.tier in ("on-demand", "spot", "reserved", "lent") else line.tier]
    if line.project:
        details.append(f"{words('project')} {line.project}")
    notes = []
    if line.kind is LineKind.ADJUSTMENT:
        notes.append(words("adjustment", month=line.month))
    measured_fee = line.kind is LineKind.FEE and line.accelerator_ms > 0  # the note says what it is
    if line.kind in (LineKind.CORRECTION, LineKind.FEE, LineKind.LENT_SHARE) and not measured_fee:
        notes.append(words(line.kind) + (f" ({line.month})" if line.month else ""))
    if line.note:
        notes.append(line.note)
    return {
        "title": title,
        "details": " · ".join(item for item in details if item),
        "note": ": ".join(notes),
        "hours": figures.hours(line.accelerator_ms),
        "price": figures.price(line.price_min_micros, line.price_max_micros, currency),
        "amount": figures.amount(line.amount_micros, currency),
    }


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("petahour.documents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
