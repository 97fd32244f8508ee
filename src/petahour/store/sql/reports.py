"""Sums for reports, made by the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, func, or_, select

from petahour.billing.lending import share_id
from petahour.billing.reports.revenue import Earned
from petahour.model.promises import LentShare
from petahour.model.usage import AccountKind, TransferKind
from petahour.store.sql.schema import charges, transfers, usage_records
from petahour.store.sql.statements import credited

_SPENDING = (TransferKind.CHARGE.value, TransferKind.COMMITMENT.value)
_READ_AT_ONCE = 2_000
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
        query = select(func.sum(t.amount_micros)).select_from(transfers.outerjoin(back, _takes_back(back)))
        query = query.where(t.debit == account, t.note == note, back.c.id.is_(None))
        return int(self._connection.execute(query).scalar() or 0)

    def shared(self, own: Sequence[str], *, from_ms: int, to_ms: int) -> Iterator[LentShare]:
        """What lent seats earned these accounts in a while, the latest first."""
        query = shared_query(own, from_ms=from_ms, to_ms=to_ms)
        for row in self._connection.execute(query, execution_options={"yield_per": _READ_AT_ONCE}):
            name, cause, revenue, micros, start_ms, end_ms, back = row
            kind, _, _, detail = revenue.split(":", 3)
            yield LentShare(
                transfer=name,
                reservation=name.removeprefix(share_id(cause, "")),
                type=detail.partition("/")[0],
                start_ms=start_ms,
                end_ms=end_ms,
                amount_micros=micros,
                rehearsal=kind == AccountKind.REHEARSAL_REVENUE,
                taken_back=back is not None,
            )


def shared_query(own: Sequence[str], *, from_ms: int, to_ms: int) -> Select[Any]:
    """Shares into these accounts with the time of their usage records, and what took them back."""
    t, u, back = transfers.c, usage_records.c, transfers.alias("back")
    joined = transfers.join(usage_records, u.id == t.cause).outerjoin(back, _takes_back(back))
    return (
        select(t.id, t.cause, t.debit, t.amount_micros, u.start_ms, u.end_ms, back.c.id)
        .select_from(joined)
        .where(credited(own), t.kind == TransferKind.LENT_SHARE.value, t.at_ms >= from_ms, t.at_ms < to_ms)
        .order_by(u.start_ms.desc(), t.seq.desc())
    )


def _takes_back(back: FromClause) -> ColumnElement[bool]:
    return and_(back.c.id == "trf-rev-" + func.substr(transfers.c.id, 5), back.c.kind == TransferKind.REVERSAL.value)


def _moves() -> ColumnElement[bool]:
    nothing = (TransferKind.PENDING, TransferKind.VOID, TransferKind.EXPIRE)
    return transfers.c.kind.not_in([kind.value for kind in nothing])


def _earned(account: str, micros: int, ams: int) -> Earned:
    _, _, currency, detail = account.split(":", 3)
    type_name, _, tier = detail.partition("/")
    return Earned(currency=currency, type=type_name, tier=tier, accelerator_ms=ams, revenue_micros=micros)
