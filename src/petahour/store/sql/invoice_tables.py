"""The tables of invoices: what was billed once is bound to its invoice by the database itself."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from petahour.store.sql.schema import metadata

__all__ = ["billing_terms", "invoiced_transfers", "invoices", "metadata", "month_closes", "sellers"]

invoices = Table(
    "invoices",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("tenant", ForeignKey("tenants.name"), nullable=False, index=True),
    Column("month", String(7), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(20), nullable=False),
    # A number is given in the transaction that issues: a series has no gaps.
    Column("series", String(40)),
    Column("serial", Integer),
    Column("number", String(60), unique=True),
    Column("net_micros", BigInteger, nullable=False),
    Column("tax_micros", BigInteger, nullable=False),
    Column("prepaid_micros", BigInteger, nullable=False),
    Column("paid_micros", BigInteger, nullable=False),
    Column("credited_micros", BigInteger, nullable=False),
    Column("corrects", ForeignKey("invoices.number")),
    Column("created_ms", BigInteger, nullable=False),
    Column("issued_ms", BigInteger),
    Column("due_ms", BigInteger),
    Column("settled_ms", BigInteger),
    Column("voided_ms", BigInteger),
    Column("reason", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("series", "serial"),
    CheckConstraint("state IN ('draft', 'issued', 'paid', 'void')", name="state"),
    CheckConstraint("kind IN ('invoice', 'credit-note')", name="kind"),
    CheckConstraint("(state = 'draft') = (serial IS NULL)", name="numbered"),
    CheckConstraint("serial IS NULL OR serial > 0", name="serial"),
    CheckConstraint("(kind = 'credit-note') = (corrects IS NOT NULL)", name="corrects"),
    CheckConstraint("paid_micros >= 0 AND credited_micros >= 0", name="paid"),
    # A tenant's month has one invoice that counts.
    Index(
        "uq_invoices_tenant_month_live",
        "tenant",
        "month",
        unique=True,
        sqlite_where=text("kind = 'invoice' AND state <> 'void'"),
        postgresql_where=text("kind = 'invoice' AND state <> 'void'"),
    ),
)

# The primary key is the promise that no transfer is billed twice.
invoiced_transfers = Table(
    "invoiced_transfers",
    metadata,
    Column("transfer", ForeignKey("transfers.seq"), primary_key=True, autoincrement=False),
    Column("invoice", ForeignKey("invoices.id"), nullable=False, index=True),
)

month_closes = Table(
    "month_closes",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("closed_ms", BigInteger, nullable=False),
    Column("invoice", ForeignKey("invoices.id")),
)

billing_terms = Table(
    "billing_terms",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("terms", Text, nullable=False),
)

# One row at most: a control plane has one seller.
sellers = Table(
    "sellers",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("seller", Text, nullable=False),
    CheckConstraint('"row" = 1', name="row"),
)
