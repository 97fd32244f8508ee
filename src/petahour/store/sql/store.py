"""The SQL store: connections, transactions, and one error for a database that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from petahour.model.errors import UnavailableError, ValidationError
from petahour.store.migrations.run import migrate, require_current
from petahour.store.sql.allocations import SqlAllocations
from petahour.store.sql.credit import SqlCredit
from petahour.store.sql.events import SqlEvents
from petahour.store.sql.fleet import SqlFleet
from petahour.store.sql.invoices import SqlInvoices
from petahour.store.sql.jobs import SqlJobs
from petahour.store.sql.lease import SqlLease
from petahour.store.sql.ledger import SqlLedger
from petahour.store.sql.notices import SqlNotices
from petahour.store.sql.people import SqlPeople
from petahour.store.sql.postgres import wait_for_copies
from petahour.store.sql.prices import SqlPrices
from petahour.store.sql.promises import SqlPromises
from petahour.store.sql.quotes import SqlQuotes
from petahour.store.sql.reports import SqlReports

WRITER_LOCK = 0x70657461686F7572  # "petahour": the advisory lock that serialises writers on PostgreSQL
LOCK_WAIT_S = 10
# A writer that says nothing for so long is ended by PostgreSQL: its host has stopped, and every other one waits.
SILENT_WRITER_MS = 10_000
_LOCK = "SELECT pg_advisory_xact_lock(:lock), set_config('idle_in_transaction_session_timeout', :silent, true)"


@dataclass(frozen=True, slots=True)
class SqlTransaction:
    """The gateways over one open connection."""

    jobs: SqlJobs
    allocations: SqlAllocations
    fleet: SqlFleet
    people: SqlPeople
    events: SqlEvents
    ledger: SqlLedger
    invoices: SqlInvoices
    quotes: SqlQuotes
    reports: SqlReports
    prices: SqlPrices
    credit: SqlCredit
    notices: SqlNotices
    lease: SqlLease
    promises: SqlPromises

    @classmethod
    def over(cls, connection: Connection) -> SqlTransaction:
        return cls(
            jobs=SqlJobs(connection),
            allocations=SqlAllocations(connection),
            fleet=SqlFleet(connection),
            people=SqlPeople(connection),
            events=SqlEvents(connection),
            ledger=SqlLedger(connection),
            invoices=SqlInvoices(connection),
            quotes=SqlQuotes(connection),
            reports=SqlReports(connection),
            prices=SqlPrices(connection),
            credit=SqlCredit(connection),
            notices=SqlNotices(connection),
            lease=SqlLease(connection),
            promises=SqlPromises(connection),
        )


class _Turns:
    """A lock that whoever lets go of it cannot take again before somebody who has been waiting for it."""

    def __init__(self) -> None:
        self._next = threading.Lock()
        self._taken = threading.Lock()

    def __enter__(self) -> None:
        with self._next:  # Held while waiting, so that one that comes later waits here.
            self._taken.acquire()

    def __exit__(self, *_: object) -> None:
        self._taken.release()

    @property
    def awaited(self) -> bool:
        """Somebody waits for it."""
        return self._next.locked()


class SqlStore:
    """A Store over SQLite or PostgreSQL. Use ``open_store``, which also migrates."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = _Turns()
        self._postgres = engine.dialect.name == "postgresql"

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with self._writer, _answering(), self._engine.connect() as connection:
            if self._postgres:
                with connection.begin():
                    connection.execute(text(_LOCK), {"lock": WRITER_LOCK, "silent": str(SILENT_WRITER_MS)})
                    yield SqlTransaction.over(connection)
            else:
                connection = connection.execution_options(begin="IMMEDIATE")
                with connection.begin():
                    yield SqlTransaction.over(connection)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with _answering(), self._engine.connect() as connection:
            if self._postgres:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield SqlTransaction.over(connection)

    @contextmanager
    def aside(self) -> Iterator[SqlTransaction]:
        with _answering(), self._engine.connect() as connection:
            if not self._postgres:
                connection = connection.execution_options(begin="IMMEDIATE")
            with connection.begin():
                yield SqlTransaction.over(connection)

    @property
    def shared(self) -> bool:
        """Whether processes of several hosts can work on it at once."""
        return self._postgres

    def close(self) -> None:
        self._engine.dispose()


def open_store(url: str) -> SqlStore:
    """Connect, migrate to the newest schema, and return the store.

    ``url``: ``sqlite:////path/to/file.db`` or ``postgresql://user@host/database``. Raises ValidationError on
    another scheme and UnavailableError when the server does not answer.
    """
    engine = _engine_of(url)
    try:
        with _answering():
            migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine)


def open_existing(url: str) -> SqlStore:
    """Connect to a database that a control plane of this version has made, and change nothing.

    Raises ConflictError when its schema is another one, and what ``open_store`` raises.
    """
    engine = _engine_of(url)
    try:
        with _answering():
            require_current(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def _engine_of(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _bad_url(url) from None
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, connect_args={"timeout": LOCK_WAIT_S, "check_same_thread": False}, pool_size=16, max_overflow=32
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=16,
            max_overflow=32,
            connect_args={
                "connect_timeout": 5,
                "application_name": "petahour",
                # A server that went silent in mid-session is given up, not waited for as long as TCP would.
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 10,
                "keepalives_interval": 3,
                "keepalives_count": 3,
            },
        )
        wait_for_copies(engine)
        return engine
    raise _bad_url(url)


def _bad_url(url: str) -> ValidationError:
    return ValidationError(
        field="database-url",
        value=url.split("@")[-1],
        rule="a sqlite:/// or postgresql:// URL",
        remedy="Write it like postgresql://petahour@127.0.0.1:5432/petahour.",
    )


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's own implicit BEGIN would come too late to be IMMEDIATE, so Petahour begins by itself.
    connection.isolation_level = None
    # A commit syncs the log of changes. They go into the file itself once that log has 64 MB, so that a page which
    # many transactions change is copied there once and not after each of them.
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000", "wal_autocheckpoint=16000"
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN " + connection.get_execution_options().get("begin", "DEFERRED"))


@contextmanager
def _answering() -> Iterator[None]:
    """Any failure of the database itself (not of a constraint) becomes UnavailableError."""
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            said = str(error.orig).strip() or type(error.orig).__name__
            raise UnavailableError(
                field="database",
                value=None,
                rule=f"the database must answer ({said.splitlines()[0]})",
                remedy="The request can be repeated as soon as the database is back.",
            ) from error
        raise
