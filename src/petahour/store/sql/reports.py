"""Sums for reports, made by the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from petahour.billing.reports.revenue import Earned
from petahour.model.usage import AccountKind, TransferKind
from petahour.store.sql.schema import charges, transfers, usage_records

_SPENDING = (TransferKind.CHARGE.value, TransferKind.COMMITMENT.value)
_REVENUE = f"{AccountKind.REVENUE.value}:%"


class SqlReports:
    """What accounts earned and spent in a while."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def earned(self, *, from_ms: int, to_ms: int) -> Sequence[Earned]:
        """By revenue account: what came in less what was taken back, and the accelerator time charged for."""
        t, c, u = transfers.c, charges.c, usage_records.c
        into = t.credit.like(_REVENUE)
        account = case((into, t.credit), else_=t.debit)
        amount = func.sum(case((into, t.amount_micros), else_=-t.amount_micros))
        joined = transfers.outerjoin(charges, and_(t.kind == TransferKind.CHARGE.value, c.usage == t.cause))
        query = (
            select(account, amount, func.sum(func.coalesce(u.billed_ams, 0)))
            .select_from(joined.outerjoin(usage_records, u.id == c.usage))
            .where(t.at_ms >= from_ms, t.at_ms < to_ms, or_(into, t.debit.like(_REVENUE)), _moves())
            .group_by(account)
        )
        return [_earned(name, int(micros), int(ams)) for name, micros, ams in self._connection.execute(query)]

    def charged(self, *, from_ms: int, to_ms: int) -> dict[str, int]:
        """By prepaid account: what use and reservations took from it, in micro-units, but for early ends."""
        t = transfers.c
        query = (
            select(t.debit, func.sum(t.amount_micros))
            .where(t.at_ms >= from_ms, t.at_ms < to_ms, or_(t.kind.in_(_SPENDING), t.id.like("trf-reserved-%")))
            .where(t.debit.like(f"{AccountKind.PREPAID.value}:%"))
            .group_by(t.debit)
        )
        return {account: int(micros) for account, micros in self._connection.execute(query)}

    def noted(self, account: str, note: str) -> int:
        """What transfers with this note took out of an account, in micro-units, less what was taken back of them."""
        t, back = transfers.c, transfers.alias()
        joined = transfers.outerjoin(
            back, and_(back.c.id == "trf-rev-" + func.substr(t.id, 5), back.c.kind == TransferKind.REVERSAL.value)
        )
        query = select(func.sum(t.amount_micros)).select_from(joined)
        query = query.where(t.debit == account, t.note == note, back.c.id.is_(None))
        return int(self._connection.execute(query).scalar() or 0)


def _moves() -> ColumnElement[bool]:
    nothing = (TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE)
    return transfers.c.kind.not_in([kind.value for kind in nothing])


def _earned(account: str, micros: int, ams: int) -> Earned:
    _, _, currency, detail = account.split(":", 3)
    type_name, _, tier = detail.partition("/")
    return Earned(currency=currency, type=type_name, tier=tier, accelerator_ms=ams, revenue_micros=micros)
