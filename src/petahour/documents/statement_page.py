"""A statement of account as a page and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from petahour.billing.account_statement import AccountStatement
from petahour.documents.figures import decimal_text, decimals
from petahour.documents.invoice_csv import cell
from petahour.documents.page import render
from petahour.documents.words import Language, Wording
from petahour.model.invoices import InvoiceDocument, Party
from petahour.model.tenants import Tenant
from petahour.model.time import to_iso
from petahour.model.usage import AccountKind

_TITLES = {AccountKind.PREPAID: "credit-account", AccountKind.RECEIVABLE: "receivable-account"}


def statement_page(
    statements: Sequence[AccountStatement],
    *,
    tenant: Tenant,
    seller: Party,
    buyer: Party,
    language: Language,
    now_ms: int,
    unpaid: Sequence[InvoiceDocument] = (),
) -> str:
    """The accounts one below the other, with balances before and after, all of one interval; and what is unpaid."""
    first = statements[0]
    shown = [micros for one in statements for micros in (one.opening_micros, one.closing_micros)]
    shown += [m for one in statements for entry in one.entries for m in (entry.amount_micros, entry.balance_micros)]
    return render(
        "statement.html.jinja",
        words=Wording(language),
        tenant=tenant,
        seller=seller,
        buyer=buyer,
        month=to_iso(first.from_ms)[:7],
        from_ms=first.from_ms,
        to_ms=first.to_ms,
        now_ms=now_ms,
        digits=decimals(shown, tenant.currency),
        accounts=[(_TITLES[AccountKind(one.account.partition(":")[0])], one) for one in statements],
        unpaid=unpaid,
        unpaid_micros=sum(one.due_micros for one in unpaid),
    )


def statement_csv(statements: Sequence[AccountStatement]) -> str:
    """One row an entry, and the balances before and after as rows of their own; an entry of one transfer names it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("account", "at", "kind", "note", "amount", "balance", "transfer"))
    for one in statements:
        writer.writerow((one.account, to_iso(one.from_ms), "opening", "", "", decimal_text(one.opening_micros), ""))
        for entry in one.entries:
            amounts = (decimal_text(entry.amount_micros), decimal_text(entry.balance_micros))
            writer.writerow(
                (one.account, to_iso(entry.at_ms), entry.kind, cell(entry.note), *amounts, entry.transfer)
            )
        writer.writerow((one.account, to_iso(one.to_ms), "closing", "", "", decimal_text(one.closing_micros), ""))
    return out.getvalue()
