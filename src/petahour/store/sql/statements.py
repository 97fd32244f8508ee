"""Statement shapes that several gateways share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Boolean, Column, ColumnElement, Connection, Select, Table, and_, literal, literal_column
from sqlalchemy.dialects import postgresql, sqlite

from petahour.store.sql.schema import NO_CHARGE, transfers, usage_records

Noun = TypeVar("Noun")
Row: TypeAlias = Mapping[str, Any]

BATCH = 500  # well below the bound-variable limits of SQLite (32,766) and PostgreSQL (65,535)


def rows(connection: Connection, query: Select[Any], make: Callable[[Row], Noun]) -> Sequence[Noun]:
    """Every row of a query as a noun."""
    return [make(cast(Row, row)) for row in connection.execute(query).mappings()]


def one(connection: Connection, query: Select[Any], make: Callable[[Row], Noun]) -> Noun | None:
    """The only row of a query as a noun, or None."""
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else make(cast(Row, row))


def insert_new(
    connection: Connection, table: Table, key: Column[Any] | Sequence[Column[Any]], row: Mapping[str, object]
) -> bool:
    """Insert unless the key, of one column or several, is stored already; True when it was new."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    columns = [key] if isinstance(key, Column) else list(key)
    # Asked by RETURNING: the row count of such an insert is not to be had from every driver.
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=columns).returning(*columns)
    return connection.execute(statement, row).first() is not None


def of_allocation(allocation: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Of this allocation. The ids of its usage records begin with its own, so that their index finds them."""
    name = literal(allocation) if isinstance(allocation, str) else allocation
    column, stem = usage_records.c, literal("use-").concat(name)
    return and_(column.id > stem.concat("-"), column.id < stem.concat("."), column.allocation == name)


def credited(accounts: Sequence[str]) -> ColumnElement[bool]:
    """Transfers into these accounts, none of them of revenue: charges, which go there, are in no index of credits."""
    return and_(transfers.c.credit.in_(accounts), literal_column(f"transfers.{NO_CHARGE}", Boolean))


def batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids in lists short enough for one IN clause."""
    distinct = iter(dict.fromkeys(ids))
    while batch := list(islice(distinct, BATCH)):
        yield batch
