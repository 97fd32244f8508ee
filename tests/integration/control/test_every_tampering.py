"""Every column of every row of money: whoever changes it is found, and the row is named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator

import pytest
from tests.integration.control.house import live_history

from petahour.control.proof import prove
from petahour.store.sql.store import SqlStore, open_store, sqlite_url

TABLES = ("usage_records", "charges", "transfers", "accounts")


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sqlite3.Connection, SqlStore]]:
    """A history without its guards, open for somebody who changes it, and for the proof."""
    folder = tmp_path_factory.mktemp("books")
    live_history(folder / "made.db")
    shutil.copy(folder / "made.db", folder / "petahour.db")
    store = open_store(sqlite_url(folder / "petahour.db"))
    connection = sqlite3.connect(folder / "petahour.db", isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA ignore_check_constraints=ON")
    yield connection, store
    connection.close()
    store.close()


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]


def another(value: object) -> list[object]:
    """Other values of the same kind: a little more, a little less, or another text."""
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 1]
    return [f"{value}x", value[:-1] + "q"] if isinstance(value, str) and value else ["x"]


def found(store: SqlStore) -> list[str]:
    return [fault for check in prove(store).checks for fault in check.faults]


@pytest.mark.parametrize("table", TABLES)
def test_every_changed_value_is_found_and_its_row_is_named(
    books: tuple[sqlite3.Connection, SqlStore], table: str
) -> None:
    connection, store = books
    assert found(store) == []
    key = columns(connection, table)[0]
    rows = connection.execute(f"SELECT rowid, {key} FROM {table} ORDER BY rowid").fetchall()
    missed = []
    tried = 0
    for rowid, name in rows:
        for column in columns(connection, table):
            (before,) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
            for after in another(before):
                try:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (after, rowid))
                except sqlite3.IntegrityError:
                    continue  # The database itself refuses it, guards or not.
                tried += 1
                said = " ".join(found(store))
                if name not in said and str(after) not in said:
                    missed.append((name, column, before, after))
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (before, rowid))
    assert found(store) == []
    assert missed == []
    assert tried > 3 * len(rows)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_that_is_gone_is_found(books: tuple[sqlite3.Connection, SqlStore], table: str) -> None:
    connection, store = books
    names = columns(connection, table)
    missed = []
    for (rowid,) in connection.execute(f"SELECT rowid FROM {table}").fetchall():
        connection.execute("BEGIN")
        row = connection.execute(f"SELECT {', '.join(names)} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
        connection.execute("COMMIT")
        if not found(store):
            missed.append(row[0])
        marks = ", ".join("?" * (len(names) + 1))
        connection.execute(f"INSERT INTO {table} (rowid, {', '.join(names)}) VALUES ({marks})", (rowid, *row))
    assert found(store) == []
    # Who cuts the end off the chain and undoes it in the balances is found by an anchor alone.
    assert missed == []
