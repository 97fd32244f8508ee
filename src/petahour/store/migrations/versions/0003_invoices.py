"""Invoices, what they bill, closed months, billing terms and the seller"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LIVE = "kind = 'invoice' AND state <> 'void'"


def upgrade() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("series", sa.String(length=40), nullable=True),
        sa.Column("serial", sa.Integer(), nullable=True),
        sa.Column("number", sa.String(length=60), nullable=True),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_micros", sa.BigInteger(), nullable=False),
        sa.Column("prepaid_micros", sa.BigInteger(), nullable=False),
        sa.Column("paid_micros", sa.BigInteger(), nullable=False),
        sa.Column("credited_micros", sa.BigInteger(), nullable=False),
        sa.Column("corrects", sa.String(length=60), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.Column("voided_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('draft', 'issued', 'paid', 'void')", name=op.f("ck_invoices_state")),
        sa.CheckConstraint("kind IN ('invoice', 'credit-note')", name=op.f("ck_invoices_kind")),
        sa.CheckConstraint("(state = 'draft') = (serial IS NULL)", name=op.f("ck_invoices_numbered")),
        sa.CheckConstraint("serial IS NULL OR serial > 0", name=op.f("ck_invoices_serial")),
        sa.CheckConstraint("(kind = 'credit-note') = (corrects IS NOT NULL)", name=op.f("ck_invoices_corrects")),
        sa.CheckConstraint("paid_micros >= 0 AND credited_micros >= 0", name=op.f("ck_invoices_paid")),
        sa.ForeignKeyConstraint(["corrects"], ["invoices.number"], name=op.f("fk_invoices_corrects_invoices")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_invoices_tenant_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("number", name=op.f("uq_invoices_number")),
        sa.UniqueConstraint("series", "serial", name=op.f("uq_invoices_series_serial")),
    )
    op.create_index(op.f("ix_invoices_tenant"), "invoices", ["tenant"])
    op.create_index(
        "uq_invoices_tenant_month_live",
        "invoices",
        ["tenant", "month"],
        unique=True,
        sqlite_where=sa.text(_LIVE),
        postgresql_where=sa.text(_LIVE),
    )
    op.create_table(
        "invoiced_transfers",
        sa.Column(
            "transfer", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("invoice", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["invoice"], ["invoices.id"], name=op.f("fk_invoiced_transfers_invoice_invoices")),
        sa.ForeignKeyConstraint(
            ["transfer"], ["transfers.seq"], name=op.f("fk_invoiced_transfers_transfer_transfers")
        ),
        sa.PrimaryKeyConstraint("transfer", name=op.f("pk_invoiced_transfers")),
    )
    op.create_index(op.f("ix_invoiced_transfers_invoice"), "invoiced_transfers", ["invoice"])
    op.create_table(
        "month_closes",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("invoice", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["invoice"], ["invoices.id"], name=op.f("fk_month_closes_invoice_invoices")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_month_closes_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "month", name=op.f("pk_month_closes")),
    )
    op.create_table(
        "billing_terms",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_billing_terms_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_billing_terms")),
    )
    op.create_table(
        "sellers",
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seller", sa.Text(), nullable=False),
        sa.CheckConstraint('"row" = 1', name=op.f("ck_sellers_row")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_sellers")),
    )


def downgrade() -> None:
    for table in ("sellers", "billing_terms", "month_closes", "invoiced_transfers", "invoices"):
        op.drop_table(table)
