"""Bring a database to the newest schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from petahour.model.errors import ConflictError, InvariantError
from petahour.store.sql import invoice_tables, lease, promise_tables, terms_schema
from petahour.store.sql.guards import guard
from petahour.store.sql.schema import metadata

# The modules whose tables the schema has beside its own.
TABLES = (invoice_tables, promise_tables, terms_schema, lease)

# Two control planes may start at once; the second waits here until the first has migrated.
MIGRATION_LOCK = 0x70657461686F7573


def configuration() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(files("petahour.store.migrations")))
    return config


def migrate(engine: Engine) -> None:
    """Upgrade to head. ConflictError: a newer Petahour has migrated the database, or an older one leads on it."""
    config = configuration()
    script = ScriptDirectory.from_config(config)
    with (
        engine.execution_options(begin="IMMEDIATE").connect() as connection,
        _free_to_rebuild(connection),
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise ConflictError(
                field="database",
                value=current,
                rule="the schema is not newer than this Petahour",
                remedy="Install the Petahour version that last ran on this database.",
            )
        if current is None and not inspect(connection).get_table_names():
            _make(connection, script)
        elif current != script.get_current_head():
            _refuse_under_a_leader(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _check_references(connection)


def _refuse_under_a_leader(connection: Connection) -> None:
    leader = lease.leader_of(connection)
    if leader is not None:
        raise ConflictError(
            field="database",
            value=leader,
            rule="a control plane of another version leads on it",
            remedy="Stop every replica of that version first; then start this one.",
        )


def _make(connection: Connection, script: ScriptDirectory) -> None:
    """All of the newest schema at once, in an empty database: what the migrations come to, in a tenth of the time."""
    metadata.create_all(connection)
    guard(connection)
    MigrationContext.configure(connection).stamp(script, "head")


def require_current(engine: Engine) -> None:
    """Raises ConflictError unless the schema is this Petahour's."""
    with engine.connect() as connection, connection.begin():
        current = MigrationContext.configure(connection).get_current_revision()
    due = ScriptDirectory.from_config(configuration()).get_current_head()
    if current != due:
        raise ConflictError(
            field="database",
            value=current,
            rule=f"a schema of version {due}",
            remedy='Start "petahour up" of this version on it once, which brings it there.',
        )


@contextmanager
def _free_to_rebuild(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by making it anew, which its foreign keys would forbid; they are checked at the end.

    They can be switched between transactions only.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF").close()
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON").close()


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise InvariantError(rule="a migration keeps every reference", value=tuple(broken))
