"""Every store test runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, make_url
from tests.integration.postgres import PostgresServer

from petahour.store.sql.store import SqlStore, open_store, sqlite_url


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "petahour.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def another(store: SqlStore, url: str) -> Iterator[Engine]:
    """Another program at the same database. It asks SQLite to keep foreign keys, as that does not by itself."""
    parsed = make_url(url)
    if store.shared:
        parsed = parsed.set(drivername="postgresql+psycopg")
    opened = create_engine(parsed)
    if not store.shared:
        event.listen(opened, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    yield opened
    opened.dispose()
