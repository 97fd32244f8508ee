"""Invoices: a tenant's month as lines that sum to the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from petahour.billing.invoice_form import render_text, to_json
from petahour.billing.invoice_nouns import Invoice, InvoiceLine
from petahour.billing.ledger import charge_transfer_id
from petahour.billing.rate import rate
from petahour.model.errors import InvariantError, ValidationError
from petahour.model.tenants import Tenant
from petahour.model.time import month_bounds
from petahour.model.usage import AccountKind, Charge, Transfer, TransferKind, UsageRecord, account_id

__all__ = ["CREDIT_OF_TENANT", "Invoice", "InvoiceLine", "make_invoice", "render_text", "to_json"]

CREDIT_OF_TENANT = (AccountKind.PREPAID, AccountKind.COMMITTED, AccountKind.RECEIVABLE)
_SUMMED = (TransferKind.FEE, TransferKind.LENT_SHARE)  # those of one note are one line
_EARNED = (AccountKind.REVENUE, AccountKind.REHEARSAL_REVENUE)
_SETTLED = (AccountKind.TAX, AccountKind.ROUNDING)


def make_invoice(
    *,
    tenant: Tenant,
    month: str,
    charges: Iterable[Charge],
    usage: Iterable[UsageRecord],
    transfers: Iterable[Transfer],
    generated_ms: int,
    issued: str = "",
) -> Invoice:
    """The invoice of a month (``YYYY-MM``, UTC), checked against the usage records and the ledger.

    ``charges`` and ``usage`` are at least all of the tenant's in that month; ``transfers`` are all that ever
    touched the tenant's accounts, as the opening balance is their sum; ``issued`` is the number of the invoice that
    was made of the month. Raises ValidationError on a month that has not begun, and InvariantError when a charge is
    not the price of its usage record, or lines, charges and ledger do not say the same. A charge of zero may go
    without a transfer, as it moves nothing.
    """
    from_ms, to_ms = month_bounds(month)
    if generated_ms < from_ms:
        raise ValidationError(
            field="month",
            value=month,
            rule="a month that has begun",
            remedy="Ask for the present month or one before.",
        )
    rated = _rated(tenant, [one for one in charges if from_ms <= one.hour_ms < to_ms], usage)
    posted = [one for one in transfers if one.at_ms < to_ms]
    real = _Side.of(tenant, posted, from_ms, rehearsal=False)
    rehearsal = _Side.of(tenant, posted, from_ms, rehearsal=True)
    lines = _lines([pair for pair in rated if not pair[0].rehearsal], real)
    rehearsal_lines = _lines([pair for pair in rated if pair[0].rehearsal], rehearsal)
    total_micros = sum(line.amount_micros for line in lines)
    if real.closing_micros != real.opening_micros + real.topups_micros + real.settled_micros - total_micros:
        raise InvariantError(rule="closing = opening + top-ups + settled - total", value=(tenant.name, month))
    return Invoice(
        number=f"PH-{month}-{tenant.name}",
        tenant=tenant.name,
        title=tenant.title,
        month=month,
        from_ms=from_ms,
        to_ms=to_ms,
        generated_ms=generated_ms,
        closed=generated_ms >= to_ms,
        currency=tenant.currency,
        lines=lines,
        total_micros=total_micros,
        waived_ams=sum(record.waived_ams for charge, record in rated if not charge.rehearsal),
        rehearsal_lines=rehearsal_lines,
        rehearsal_total_micros=sum(line.amount_micros for line in rehearsal_lines),
        opening_micros=real.opening_micros,
        topups_micros=real.topups_micros,
        settled_micros=real.settled_micros,
        closing_micros=real.closing_micros,
        held_micros=real.held_micros,
        issued=issued,
    )


_Rated = list[tuple[Charge, UsageRecord]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """The tenant's accounts of one sort in the month: credit and debt together, or rehearsal use.

    ``settled`` is tax and rounding of documents, ``topups`` all else that came or went otherwise than by use:
    payments, refunds, debts given up.
    """

    own: frozenset[str]
    posted: Mapping[str, Transfer]
    corrections: tuple[Transfer, ...]
    opening_micros: int
    topups_micros: int
    settled_micros: int
    closing_micros: int
    held_micros: int

    @classmethod
    def of(cls, tenant: Tenant, transfers: Iterable[Transfer], from_ms: int, *, rehearsal: bool) -> _Side:
        kinds = (AccountKind.REHEARSAL_USE,) if rehearsal else CREDIT_OF_TENANT
        own = frozenset(account_id(kind, tenant.currency, tenant.name) for kind in kinds)
        opening = topups = settled = closing = 0
        held: dict[str, int] = {}
        posted: dict[str, Transfer] = {}
        corrections: list[Transfer] = []
        for one in transfers:
            if (one.debit in own) is (one.credit in own):
                continue
            if one.currency != tenant.currency:
                raise InvariantError(rule="a tenant has one currency", value=one.id)
            if one.kind is TransferKind.PENDING:
                held[one.id] = held.get(one.id, 0) + one.amount_micros
                continue
            if one.kind.closes:
                held.pop(one.pending, None)
                if one.kind is not TransferKind.POST:
                    continue
            change = one.amount_micros if one.credit in own else -one.amount_micros
            closing += change
            if one.at_ms < from_ms:
                opening += change
            elif one.kind is TransferKind.CHARGE:
                if one.amount_micros:
                    posted[one.id] = one
            elif (other := (one.debit if one.credit in own else one.credit).split(":")[0]) in _EARNED:
                corrections.append(one)
            elif other in _SETTLED:
                settled += change
            else:
                topups += change
        return cls(
            own=own,
            posted=posted,
            corrections=tuple(corrections),
            opening_micros=opening,
            topups_micros=topups,
            settled_micros=settled,
            closing_micros=closing,
            held_micros=sum(held.values()),
        )


def _rated(tenant: Tenant, charges: list[Charge], usage: Iterable[UsageRecord]) -> _Rated:
    """Every charge with its usage record, both checked to be the tenant's and to fit each other."""
    wanted = {charge.usage for charge in charges}
    records = {record.id: record for record in usage if record.id in wanted}
    rated: _Rated = []
    for charge in charges:
        record = records.get(charge.usage)
        if charge.tenant != tenant.name or charge.currency != tenant.currency:
            raise InvariantError(rule="an invoice has one tenant and one currency", value=charge.id)
        if record is None or charge != rate(
            record, price_book=charge.price_book, price_micros=charge.price_micros, currency=charge.currency
        ):
            raise InvariantError(rule="a charge is the price of its usage record", value=charge.id)
        rated.append((charge, record))
    return rated


