"""An invoice's lines as CSV, for spreadsheets and bookkeeping."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from petahour.documents.figures import decimal_text
from petahour.model.invoices import DocumentLine, InvoiceDocument, InvoiceState
from petahour.model.money import MINOR_DIGITS
from petahour.model.time import HOUR_MS, to_iso

COLUMNS = (
    "number", "kind", "state", "tenant", "issued", "currency", "part", "line", "line_kind", "month", "project",
    "type", "tier", "accelerator_hours", "price_min", "price_max", "amount", "note",
)  # fmt: skip


def invoice_csv(document: InvoiceDocument) -> str:
    """One row a line, then net, tax and total; rehearsal lines have the part ``rehearsal-not-payable``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for part, lines in (("payable", document.lines), ("rehearsal-not-payable", document.rehearsal_lines)):
        writer.writerows(_rows(document, part, lines))
    digits = MINOR_DIGITS[document.currency]
    for name, micros in (
        ("net", document.net_micros),
        ("tax", document.tax_micros),
        ("total", document.total_micros),
        ("due", 0 if document.state is InvoiceState.DRAFT else document.due_micros),
    ):
        writer.writerow([*_head(document), name, *[""] * 9, decimal_text(micros, digits), ""])
    return out.getvalue()


def _head(document: InvoiceDocument) -> list[str]:
    issued = "" if document.issued_ms is None else to_iso(document.issued_ms)
    return [
        document.number,
        document.kind.value,
        document.state.value,
        document.tenant,
        issued,
        document.currency,
    ]


def _rows(document: InvoiceDocument, part: str, lines: Iterable[DocumentLine]) -> Iterable[list[object]]:
    for serial, line in enumerate(lines, 1):
        yield [
            *_head(document),
            part,
            serial,
            line.kind.value,
            line.month,
            cell(line.project),
            line.type,
            line.tier,
            f"{line.accelerator_ms / HOUR_MS:.6f}",
            decimal_text(line.price_min_micros),
            decimal_text(line.price_max_micros),
            decimal_text(line.amount_micros, MINOR_DIGITS[document.currency]),
            cell(line.note),
        ]


def cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t")) else text
