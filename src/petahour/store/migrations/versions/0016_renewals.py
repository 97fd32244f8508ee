"""Reservations that are renewed month by month"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reservations", sa.Column("renew_from_ms", sa.BigInteger(), nullable=True))
    op.add_column("reservations", sa.Column("renewal", sa.String(length=20), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("reservations", "renewal")
    op.drop_column("reservations", "renew_from_ms")
