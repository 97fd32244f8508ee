"""The tables. Constraints that matter to money and capacity live here, in the database itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives rowids (and thus monotonic numbers) only to a column declared INTEGER PRIMARY KEY.
Sequence64 = BigInteger().with_variant(Integer, "sqlite")


def _id(length: int) -> TypeEngine[str]:
    """An id, compared byte by byte as SQLite does: on PostgreSQL several times faster than by a language's rules."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _where(condition: str) -> dict[str, Any]:
    """An index over the few rows that meet a condition: the others cost nothing to insert."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


NO_CHARGE = "kind <> 'charge'"


def _refers(column: str, to: str) -> ForeignKeyConstraint:
    """A foreign key that PostgreSQL keeps by a trigger for all rows of a statement at once: ``guards.REFERENCES``."""
    reference = ForeignKeyConstraint([column], [to])
    reference.ddl_if(dialect="sqlite")
    return reference


tenants = Table(
    "tenants",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("title", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("directory", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

# The operator's own people have the empty tenant: a NULL in a primary key is not unique.
users = Table(
    "users",
    metadata,
    Column("tenant", String(40), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("user", String(80), nullable=False),
    Column("role", String(20), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

quotas = Table(
    "quotas",
    metadata,
    Column("tenant", ForeignKey("tenants.name"), primary_key=True),
    Column("type", String(60), primary_key=True),
    Column("nominal", Integer, nullable=False),
    Column("borrowing_limit", Integer),
    Column("lending_limit", Integer),
    Column("cohort", String(60), nullable=False, server_default=""),
    CheckConstraint("nominal >= 0", name="nominal"),
    CheckConstraint("borrowing_limit IS NULL OR borrowing_limit >= 0", name="borrowing"),
    CheckConstraint("lending_limit IS NULL OR lending_limit >= 0", name="lending"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("pool", String(120), nullable=False),
    Column("engine", String(40), nullable=False),
    Column("type", String(60), nullable=False),
    Column("accelerators", Integer, nullable=False),
    Column("switch", String(120), nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("devices", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("accelerators >= 0", name="accelerators"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("seq", Sequence64, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("tenant", String(40), nullable=False),
    Column("project", String(40), nullable=False),
    Column("user", String(80), nullable=False),
    Column("spec", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("submitted_ms", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("preemptions", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("ended_ms", BigInteger),
    Column("exit_code", Integer),
    Column("message", Text, nullable=False),
    Column("submission_key", String(200)),
    Column("request_hash", String(64), nullable=False),
    UniqueConstraint("tenant", "submission_key"),
    Index("ix_jobs_tenant_seq", "tenant", "seq"),
)

allocations = Table(
    "allocations",
    metadata,
    Column("id", _id(60), primary_key=True),
    Column("job", ForeignKey("jobs.id"), nullable=False),
    Column("tenant", String(40), nullable=False),
    Column("project", String(40), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("type", String(60), nullable=False),
    Column("tier", String(20), nullable=False),
    Column("engine", String(40), nullable=False),
    Column("slots", Text, nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("borrowed", Boolean, nullable=False),
    Column("price_book", String(80), nullable=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("placed_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("metered_ms", BigInteger),
    Column("stop_cause", String(20)),
    Column("stop_for", String(40), nullable=False),
    Column("stop_ms", BigInteger),
    Column("preempted_ms", BigInteger),
    Column("end_kind", String(20)),
    Column("hold_transfer", String(160), nullable=False),
    Column("price_for_ms", BigInteger),
    Column("funded_until_ms", BigInteger),
    Column("postpaid", Boolean, nullable=False, server_default=false()),
    Column("limit_micros", BigInteger),
    Column("reservation", Text, nullable=False, server_default=""),
    Column("reserved_until_ms", BigInteger),
    UniqueConstraint("job", "attempt"),
    CheckConstraint("started_ms IS NULL OR started_ms >= placed_ms", name="started"),
    CheckConstraint("ended_ms IS NULL OR ended_ms >= placed_ms", name="ended"),
    # Room for a row's next version beside it: then an hour's close writes no index of this table.
    postgresql_with={"fillfactor": 50},
)

# One row per accelerator that is held: the primary key is the promise that none is given twice.
held_accelerators = Table(
    "held_accelerators",
    metadata,
    Column("node", ForeignKey("nodes.name"), primary_key=True),
    Column("accelerator", Integer, primary_key=True),
    Column("allocation", ForeignKey("allocations.id"), nullable=False, index=True),
)

events = Table(
    "events",
    metadata,
    Column("seq", Sequence64, primary_key=True, autoincrement=True),
    Column("kind", String(30), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("tenant", String(40)),
    Column("job", String(40), index=True),
    Column("allocation", String(60)),
    Column("node", String(120)),
    Column("data", Text, nullable=False),
    sqlite_autoincrement=True,
)

usage_records = Table(
    "usage_records",
    metadata,
    # Named after its allocation and start: the index of ids finds an allocation's records, and lets no instant of it
    # begin two of them (``statements.of_allocation``).
    Column("id", _id(100), primary_key=True),
    Column("allocation", _id(60), nullable=False),
    Column("job", String(40), nullable=False),
    Column("tenant", String(40), nullable=False),
    Column("project", String(40), nullable=False),
    Column("type", String(60), nullable=False),
    Column("tier", String(20), nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("hour_ms", BigInteger, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("accelerators", Integer, nullable=False),
    Column("billed_ams", BigInteger, nullable=False),
    Column("waived_ams", BigInteger, nullable=False),
    Column("waive_reason", String(20)),
    _refers("allocation", "allocations.id"),
    CheckConstraint("id = 'use-' || allocation || '-' || start_ms", name="named"),
    CheckConstraint("end_ms > start_ms", name="interval"),
    CheckConstraint("billed_ams + waived_ams = (end_ms - start_ms) * accelerators", name="whole"),
    CheckConstraint("billed_ams >= 0 AND waived_ams >= 0", name="positive"),
    Index("ix_usage_records_tenant_hour", "tenant", "hour_ms"),
)

charges = Table(
    "charges",
    metadata,
    # A charge is named after its usage record, so that one index makes both of them unique.
    Column("id", _id(110), nullable=False),
    Column("usage", _id(100), primary_key=True),
    Column("tenant", String(40), nullable=False),
    Column("project", String(40), nullable=False),
    Column("type", String(60), nullable=False),
    Column("tier", String(20), nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("price_book", String(80), nullable=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("hour_ms", BigInteger, nullable=False),
    _refers("usage", "usage_records.id"),
    CheckConstraint("id = 'chg-' || substr(usage, 5) AND usage = 'use-' || substr(id, 5)", name="named"),
    CheckConstraint("amount_micros >= 0", name="amount"),
    CheckConstraint("price_micros >= 0", name="price"),
    # A tenant's charges of a while are found by their usage records.
)

accounts = Table(
    "accounts",
    metadata,
    Column("account", _id(200), primary_key=True),
    Column("currency", String(3), nullable=False),
    Column("debits_micros", BigInteger, nullable=False),
    Column("credits_micros", BigInteger, nullable=False),
    Column("pending_debits_micros", BigInteger, nullable=False),
    Column("pending_credits_micros", BigInteger, nullable=False),
    CheckConstraint("debits_micros >= 0 AND credits_micros >= 0", name="posted"),
    CheckConstraint("pending_debits_micros >= 0 AND pending_credits_micros >= 0", name="pending"),
)

transfers = Table(
    "transfers",
    metadata,
    Column("seq", Sequence64, primary_key=True, autoincrement=True),
    Column("id", _id(160), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("debit", _id(200), nullable=False, index=True),
    Column("credit", _id(200), nullable=False),
    Column("amount_micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("cause", String(160), nullable=False),
    Column("pending", String(160), ForeignKey("transfers.id")),
    Column("note", Text, nullable=False),
    Column("expires_ms", BigInteger),
    # SHA-256 over this row and the hash of the row before: `billing.chain.link`.
    Column("hash", String(64), nullable=False),
    _refers("debit", "accounts.account"),
    _refers("credit", "accounts.account"),
    CheckConstraint("amount_micros >= 0", name="amount"),
    CheckConstraint("debit <> credit", name="two_accounts"),
    CheckConstraint("(kind IN ('post', 'void', 'expire')) = (pending IS NOT NULL)", name="closing"),
    CheckConstraint("expires_ms IS NULL OR kind = 'pending'", name="expiring"),
    CheckConstraint("length(hash) = 64", name="hash"),
    # A pending transfer is closed at most once.
    Index("ux_transfers_pending", "pending", unique=True, **_where("pending IS NOT NULL")),
    # What a charge credits is revenue, which is summed and never looked up. Where a query asks for debits or credits,
    # SQLite takes no index of some rows for the second half, and would read all of them.
    Index("ix_transfers_credit", "credit", postgresql_where=text(NO_CHARGE)),
    Index("ix_transfers_expires", "expires_ms", **_where("expires_ms IS NOT NULL")),
)

quotes = Table(
    "quotes",
    metadata,
    Column("seq", Sequence64, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("tenant", String(40), nullable=False),
    Column("user", String(80), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("valid_until_ms", BigInteger, nullable=False),
    Column("work", String(200), nullable=False),
    # One job a quote: what is offered once is not taken twice.
    Column("job", ForeignKey("jobs.id"), unique=True),
    Column("document", Text, nullable=False),
    CheckConstraint("valid_until_ms >= created_ms", name="validity"),
    Index("ix_quotes_tenant_seq", "tenant", "seq"),
    Index("ix_quotes_work_seq", "work", "seq"),
)
