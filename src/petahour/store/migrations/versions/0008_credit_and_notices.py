"""Contacts, the outbox, warnings told, who may top up, and until when an allocation is paid for"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "topup_rules",
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("most_micros", sa.BigInteger(), nullable=False),
        sa.Column("alone_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("alone_micros >= 0 AND alone_micros <= most_micros", name=op.f("ck_topup_rules_amounts")),
        sa.PrimaryKeyConstraint("currency", "role", name=op.f("pk_topup_rules")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("channel IN ('webhook', 'email')", name=op.f("ck_contacts_channel")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_contacts_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contacts_tenant"), ["tenant"], unique=False)

    op.create_table(
        "credit_warnings",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("level_h", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_credit_warnings_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_credit_warnings")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("contact", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("failed_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_outbox_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_sent_ms_failed_ms_due_ms", ["sent_ms", "failed_ms", "due_ms"], unique=False)

    op.create_table(
        "topup_requests",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("requested_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decided_by", sa.String(length=80), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by <> requested_by", name=op.f("ck_topup_requests_two_people")
        ),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'refused')", name=op.f("ck_topup_requests_state")),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_topup_requests_amount")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_topup_requests_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "key", name=op.f("pk_topup_requests")),
    )
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("funded_until_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.drop_column("funded_until_ms")

    op.drop_table("topup_requests")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_sent_ms_failed_ms_due_ms")

    op.drop_table("outbox")
    op.drop_table("credit_warnings")
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contacts_tenant"))

    op.drop_table("contacts")
    op.drop_table("topup_rules")
