"""Quotes in SQL, and what the jobs submitted under them were billed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from sqlalchemy import Connection, case, func, insert, select, update

from petahour.model.jobs import Tier
from petahour.model.quotes import Choice, ExpectedStart, Interval, NotQuoted, Objective, Quote, QuoteLine, TierPrice
from petahour.store.protocol import Billed
from petahour.store.sql.schema import allocations, charges, quotes, usage_records
from petahour.store.sql.statements import batches, of_allocation, one, rows

_COLUMNS = ("id", "tenant", "user", "created_ms", "valid_until_ms", "work", "job")


class SqlQuotes:
    """The rows of quotes. What no query looks for lies in one document."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, quote: Quote) -> None:
        whole = asdict(quote)
        row = {name: whole.pop(name) for name in _COLUMNS}
        self._connection.execute(insert(quotes), {**row, "document": orjson.dumps(whole).decode()})

    def get(self, quote_id: str) -> Quote | None:
        return one(self._connection, select(quotes).where(quotes.c.id == quote_id), _quote_of)

    def of_job(self, job_id: str) -> Quote | None:
        """The quote that the job was submitted under."""
        return one(self._connection, select(quotes).where(quotes.c.job == job_id), _quote_of)

    def use(self, quote_id: str, job_id: str) -> bool:
        """The quote is that job's from now on; False when it was another's already."""
        free = update(quotes).where(quotes.c.id == quote_id, quotes.c.job.is_(None))
        return self._connection.execute(free, {"job": job_id}).rowcount == 1

    def newest(self, *, tenant: str | None, limit: int) -> Sequence[Quote]:
        query = select(quotes).order_by(quotes.c.seq.desc()).limit(limit)
        if tenant is not None:
            query = query.where(quotes.c.tenant == tenant)
        return rows(self._connection, query, _quote_of)

    def used(self, *, tenant: str | None = None, work: str | None = None, limit: int) -> Sequence[Quote]:
        query = select(quotes).where(quotes.c.job.is_not(None)).order_by(quotes.c.seq.desc()).limit(limit)
        if tenant is not None:
            query = query.where(quotes.c.tenant == tenant)
        if work is not None:
            query = query.where(quotes.c.work == work)
        return rows(self._connection, query, _quote_of)

    def billed(self, jobs: Iterable[str]) -> Mapping[str, Billed]:
        found: dict[str, Billed] = {}
        for batch in batches(jobs):
            query = (
                select(
                    allocations.c.job,
                    func.max(allocations.c.type),
                    func.count(func.distinct(allocations.c.type)),
                    func.sum(usage_records.c.billed_ams),
                    func.sum(charges.c.amount_micros),
                    func.max(charges.c.currency),
                    func.sum(case((allocations.c.rehearsal.is_(True), 1), else_=0)),
                )
                .join(usage_records, of_allocation(allocations.c.id))
                .join(charges, charges.c.usage == usage_records.c.id)
                .where(allocations.c.job.in_(batch))
                .group_by(allocations.c.job)
            )
            for job, type_name, types, billed_ams, micros, currency, rehearsed in self._connection.execute(query):
                found[job] = Billed(
                    type=type_name if types == 1 else None,
                    accelerator_ms=int(billed_ams),
                    amount_micros=int(micros),
                    currency=currency,
                    rehearsal=rehearsed > 0,
                )
        return found


def _quote_of(row: Mapping[str, Any]) -> Quote:
    raw = orjson.loads(row["document"])
    raw["tier"], raw["objective"] = Tier(raw["tier"]), Objective(raw["objective"])
    raw["lines"] = tuple(_line_of(line) for line in raw["lines"])
    raw["refused"] = tuple(NotQuoted(**item) for item in raw["refused"])
    return Quote(**{name: row[name] for name in _COLUMNS}, **raw)


def _line_of(raw: dict[str, Any]) -> QuoteLine:
    known = {field.name: raw[field.name] for field in fields(QuoteLine) if field.name in raw}
    known["run_ms"] = Interval(**raw["run_ms"])
    known["start"] = None if raw["start"] is None else ExpectedStart(**raw["start"])
    known["choices"] = tuple(Choice(**choice) for choice in raw.get("choices", ()))
    known["notes"] = tuple(raw["notes"])
    known["prices"] = tuple(
        TierPrice(
            tier=Tier(price["tier"]),
            price_micros=price["price_micros"],
            total_micros=Interval(**price["total_micros"]),
        )
        for price in raw["prices"]
    )
    return QuoteLine(**known)
