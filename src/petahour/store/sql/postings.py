"""Queries for what is to be billed: every movement between a tenant's accounts and the operator's revenue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Join, Select, and_, case, func, literal, literal_column, or_, select

from petahour.model.time import DAY_MS
from petahour.model.usage import AccountKind, TransferKind
from petahour.store.sql.schema import charges, transfers, usage_records
from petahour.store.sql.statements import credited

_EARNING = (AccountKind.REVENUE, AccountKind.REHEARSAL_REVENUE)
# A hold moves nothing; what a hold became, if anything, is its post.
_MOVES_NOTHING = [kind.value for kind in (TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE)]


def postings_query(own: Sequence[str]) -> Select[Any]:
    """The columns of ``Posting`` and ``seq``, of every transfer between these accounts and revenue.

    A charge brings project, type, tier, time and price of its usage record; another transfer has none of them.
    """
    t, c, u = transfers.c, charges.c, usage_records.c
    spent = t.debit.in_(own)
    return (
        select(
            t.seq.label("seq"),
            case((spent, t.debit), else_=t.credit).label("account"),
            case((spent, t.credit), else_=t.debit).label("counter"),
            t.kind.label("kind"),
            case((spent, t.amount_micros), else_=-t.amount_micros).label("amount_micros"),
            t.at_ms.label("at_ms"),
            t.cause.label("cause"),
            t.note.label("note"),
            func.coalesce(c.project, "").label("project"),
            func.coalesce(c.type, "").label("type"),
            func.coalesce(c.tier, "").label("tier"),
            func.coalesce(u.billed_ams, 0).label("accelerator_ms"),
            func.coalesce(c.price_micros, 0).label("price_micros"),
            func.coalesce(u.job, "").label("job"),
            func.coalesce(u.start_ms, 0).label("start_ms"),
            func.coalesce(u.end_ms, 0).label("end_ms"),
        )
        .select_from(_joined())
        .where(*_between(own))
    )


def sums_query(own: Sequence[str], *, from_ms: int) -> Select[Any]:
    """The columns of ``PostedSum``: what is dated from an instant on is one group, what is before goes by days."""
    t, c, u = transfers.c, charges.c, usage_records.c
    spent = t.debit.in_(own)
    charged = c.project.is_not(None)
    keys = (
        case((spent, t.debit), else_=t.credit).label("account"),
        case((spent, t.credit), else_=t.debit).label("counter"),
        t.kind.label("kind"),
        case((t.at_ms >= from_ms, from_ms), else_=t.at_ms - t.at_ms % DAY_MS).label("at_ms"),
        case((charged, ""), else_=t.note).label("note"),
        case((charged | (t.kind == TransferKind.LENT_SHARE.value), ""), else_=t.cause).label("cause"),
        func.coalesce(c.project, "").label("project"),
        func.coalesce(c.type, "").label("type"),
        func.coalesce(c.tier, "").label("tier"),
    )
    # Grouped by place, as two parameters of one value are not one expression to PostgreSQL.
    places: list[ColumnElement[int]] = [literal_column(str(place)) for place in range(1, len(keys) + 1)]
    return (
        select(
            *keys,
            func.sum(case((spent, t.amount_micros), else_=-t.amount_micros)).label("amount_micros"),
            func.sum(func.coalesce(u.billed_ams, 0)).label("accelerator_ms"),
            func.min(func.coalesce(c.price_micros, 0)).label("price_min_micros"),
            func.max(func.coalesce(c.price_micros, 0)).label("price_max_micros"),
            func.count().label("transfers"),
        )
        .select_from(_joined())
        .where(*_between(own))
        .group_by(*places)
        .order_by(*places)
    )


def marking(own: Sequence[str], invoice: str) -> Select[Any]:
    """The same transfers as pairs of ``seq`` and the invoice's id."""
    t = transfers.c
    return select(t.seq, literal(invoice)).where(*_between(own))


def waived_query(tenant: str, from_ms: int, to_ms: int) -> Select[Any]:
    u = usage_records.c
    inside = (u.hour_ms >= from_ms, u.hour_ms < to_ms)
    return select(func.sum(u.waived_ams)).where(u.tenant == tenant, *inside, u.rehearsal.is_(False))


def _joined() -> Join:
    """Transfers, each that posts a charge with the charge and its usage record."""
    t, c, u = transfers.c, charges.c, usage_records.c
    of_charge = and_(t.kind == TransferKind.CHARGE.value, c.usage == t.cause)
    return transfers.outerjoin(charges, of_charge).outerjoin(usage_records, u.id == c.usage)


def _between(own: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    t = transfers.c
    return (
        or_(and_(t.debit.in_(own), _earns(t.credit)), and_(credited(own), _earns(t.debit))),
        t.kind.not_in(_MOVES_NOTHING),
    )


def _earns(account: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(*(account.like(f"{kind.value}:%") for kind in _EARNING))
