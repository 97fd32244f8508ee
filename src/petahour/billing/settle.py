"""Settling an invoice in the ledger: its rounding and tax, and what is left to pay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from petahour.billing.apportion import floor_minor, round_minor
from petahour.model.invoices import InvoiceDocument
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id


def settle(
    document: InvoiceDocument, *, available_micros: int, at_ms: int
) -> tuple[InvoiceDocument, tuple[Transfer, ...]]:
    """The invoice with what credit paid of it, and the transfers that make the ledger say the same.

    The use was posted when it was metered, in micro-units. Here each side of the tenant, credit and receivable, is
    brought to the minor unit against ``rounding``, and tax is taken from credit as far as ``available_micros`` (what
    is not held) goes in whole minor units; the rest of it is owed. What is due is then payable to the last unit.
    Where less than nothing is due, as more was taken back of earlier use than is owed, that becomes credit.
    """
    currency = document.currency
    prepaid_micros = round_minor(document.prepaid_micros, currency)
    owed_micros = document.net_micros - prepaid_micros
    by_credit = prepaid_micros - document.prepaid_micros
    by_receivable = owed_micros - (document.exact_micros - document.prepaid_micros)
    free_micros = max(0, floor_minor(available_micros - by_credit, currency))
    tax_prepaid = min(document.tax_micros, free_micros) if prepaid_micros or not owed_micros else 0
    back_micros = max(0, -(owed_micros + document.tax_micros - tax_prepaid))
    made = (
        *_moved(document, TransferKind.ROUNDING, AccountKind.PREPAID, by_credit, at_ms),
        *_moved(document, TransferKind.ROUNDING, AccountKind.RECEIVABLE, by_receivable, at_ms),
        *_moved(document, TransferKind.TAX, AccountKind.PREPAID, tax_prepaid, at_ms),
        *_moved(document, TransferKind.TAX, AccountKind.RECEIVABLE, document.tax_micros - tax_prepaid, at_ms),
        *_moved(document, TransferKind.OFFSET, AccountKind.RECEIVABLE, back_micros, at_ms),
    )
    return replace(document, prepaid_micros=prepaid_micros + tax_prepaid - back_micros), made


def _moved(
    document: InvoiceDocument, kind: TransferKind, side: AccountKind, micros: int, at_ms: int
) -> Iterator[Transfer]:
    """From the tenant's account to the operator's, or its credit, or back where negative. Its id is the invoice's."""
    if not micros:
        return
    mine = account_id(side, document.currency, document.tenant)
    earned = AccountKind.TAX if kind is TransferKind.TAX else AccountKind.ROUNDING
    theirs = account_id(earned, document.currency)
    if kind is TransferKind.OFFSET:
        theirs = account_id(AccountKind.PREPAID, document.currency, document.tenant)
    yield Transfer(
        id=f"trf-{kind.value}-{side.value}-{document.id}",
        kind=kind,
        debit=mine if micros > 0 else theirs,
        credit=theirs if micros > 0 else mine,
        amount_micros=abs(micros),
        currency=document.currency,
        at_ms=at_ms,
        cause=document.id,
        note=document.number,
    )


def settlement_ids(document_id: str) -> tuple[str, ...]:
    """The ids of every transfer that issuing may have made."""
    kinds = (TransferKind.ROUNDING, TransferKind.TAX, TransferKind.OFFSET)
    sides = (AccountKind.PREPAID, AccountKind.RECEIVABLE)
    return tuple(f"trf-{kind.value}-{side.value}-{document_id}" for kind in kinds for side in sides)


def payment(document: InvoiceDocument, *, micros: int, key: str, at_ms: int, note: str) -> Transfer:
    """Money that came in for an invoice: from cash to the receivable. One key is one payment."""
    return Transfer(
        id=f"trf-payment-{document.tenant}:{key}",
        kind=TransferKind.PAYMENT,
        debit=account_id(AccountKind.CASH, document.currency),
        credit=account_id(AccountKind.RECEIVABLE, document.currency, document.tenant),
        amount_micros=micros,
        currency=document.currency,
        at_ms=at_ms,
        cause=document.number,
        note=note,
    )
