"""Queries for what is to be billed: every movement between a tenant's accounts and the operator's revenue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select

from petahour.model.usage import AccountKind, TransferKind
from petahour.store.sql.schema import charges, transfers, usage_records

_EARNING = (AccountKind.REVENUE, AccountKind.REHEARSAL_REVENUE)
# A hold moves nothing; what a hold became, if anything, is its post.
_MOVES_NOTHING = [kind.value for kind in (TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE)]


def postings_query(own: Sequence[str]) -> Select[Any]:
    """The columns of ``Posting`` and ``seq``, of every transfer between these accounts and revenue.

    A charge brings project, type, tier, time and price of its usage record; another transfer has none of them.
    """
    t, c, u = transfers.c, charges.c, usage_records.c
    spent = t.debit.in_(own)
    joined = transfers.outerjoin(charges, and_(t.kind == TransferKind.CHARGE.value, c.usage == t.cause)).outerjoin(
        usage_records, u.id == c.usage
    )
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
        .select_from(joined)
        .where(*_between(own))
    )


def marking(own: Sequence[str], invoice: str) -> Select[Any]:
    """The same transfers as pairs of ``seq`` and the invoice's id."""
    t = transfers.c
    return select(t.seq, literal(invoice)).where(*_between(own))


def waived_query(tenant: str, from_ms: int, to_ms: int) -> Select[Any]:
    u = usage_records.c
    inside = (u.hour_ms >= from_ms, u.hour_ms < to_ms)
    return select(func.sum(u.waived_ams)).where(u.tenant == tenant, *inside, u.rehearsal.is_(False))


def _between(own: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    t = transfers.c
    return (
        or_(and_(t.debit.in_(own), _earns(t.credit)), and_(t.credit.in_(own), _earns(t.debit))),
        t.kind.not_in(_MOVES_NOTHING),
    )


def _earns(account: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(*(account.like(f"{kind.value}:%") for kind in _EARNING))
