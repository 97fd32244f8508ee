"""Migrations: they make exactly the schema the code expects, once, and refuse what is newer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url, text

from petahour.model.errors import ConflictError
from petahour.store.sql.schema import metadata
from petahour.store.sql.store import open_store


def test_migrations_make_the_schema(url: str) -> None:
    open_store(url).close()
    engine = _plain_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_opening_again_changes_nothing(url: str) -> None:
    for _ in range(2):
        open_store(url).close()


def test_two_may_open_an_empty_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        for store in list(pool.map(open_store, [url, url])):
            store.close()


def test_a_newer_schema_is_refused(url: str) -> None:
    open_store(url).close()
    engine = _plain_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConflictError, match="not newer than this Petahour"):
        open_store(url)


def _plain_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed)
