"""What reservations lend when, and the owner's share of what that earns"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reservations", sa.Column("share_ppm", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "lendings",
        sa.Column("reservation", sa.String(length=40), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("share_ppm", sa.Integer(), nullable=False),
        sa.Column("seats", sa.Text(), nullable=False),
        sa.CheckConstraint("to_ms > from_ms", name=op.f("ck_lendings_interval")),
        sa.CheckConstraint("share_ppm > 0 AND share_ppm <= 1000000", name=op.f("ck_lendings_share")),
        sa.ForeignKeyConstraint(
            ["reservation"], ["reservations.id"], name=op.f("fk_lendings_reservation_reservations")
        ),
        sa.PrimaryKeyConstraint("reservation", "from_ms", name=op.f("pk_lendings")),
    )
    op.create_index(op.f("ix_lendings_to_ms"), "lendings", ["to_ms"])


def downgrade() -> None:
    op.drop_index(op.f("ix_lendings_to_ms"), "lendings")
    op.drop_table("lendings")
    op.drop_column("reservations", "share_ppm")
