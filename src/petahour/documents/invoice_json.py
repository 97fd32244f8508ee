"""An invoice as JSON values."""

from __future__ import annotations

from dataclasses import asdict

from petahour.model.invoices import InvoiceDocument
from petahour.model.time import to_iso


def invoice_json(document: InvoiceDocument) -> dict[str, object]:
    """All fields of the document and its sums, amounts in micro-units, times also as ISO text."""
    values: dict[str, object] = asdict(document)
    values |= {
        "total_micros": document.total_micros,
        "due_micros": document.due_micros,
        "rounding_micros": document.rounding_micros,
        "rehearsal_note": "NOT PAYABLE" if document.rehearsal_lines else "",
    }
    for name in ("from_ms", "to_ms", "created_ms", "issued_ms", "due_ms", "settled_ms", "voided_ms"):
        at_ms = getattr(document, name)
        values[name.removesuffix("_ms")] = None if at_ms is None else to_iso(at_ms)
    return values
