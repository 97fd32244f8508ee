"""Price books in SQL, and the volumes that their bands look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from petahour.billing.book import PriceBook
from petahour.billing.book_file import describe_price_book, parse_stored_book
from petahour.model.jobs import Tier
from petahour.model.prices import SpotPrice
from petahour.store.sql.schema import usage_records
from petahour.store.sql.statements import insert_new, rows
from petahour.store.sql.terms_schema import price_books, spot_prices
from petahour.store.terms_protocol import PublishedBook


class SqlPrices:
    """What is sold, and how much was bought."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, published: PublishedBook) -> bool:
        book = published.book
        row = {
            "id": book.id,
            "currency": book.currency,
            "effective_ms": book.effective_ms,
            "until_ms": book.until_ms,
            "published_ms": published.published_ms,
            "published_by": published.published_by,
            "document": orjson.dumps(describe_price_book(book)).decode(),
        }
        return insert_new(self._connection, price_books, price_books.c.id, row)

    def every(self) -> Sequence[PublishedBook]:
        query = select(price_books).order_by(price_books.c.effective_ms, price_books.c.id)
        return rows(self._connection, query, _published_of)

    def books(self) -> Sequence[PriceBook]:
        return [published.book for published in self.every()]

    def ids(self) -> frozenset[str]:
        return frozenset(self._connection.execute(select(price_books.c.id)).scalars())

    def post(self, price: SpotPrice) -> bool:
        return insert_new(self._connection, spot_prices, spot_prices.primary_key.columns.values(), asdict(price))

    def posted(
        self,
        *,
        currency: str | None = None,
        type: str | None = None,  # noqa: A002
        from_ms: int = 0,
        until_ms: int | None = None,
        limit: int | None = None,
    ) -> Sequence[SpotPrice]:
        column = spot_prices.c
        query = select(spot_prices).where(column.hour_ms >= from_ms)
        if until_ms is not None:
            query = query.where(column.hour_ms <= until_ms)
        if currency is not None:
            query = query.where(column.currency == currency)
        if type is not None:
            query = query.where(column.type == type)
        query = query.order_by(column.hour_ms.desc(), column.currency, column.type).limit(limit)
        return rows(self._connection, query, lambda row: SpotPrice(**row))[::-1]

    def volume_ams(self, *, tenant: str, type: str, tier: Tier, from_ms: int, to_ms: int) -> int:  # noqa: A002
        column = usage_records.c
        query = select(func.coalesce(func.sum(column.billed_ams), 0)).where(
            column.tenant == tenant,
            column.hour_ms >= from_ms,
            column.hour_ms < to_ms,
            column.type == type,
            column.tier == tier.value,
            column.rehearsal.is_(False),
        )
        return int(self._connection.execute(query).scalar_one())


def _published_of(row: Mapping[str, Any]) -> PublishedBook:
    return PublishedBook(
        book=_book_of(row["document"]),
        published_ms=row["published_ms"],
        published_by=row["published_by"],
    )


@lru_cache(maxsize=128)  # a stored book never changes, and is read by every audit
def _book_of(document: str) -> PriceBook:
    return parse_stored_book(orjson.loads(document))
