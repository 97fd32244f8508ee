"""Migrations: they make exactly the schema the code expects, once, and refuse what is newer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, ForeignKeyConstraint, create_engine, inspect, make_url, text

from petahour.model.errors import ConflictError
from petahour.model.leases import Replica
from petahour.store.migrations.run import configuration
from petahour.store.sql.guards import REFERENCES
from petahour.store.sql.schema import metadata
from petahour.store.sql.store import open_store


def test_migrations_make_the_schema(url: str) -> None:
    open_store(url).close()
    engine = _plain_engine(url)
    with engine.connect() as connection:
        known = MigrationContext.configure(connection, opts={"include_object": _of(engine.dialect.name)})
        assert compare_metadata(known, metadata) == []
    engine.dispose()


def _of(dialect: str) -> Callable[..., bool]:
    """Leaves out the foreign keys that are SQLite's alone: PostgreSQL has triggers for them."""

    def include(item: object, _name: str, kind: str, _reflected: bool, _other: object) -> bool:
        if kind != "foreign_key_constraint" or dialect == "sqlite":
            return True
        assert isinstance(item, ForeignKeyConstraint)
        table, column = item.table.name, next(iter(item.column_keys))
        return (table, column) not in {reference[:2] for reference in REFERENCES}

    return include


def test_what_is_made_at_once_is_what_the_migrations_come_to(url: str) -> None:
    open_store(url).close()
    engine = _plain_engine(url)
    made = _shape(engine)
    with engine.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert _shape(engine) == made
    engine.dispose()


def _shape(engine: Engine) -> dict[str, object]:
    """Everything that the database says of its tables, and the names of its triggers."""
    known = inspect(engine)
    triggers = {
        "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT event_object_table, trigger_name FROM information_schema.triggers",
    }
    with engine.connect() as connection:
        found = connection.execute(text(triggers[engine.dialect.name])).all()
    shape: dict[str, object] = {"triggers": sorted({(table, name) for table, name in found})}
    for table in sorted(known.get_table_names()):
        shape[table] = {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in known.get_columns(table)
            ),
            "key": known.get_pk_constraint(table)["constrained_columns"],
            "references": sorted(
                (str(f["constrained_columns"]), f["referred_table"], str(f["referred_columns"]))
                for f in known.get_foreign_keys(table)
            ),
            "unique": sorted(str(sorted(u["column_names"])) for u in known.get_unique_constraints(table)),
            "checks": sorted(
                (str(c["name"]), " ".join(c["sqltext"].split())) for c in known.get_check_constraints(table)
            ),
            "indexes": sorted(
                (str(i["name"]), str(i["column_names"]), bool(i["unique"])) for i in known.get_indexes(table)
            ),
        }
    return shape


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


def test_a_database_is_not_migrated_under_a_leader_of_another_version(url: str) -> None:
    store = open_store(url)
    with store.write() as tx:
        tx.lease.take(Replica(name="a", site="here", boot="b", url="http://a"), ttl_ms=600_000)
    store.close()
    engine = _plain_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    engine.dispose()
    with pytest.raises(ConflictError, match="a control plane of another version leads on it"):
        open_store(url)


def _plain_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed)
