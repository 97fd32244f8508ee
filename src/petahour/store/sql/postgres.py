"""PostgreSQL's own ways for many rows, over the driver's connection, inside the transaction that is under way.

A COPY is begun and left to the server, which works on its rows while the next ones are made here. Whoever uses the
connection next, be it for the commit, waits for its end first and hears what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, cast

from psycopg import Copy, Error, sql
from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.exc import DBAPIError

_UNDER_WAY = "petahour_copy"  # the key of Connection.info
_WAITS = "petahour_waits"  # the execution option of an engine that waits for them


def begin_copy(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Hand these rows to the server. What is wrong with them shows when the connection is used the next time."""
    finish_copy(connection)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    driver = _driver(connection)
    with _named(connection, statement.as_string(driver)):
        copying = cast(AbstractContextManager[Copy], driver.cursor().copy(statement))
        stream = copying.__enter__()
        connection.info[_UNDER_WAY] = (table.name, copying)
        for row in rows:
            stream.write_row(row)
    if not connection.get_execution_options().get(_WAITS):
        finish_copy(connection)


def finish_copy(connection: Connection, *_: object) -> None:
    """Wait until the server is done with the rows that it was given last, if there are such."""
    name, copying = _taken(connection)
    if copying is not None:
        with _named(connection, f"COPY {name}"):
            copying.__exit__(None, None, None)


def ask(connection: Connection, statement: str, parameter: str) -> Sequence[tuple[Any, ...]]:
    """A statement on many rows and its answer. It is planned anew: a plan made for a small table would be kept."""
    finish_copy(connection)
    with _named(connection, statement):
        done = _driver(connection).execute(statement, (parameter,), prepare=False)
        return done.fetchall() if done.description else ()


def wait_for_copies(engine: Engine) -> None:
    """From now on nothing that this engine does overtakes rows that were handed over before; others wait at once."""
    engine.update_execution_options(**{_WAITS: True})
    event.listen(engine, "before_cursor_execute", finish_copy)
    event.listen(engine, "commit", finish_copy)
    event.listen(engine, "rollback", _give_up_copy)


class _GivenUpError(Exception):
    """Ends a COPY whose transaction is rolled back."""


def _give_up_copy(connection: Connection) -> None:
    _, copying = _taken(connection)
    if copying is not None:
        with suppress(Error, _GivenUpError):  # If the server is gone, the rollback itself says so.
            copying.__exit__(_GivenUpError, _GivenUpError(), None)


def _taken(connection: Connection) -> tuple[str, AbstractContextManager[Copy] | None]:
    """The table and the COPY that was under way, which is now its taker's to end."""
    return ("", None) if connection.invalidated else connection.info.pop(_UNDER_WAY, ("", None))


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def _named(connection: Connection, statement: str) -> Iterator[None]:
    """The driver's errors as SQLAlchemy names those of its own statements."""
    try:
        yield
    except Error as error:
        raise DBAPIError.instance(
            statement,
            None,
            error,
            Error,
            connection_invalidated=_driver(connection).closed,
            dialect=connection.dialect,
        ) from error
