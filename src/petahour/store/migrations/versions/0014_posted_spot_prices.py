"""Posted spot prices, and the limit that an allocation's job pays at most"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from petahour.store.sql.guards import guard

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spot_prices",
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("hour_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("before_micros", sa.BigInteger(), nullable=False),
        sa.Column("held_ams", sa.BigInteger(), nullable=False),
        sa.Column("capacity_ams", sa.BigInteger(), nullable=False),
        sa.Column("book", sa.String(length=64), nullable=False),
        sa.Column("posted_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price_micros >= 0", name=op.f("ck_spot_prices_price")),
        sa.CheckConstraint("posted_ms < hour_ms", name=op.f("ck_spot_prices_posted_before")),
        sa.ForeignKeyConstraint(["book"], ["price_books.id"], name=op.f("fk_spot_prices_book_price_books")),
        sa.PrimaryKeyConstraint("currency", "type", "hour_ms", name=op.f("pk_spot_prices")),
    )
    op.add_column("allocations", sa.Column("limit_micros", sa.BigInteger(), nullable=True))
    guard(op.get_bind())


def downgrade() -> None:
    op.drop_column("allocations", "limit_micros")
    op.drop_table("spot_prices")
