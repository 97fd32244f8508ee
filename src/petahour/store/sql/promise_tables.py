"""The tables of promises in time: maintenance windows and reservations."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Integer, String, Table, Text, text

from petahour.store.sql.schema import metadata

# Names of nodes are a JSON list: a window covers nodes that may be registered anew, and is read as a whole.
maintenance = Table(
    "maintenance",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("nodes", Text, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("empties", Boolean, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(80), nullable=False),
    CheckConstraint("to_ms > from_ms", name="window"),
    CheckConstraint("state IN ('planned', 'open', 'closed', 'cancelled')", name="state"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", ForeignKey("tenants.name"), nullable=False, index=True),
    Column("type", String(60), nullable=False),
    Column("nodes", Integer, nullable=False),
    Column("per_node", Integer, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("price_micros", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("lends", Boolean, nullable=False),
    Column("share_ppm", Integer, nullable=False, server_default=text("0")),
    Column("rehearsal", Boolean, nullable=False),
    Column("seats", Text, nullable=False),
    Column("of", String(40), nullable=False),
    Column("billed_ms", BigInteger),
    Column("renew_from_ms", BigInteger),
    Column("renewal", String(20), nullable=False, server_default=""),
    Column("state", String(20), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(80), nullable=False),
    CheckConstraint("to_ms >= from_ms", name="window"),
    CheckConstraint("nodes > 0 AND per_node > 0 AND price_micros >= 0", name="amounts"),
    CheckConstraint("state IN ('requested', 'confirmed', 'cancelled')", name="state"),
)

# What was lent when: a change of a reservation cuts its last row and adds another. Seats are a JSON list.
lendings = Table(
    "lendings",
    metadata,
    Column("reservation", ForeignKey("reservations.id"), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("to_ms", BigInteger, nullable=False, index=True),
    Column("tenant", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("rehearsal", Boolean, nullable=False),
    Column("share_ppm", Integer, nullable=False),
    Column("seats", Text, nullable=False),
    CheckConstraint("to_ms > from_ms", name="interval"),
    CheckConstraint("share_ppm > 0 AND share_ppm <= 1000000", name="share"),
)
