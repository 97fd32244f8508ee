"""Rows of money cost less to write: fewer indexes, ids as bytes, references by the statement"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from petahour.store.sql.guards import REFERENCES, guard, unguard

revision = "0014"
down_revision = "0009"
branch_labels = None
depends_on = None

_USAGE_NAMED = "id = 'use-' || allocation || '-' || start_ms"
_CHARGE_NAMED = "id = 'chg-' || substr(usage, 5) AND usage = 'use-' || substr(id, 5)"
_IDS = {
    "allocations": {"id": 60},
    "held_accelerators": {"allocation": 60},
    "usage_records": {"id": 100, "allocation": 60},
    "charges": {"id": 110, "usage": 100},
    "accounts": {"account": 200},
    "transfers": {"id": 160, "debit": 200, "credit": 200},
}


def upgrade() -> None:
    connection = op.get_bind()
    unguard(connection)
    if connection.dialect.name == "postgresql":
        for table, column, other, _ in REFERENCES:
            op.drop_constraint(op.f(f"fk_{table}_{column}_{other}"), table, type_="foreignkey")
        _collate("C")
        op.execute("ALTER TABLE allocations SET (fillfactor = 50)")
    with op.batch_alter_table("usage_records") as batch:
        batch.drop_index("ux_usage_records_allocation_start")
        batch.create_check_constraint(op.f("ck_usage_records_named"), _USAGE_NAMED)
    with op.batch_alter_table("charges") as batch:
        batch.drop_constraint(op.f("uq_charges_usage"), type_="unique")
        batch.drop_constraint(op.f("pk_charges"), type_="primary")
        batch.create_primary_key(op.f("pk_charges"), ["usage"])
        batch.create_check_constraint(op.f("ck_charges_named"), _CHARGE_NAMED)
    guard(connection)


def downgrade() -> None:
    connection = op.get_bind()
    unguard(connection)
    with op.batch_alter_table("charges") as batch:
        batch.drop_constraint(op.f("ck_charges_named"), type_="check")
        batch.drop_constraint(op.f("pk_charges"), type_="primary")
        batch.create_primary_key(op.f("pk_charges"), ["id"])
        batch.create_unique_constraint(op.f("uq_charges_usage"), ["usage"])
    with op.batch_alter_table("usage_records") as batch:
        batch.drop_constraint(op.f("ck_usage_records_named"), type_="check")
        batch.create_index("ux_usage_records_allocation_start", ["allocation", "start_ms"], unique=True)
    if connection.dialect.name == "postgresql":
        _collate("default")
        for table, column, other, key in REFERENCES:
            op.execute(f"DROP TRIGGER {table}_{column}_refers ON {table}")
            op.create_foreign_key(op.f(f"fk_{table}_{column}_{other}"), table, other, [column], [key])
        op.execute("ALTER TABLE allocations RESET (fillfactor)")
    guard(connection)


def _collate(collation: str) -> None:
    for table, columns in _IDS.items():
        for column, length in columns.items():
            op.alter_column(table, column, type_=sa.String(length, collation=collation))
