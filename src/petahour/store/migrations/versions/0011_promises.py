"""Maintenance windows, reservations, and which allocations lie on seats of these"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maintenance",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("nodes", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("empties", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint("to_ms > from_ms", name=op.f("ck_maintenance_window")),
        sa.CheckConstraint("state IN ('planned', 'open', 'closed', 'cancelled')", name=op.f("ck_maintenance_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance")),
    )
    op.create_index(op.f("ix_maintenance_state"), "maintenance", ["state"])
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("per_node", sa.Integer(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("lends", sa.Boolean(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("seats", sa.Text(), nullable=False),
        sa.Column("of", sa.String(length=40), nullable=False),
        sa.Column("billed_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.CheckConstraint("to_ms >= from_ms", name=op.f("ck_reservations_window")),
        sa.CheckConstraint("nodes > 0 AND per_node > 0 AND price_micros >= 0", name=op.f("ck_reservations_amounts")),
        sa.CheckConstraint("state IN ('requested', 'confirmed', 'cancelled')", name=op.f("ck_reservations_state")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_reservations_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_tenant"), "reservations", ["tenant"])
    op.create_index(op.f("ix_reservations_state"), "reservations", ["state"])
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reservation", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("reserved_until_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.drop_column("reserved_until_ms")
        batch_op.drop_column("reservation")

    op.drop_table("reservations")
    op.drop_table("maintenance")
