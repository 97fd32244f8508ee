"""Quotes, and the job submitted under each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quotes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("work", sa.String(length=200), nullable=False),
        sa.Column("job", sa.String(length=40), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.CheckConstraint("valid_until_ms >= created_ms", name=op.f("ck_quotes_validity")),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_quotes_job_jobs")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_quotes")),
        sa.UniqueConstraint("id", name=op.f("uq_quotes_id")),
        sa.UniqueConstraint("job", name=op.f("uq_quotes_job")),
    )
    with op.batch_alter_table("quotes", schema=None) as batch_op:
        batch_op.create_index("ix_quotes_tenant_seq", ["tenant", "seq"], unique=False)
        batch_op.create_index("ix_quotes_work_seq", ["work", "seq"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("quotes", schema=None) as batch_op:
        batch_op.drop_index("ix_quotes_work_seq")
        batch_op.drop_index("ix_quotes_tenant_seq")

    op.drop_table("quotes")
