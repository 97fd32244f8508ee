"""Credit terms, dunning, budgets, and which allocations are paid for later"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credit_terms",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("postpaid", sa.Boolean(), nullable=False),
        sa.Column("limit_micros", sa.BigInteger(), nullable=False),
        sa.Column("remind_days", sa.Integer(), nullable=False),
        sa.Column("stop_new_days", sa.Integer(), nullable=False),
        sa.Column("stop_spot_days", sa.Integer(), nullable=False),
        sa.Column("stop_all_days", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "0 <= remind_days AND remind_days <= stop_new_days AND stop_new_days <= stop_spot_days "
            "AND stop_spot_days <= stop_all_days",
            name=op.f("ck_credit_terms_steps"),
        ),
        sa.CheckConstraint("limit_micros >= 0", name=op.f("ck_credit_terms_limit")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_credit_terms_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_credit_terms")),
    )
    op.create_table(
        "dunning",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_dunning_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_dunning")),
    )
    op.create_table(
        "budgets",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("limit_micros", sa.BigInteger(), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("alerts", sa.String(length=80), nullable=False),
        sa.Column("told_month", sa.String(length=7), nullable=False),
        sa.Column("told_percent", sa.Integer(), nullable=False),
        sa.CheckConstraint("limit_micros > 0", name=op.f("ck_budgets_limit")),
        sa.ForeignKeyConstraint(
            ["tenant", "project"],
            ["projects.tenant", "projects.name"],
            name=op.f("fk_budgets_tenant_project_projects"),
        ),
        sa.PrimaryKeyConstraint("tenant", "project", name=op.f("pk_budgets")),
    )
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("postpaid", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.drop_column("postpaid")

    op.drop_table("budgets")
    op.drop_table("dunning")
    op.drop_table("credit_terms")
