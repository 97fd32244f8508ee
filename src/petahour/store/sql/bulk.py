"""Many rows at once: the shortest way into each database, for what is written by the thousand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from psycopg import Error, sql
from sqlalchemy import Column, Connection, Table
from sqlalchemy.exc import DBAPIError

Row = Mapping[str, Any]

_BINDS = 10_000  # below the limit of SQLite's bound variables (32,766)


def insert_many(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that all have the same columns. Constraints and triggers hold as for single rows."""
    if not rows:
        return
    names = list(rows[0])
    values = [tuple(row.values()) for row in rows]
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        columns = ", ".join(f'"{name}"' for name in names)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", values)
        return
    _copy(connection, table, names, values)


def _copy(connection: Connection, table: Table, names: Sequence[str], values: Sequence[tuple[object, ...]]) -> None:
    """PostgreSQL's own way for many rows, over the driver's connection, inside the transaction that is under way."""
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(copy) as stream:
            for value in values:
                stream.write_row(value)
    except Error as error:
        # As SQLAlchemy names what goes wrong in its own statements.
        raise DBAPIError.instance(
            copy.as_string(driver),
            None,
            error,
            Error,
            connection_invalidated=driver.closed,
            dialect=connection.dialect,
        ) from error


def upsert_many(connection: Connection, table: Table, key: str, rows: Sequence[Row]) -> None:
    """Insert rows, or where the key is stored already, give its row the other values."""
    if not rows:
        return
    names = list(rows[0])
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    conflict = f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        connection.exec_driver_sql(f"{into} VALUES ({marks}) {conflict}", [tuple(row.values()) for row in rows])
        return
    arrays = tuple([row[name] for row in rows] for name in names)
    casts = ", ".join(f"%s::{table.c[name].type.compile(connection.dialect)}[]" for name in names)
    connection.exec_driver_sql(f"{into} SELECT * FROM unnest({casts}) {conflict}", arrays)


def known_ids(connection: Connection, column: Column[Any], ids: Collection[str]) -> set[str]:
    """Which of the ids are stored."""
    found: set[str] = set()
    query = f"SELECT {column.name} FROM {column.table.name} WHERE {column.name}"
    if connection.dialect.name != "sqlite":
        return set(connection.exec_driver_sql(f"{query} = ANY(%s)", (list(ids),)).scalars())
    left = iter(ids)
    while batch := tuple(islice(left, _BINDS)):
        marks = ", ".join("?" * len(batch))
        found.update(
            cast("Sequence[str]", connection.exec_driver_sql(f"{query} IN ({marks})", batch).scalars().all())
        )
    return found
