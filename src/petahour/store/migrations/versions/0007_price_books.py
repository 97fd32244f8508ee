"""Price books in the store, and for how long an allocation keeps its own"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "price_books",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("effective_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_by", sa.String(length=80), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.CheckConstraint("until_ms IS NULL OR until_ms > effective_ms", name=op.f("ck_price_books_interval")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_books")),
        sa.UniqueConstraint("currency", "effective_ms", name=op.f("uq_price_books_currency_effective_ms")),
    )
    op.add_column("allocations", sa.Column("price_for_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("allocations", "price_for_ms")
    op.drop_table("price_books")
