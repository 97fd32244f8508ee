"""Triggers that keep the record as it was written: no row of it is changed or deleted, by whatever program.

On PostgreSQL they also keep the references between rows of money, which are written by the thousand: a foreign key
looks up and locks one row at a time, a trigger those of a statement at once. It is the same promise, as what is
referred to is neither deleted nor renamed: triggers refuse that too.

A migration that makes one of these tables anew (as Alembic's batch mode does on SQLite) loses its triggers and
calls ``guard`` again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, inspect

APPEND_ONLY = ("events", "usage_records", "charges", "transfers", "spot_prices")

# Table and column, and the table and column where its values must be; SQLite has foreign keys for them.
REFERENCES = (
    ("usage_records", "allocation", "allocations", "id"),
    ("charges", "usage", "usage_records", "id"),
    ("transfers", "debit", "accounts", "account"),
    ("transfers", "credit", "accounts", "account"),
)

# What an account counted stays counted, and an account stays what it is.
_SHRINKS = "NEW.debits_micros < OLD.debits_micros OR NEW.credits_micros < OLD.credits_micros"
_RENAMED = "NEW.account <> OLD.account OR NEW.currency <> OLD.currency"


def guard(connection: Connection) -> None:
    """Put every trigger in place on the tables that there are. Those that are there already are replaced."""
    tables = _present(connection)
    statements = _for_sqlite(tables) if connection.dialect.name == "sqlite" else _for_postgresql(tables)
    for statement in statements:
        connection.exec_driver_sql(statement)


def unguard(connection: Connection) -> None:
    """Take the triggers away, for a migration that changes old rows. Nothing else calls this."""
    for table in (*_present(connection), "accounts", "allocations"):
        for verb in ("update", "delete", "truncate"):
            on = "" if connection.dialect.name == "sqlite" else f" ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{verb}{on}")


def _present(connection: Connection) -> tuple[str, ...]:
    """An early migration guards before the later tables are made."""
    made = set(inspect(connection).get_table_names())
    return tuple(table for table in APPEND_ONLY if table in made)


def _for_sqlite(tables: Iterable[str]) -> Iterator[str]:
    for table in tables:
        for verb in ("update", "delete"):
            yield from _sqlite_trigger(table, verb, "", f"{table} are append-only")
    yield from _sqlite_trigger("accounts", "delete", "", "accounts are kept for ever")
    condition = f" WHEN {_SHRINKS} OR {_RENAMED}"
    yield from _sqlite_trigger("accounts", "update", condition, "the sums of accounts only grow")


def _sqlite_trigger(table: str, verb: str, condition: str, said: str) -> Iterator[str]:
    name = f"{table}_no_{verb}"
    yield f"DROP TRIGGER IF EXISTS {name}"
    event = f"BEFORE {verb.upper()} ON {table}{condition}"
    yield f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{said}'); END"


def _for_postgresql(tables: Iterable[str]) -> Iterator[str]:
    yield """
        CREATE OR REPLACE FUNCTION petahour_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '%% are append-only', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END $$"""
    for table in tables:
        yield from _postgresql_trigger(table, "update", "FOR EACH ROW")
        yield from _postgresql_trigger(table, "delete", "FOR EACH ROW")
        yield from _postgresql_trigger(table, "truncate", "FOR EACH STATEMENT")
    yield from _postgresql_trigger("accounts", "delete", "FOR EACH ROW")
    yield from _postgresql_trigger("accounts", "truncate", "FOR EACH STATEMENT")
    yield from _postgresql_trigger("accounts", "update", f"FOR EACH ROW WHEN ({_SHRINKS} OR {_RENAMED})")
    yield from _postgresql_trigger("allocations", "delete", "FOR EACH ROW")
    yield from _postgresql_trigger("allocations", "truncate", "FOR EACH STATEMENT")
    yield from _postgresql_trigger("allocations", "update", "FOR EACH ROW", of="id")
    yield from _postgresql_references()


def _postgresql_references() -> Iterator[str]:
    for table, column, other, key in REFERENCES:
        name = f"{table}_{column}_refers"
        # Looked up one by one in the index, each value once: another plan, made while a table is small, would be kept
        # until long after it has grown.
        yield f"""
            CREATE OR REPLACE FUNCTION petahour_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                missing text;
            BEGIN
                SELECT f.{column} INTO missing FROM (SELECT DISTINCT {column} FROM fresh) f
                    LEFT JOIN LATERAL (SELECT true AS known FROM {other} t WHERE t.{key} = f.{column} LIMIT 1) t
                    ON true WHERE t.known IS NULL LIMIT 1;
                IF missing IS NOT NULL THEN
                    RAISE EXCEPTION '{table}.{column} is %%, which is not in {other}', missing
                        USING ERRCODE = 'foreign_key_violation';
                END IF;
                RETURN NULL;
            END $$"""
        yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
        yield (
            f"CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT "
            f"EXECUTE FUNCTION petahour_{name}()"
        )


def _postgresql_trigger(table: str, verb: str, each: str, *, of: str = "") -> Iterator[str]:
    name, event = f"{table}_no_{verb}", verb.upper() + (f" OF {of}" if of else "")
    yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
    yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} {each} EXECUTE FUNCTION petahour_append_only()"
