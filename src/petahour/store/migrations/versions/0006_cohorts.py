"""Quotas of cohorts, with bounds on what is lent"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("quotas") as batch:
        batch.add_column(sa.Column("lending_limit", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("cohort", sa.String(length=60), nullable=False, server_default=""))
        batch.create_check_constraint(op.f("ck_quotas_lending"), "lending_limit IS NULL OR lending_limit >= 0")


def downgrade() -> None:
    with op.batch_alter_table("quotas") as batch:
        batch.drop_constraint(op.f("ck_quotas_lending"), type_="check")
        batch.drop_column("cohort")
        batch.drop_column("lending_limit")
