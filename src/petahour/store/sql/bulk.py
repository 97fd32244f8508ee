"""Many rows at once: the shortest way into each database, for what is written by the thousand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Table

from petahour.store.sql.postgres import ask, begin_copy

Row = tuple[object, ...]

_BINDS = 10_000  # below the limit of SQLite's bound variables (32,766)


def insert_many(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows, each the values of these columns. Constraints and triggers hold as for single rows."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        columns = ", ".join(f'"{name}"' for name in names)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", list(rows))
        return
    begin_copy(connection, table, names, rows)


def upsert_many(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows, or where the first column's value is stored already, give its row the other values."""
    if not rows:
        return
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    into = f"INSERT INTO {table.name} ({', '.join(names)})"
    conflict = f"ON CONFLICT ({names[0]}) DO UPDATE SET {changes}"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        connection.exec_driver_sql(f"{into} VALUES ({marks}) {conflict}", list(rows))
        return
    ask(connection, f"{into} SELECT * FROM {_given(connection, table, names)} {conflict}", _document(names, rows))


def update_many(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Give the rows that the first column's values name the other values."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        changes = ", ".join(f"{name} = ?" for name in names[1:])
        statement = f"UPDATE {table.name} SET {changes} WHERE {names[0]} = ?"
        connection.exec_driver_sql(statement, [(*row[1:], row[0]) for row in rows])
        return
    changes = ", ".join(f"{name} = given.{name}" for name in names[1:])
    given = _given(connection, table, names)
    statement = f"UPDATE {table.name} SET {changes} FROM {given} WHERE {table.name}.{names[0]} = given.{names[0]}"
    ask(connection, statement, _document(names, rows))


def _given(connection: Connection, table: Table, names: Sequence[str]) -> str:
    """Rows out of one JSON parameter: by far the shortest way for the driver."""
    columns = ", ".join(f"{name} {table.c[name].type.compile(connection.dialect)}" for name in names)
    return f"json_to_recordset(%s::json) AS given ({columns})"


def _document(names: Sequence[str], rows: Sequence[Row]) -> str:
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()


def find_many(
    connection: Connection, table: Table, names: Sequence[str], keys: Collection[str]
) -> Sequence[tuple[Any, ...]]:
    """These columns of the rows of which the first column is one of these keys."""
    query = f"SELECT {', '.join(names)} FROM {table.name} WHERE {names[0]}"
    if connection.dialect.name != "sqlite":
        given = "SELECT json_array_elements_text(%s::json)"
        return ask(connection, f"{query} = ANY(ARRAY({given}))", orjson.dumps(list(keys)).decode())
    found: list[tuple[Any, ...]] = []
    left = iter(keys)
    while batch := tuple(islice(left, _BINDS)):
        marks = ", ".join("?" * len(batch))
        found += connection.exec_driver_sql(f"{query} IN ({marks})", batch).all()
    return found


def known_ids(connection: Connection, column: Column[Any], ids: Collection[str]) -> set[str]:
    """Which of the ids are stored."""
    return {row[0] for row in find_many(connection, column.table, (column.name,), ids)}
