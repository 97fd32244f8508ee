"""References between rows of money are looked up for all rows of a statement, and allocations are updated in place"""

from __future__ import annotations

from alembic import op

from petahour.store.sql.guards import REFERENCES, guard

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table, column, other, _ in REFERENCES:
            op.drop_constraint(op.f(f"fk_{table}_{column}_{other}"), table, type_="foreignkey")
        op.execute("ALTER TABLE allocations SET (fillfactor = 50)")
    guard(connection)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column, other, key in REFERENCES:
            op.execute(f"DROP TRIGGER {table}_{column}_refers ON {table}")
            op.create_foreign_key(op.f(f"fk_{table}_{column}_{other}"), table, other, [column], [key])
        op.execute("ALTER TABLE allocations RESET (fillfactor)")
