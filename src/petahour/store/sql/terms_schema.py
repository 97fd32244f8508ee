"""The tables of what is agreed upon: price books, and the terms on which tenants buy."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from petahour.store.sql.schema import metadata

# A book is never changed once it is stored; a change is a book of another id that takes effect later.
price_books = Table(
    "price_books",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("currency", String(3), nullable=False),
    Column("effective_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    Column("published_ms", BigInteger, nullable=False),
    Column("published_by", String(80), nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("currency", "effective_ms"),
    CheckConstraint("until_ms IS NULL OR until_ms > effective_ms", name="interval"),
)

# One row for each hour before which a price was posted: it holds from that hour on until the next one does.
spot_prices = Table(
    "spot_prices",
    metadata,
    Column("currency", String(3), primary_key=True),
    Column("type", String(60), primary_key=True),
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("before_micros", BigInteger, nullable=False),
    Column("held_ams", BigInteger, nullable=False),
    Column("capacity_ams", BigInteger, nullable=False),
    Column("book", ForeignKey("price_books.id"), nullable=False),
    Column("posted_ms", BigInteger, nullable=False),
    CheckConstraint("price_micros >= 0", name="price"),
    CheckConstraint("posted_ms < hour_ms", name="posted_before"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", ForeignKey("tenants.name"), nullable=False, index=True),
    Column("channel", String(20), nullable=False),
    Column("target", Text, nullable=False),
    Column("secret", String(80), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("channel IN ('webhook', 'email')", name="channel"),
)

# A notice is stored in the transaction of what it tells of, and delivered afterwards, at least once.
outbox = Table(
    "outbox",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("tenant", ForeignKey("tenants.name"), nullable=False),
    Column("contact", String(40), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("target", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("sent_ms", BigInteger),
    Column("failed_ms", BigInteger),
    Column("error", Text, nullable=False),
    Index("ix_outbox_sent_ms_failed_ms_due_ms", "sent_ms", "failed_ms", "due_ms"),
)

# The least threshold that a tenant was warned at; gone when its credit lasts longer again.
credit_warnings = Table(
    "credit_warnings",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("level_h", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

topup_rules = Table(
    "topup_rules",
    metadata,
    Column("currency", String(3), primary_key=True),
    Column("role", String(20), primary_key=True),
    Column("most_micros", BigInteger, nullable=False),
    Column("alone_micros", BigInteger, nullable=False),
    CheckConstraint("alone_micros >= 0 AND alone_micros <= most_micros", name="amounts"),
)

topup_requests = Table(
    "topup_requests",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("amount_micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("note", Text, nullable=False),
    Column("requested_by", String(80), nullable=False),
    Column("requested_ms", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("decided_by", String(80), nullable=False),
    Column("decided_ms", BigInteger),
    CheckConstraint("amount_micros > 0", name="amount"),
    CheckConstraint("state IN ('waiting', 'approved', 'refused')", name="state"),
    # Two people: the database itself refuses that one approves what he asked for.
    CheckConstraint("state <> 'approved' OR decided_by <> requested_by", name="two_people"),
)

credit_terms = Table(
    "credit_terms",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("postpaid", Boolean, nullable=False),
    Column("limit_micros", BigInteger, nullable=False),
    Column("remind_days", Integer, nullable=False),
    Column("stop_new_days", Integer, nullable=False),
    Column("stop_spot_days", Integer, nullable=False),
    Column("stop_all_days", Integer, nullable=False),
    CheckConstraint("limit_micros >= 0", name="limit"),
    CheckConstraint(
        "0 <= remind_days AND remind_days <= stop_new_days AND stop_new_days <= stop_spot_days "
        "AND stop_spot_days <= stop_all_days",
        name="steps",
    ),
)

# The step that a tenant was last told of.
dunning = Table(
    "dunning",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("step", String(20), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("tenant", String(40), primary_key=True),
    Column("project", String(40), primary_key=True),
    Column("limit_micros", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False),
    Column("alerts", String(80), nullable=False),
    Column("told_month", String(7), nullable=False),
    Column("told_percent", Integer, nullable=False),
    ForeignKeyConstraint(["tenant", "project"], ["projects.tenant", "projects.name"]),
    CheckConstraint("limit_micros > 0", name="limit"),
)