def _lines(rated: _Rated, side: _Side) -> tuple[InvoiceLine, ...]:
    """Lines of use by project, type and tier, one for each reservation, what it lent, and fee, and one for every
    correction; checked against the ledger.
    """
    _check_posted(rated, side)
    groups: dict[tuple[str, str, str], _Rated] = {}
    for charge, record in rated:
        if record.billed_ams:
            groups.setdefault((charge.project, charge.type, charge.tier.value), []).append((charge, record))
    used = tuple(_use_line(*key, pairs) for key, pairs in sorted(groups.items()))
    fees: dict[tuple[str, str, str], InvoiceLine] = {}
    for one in side.corrections:
        if one.kind in _SUMMED:
            line = _correction_line(one, side.own)
            known = fees.get((one.note, line.type, line.tier))
            more = 0 if known is None else known.amount_micros
            fees[one.note, line.type, line.tier] = replace(line, amount_micros=line.amount_micros + more)
    others = (one for one in side.corrections if one.kind not in _SUMMED)
    return used + tuple(fees.values()) + tuple(_correction_line(one, side.own) for one in others)


def _check_posted(rated: _Rated, side: _Side) -> None:
    charged = {charge_transfer_id(charge): charge.amount_micros for charge, _ in rated if charge.amount_micros}
    posted = {one.id: one.amount_micros for one in side.posted.values() if one.debit in side.own}
    if charged != posted or len({charge.id for charge, _ in rated}) != len(rated):
        odd = sorted(set(charged.items()) ^ set(posted.items()))[:5]
        raise InvariantError(rule="the month's charges are the charge transfers of its ledger", value=odd)


def _use_line(project: str, type_name: str, tier: str, pairs: _Rated) -> InvoiceLine:
    return InvoiceLine(
        project=project,
        type=type_name,
        tier=tier,
        accelerator_ms=sum(record.billed_ams for _, record in pairs),
        price_min_micros=min(charge.price_micros for charge, _ in pairs),
        price_max_micros=max(charge.price_micros for charge, _ in pairs),
        amount_micros=sum(charge.amount_micros for charge, _ in pairs),
    )


def _correction_line(reversal: Transfer, own: frozenset[str]) -> InvoiceLine:
    """A reversed charge comes back to the tenant: a negative amount (and a reversed reversal a positive one)."""
    back = reversal.credit in own
    earned = reversal.debit if back else reversal.credit
    type_name, _, tier = earned.rsplit(":", 1)[-1].partition("/")
    return InvoiceLine(
        project="",
        type=type_name,
        tier=tier,
        accelerator_ms=0,
        price_min_micros=0,
        price_max_micros=0,
        amount_micros=-reversal.amount_micros if back else reversal.amount_micros,
        note=" ".join(_note(reversal).split()),
        fee=reversal.kind is TransferKind.FEE,
    )


def _note(transfer: Transfer) -> str:
    if transfer.kind is TransferKind.REVERSAL:
        return f"{transfer.cause} reversed: {transfer.note}"
    if transfer.kind in _SUMMED:
        return transfer.note or transfer.cause
    return f"{transfer.kind.value} {transfer.cause}: {transfer.note}"
