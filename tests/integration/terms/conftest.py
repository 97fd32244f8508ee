"""Terms are tried on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.postgres import PostgresServer
from tests.integration.terms.plane import Plane

from petahour.model.time import HOUR_MS
from petahour.store.sql.store import sqlite_url

BEGIN_MS = 494_400 * HOUR_MS  # 2026-05-27T00:00:00Z, a Wednesday


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
def plane(url: str, tmp_path: Path) -> Iterator[Plane]:
    opened = Plane.open(url, tmp_path / "data", now_ms=BEGIN_MS)
    yield opened
    opened.close()
