"""Bring a database to the newest schema."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from petahour.model.errors import ConflictError

# Two control planes may start at once; the second waits here until the first has migrated.
MIGRATION_LOCK = 0x70657461686F7573


def configuration() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(files("petahour.store.migrations")))
    return config


def migrate(engine: Engine) -> None:
    """Upgrade to head. Raises ConflictError on a database that a newer Petahour has migrated."""
    config = configuration()
    script = ScriptDirectory.from_config(config)
    with engine.execution_options(begin="IMMEDIATE").connect() as connection, connection.begin():
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
        if current != script.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
