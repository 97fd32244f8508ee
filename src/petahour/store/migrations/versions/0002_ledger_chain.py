"""The ledger is chained and guarded; pending transfers may expire"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from petahour.billing.chain import GENESIS, link
from petahour.model.usage import Transfer, TransferKind
from petahour.store.sql.guards import guard, unguard

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BATCH = 10_000


def upgrade() -> None:
    with op.batch_alter_table("usage_records") as batch:
        batch.drop_index("ix_usage_records_allocation")
        batch.create_index("ux_usage_records_allocation_start", ["allocation", "start_ms"], unique=True)
        batch.create_check_constraint(op.f("ck_usage_records_positive"), "billed_ams >= 0 AND waived_ams >= 0")
    with op.batch_alter_table("charges") as batch:
        batch.create_check_constraint(op.f("ck_charges_price"), "price_micros >= 0")
    op.add_column("transfers", sa.Column("expires_ms", sa.BigInteger(), nullable=True))
    op.add_column("transfers", sa.Column("hash", sa.String(length=64), nullable=True))
    _chain(op.get_bind())
    with op.batch_alter_table("transfers") as batch:
        batch.alter_column("hash", existing_type=sa.String(length=64), nullable=False)
        batch.drop_constraint(op.f("uq_transfers_pending"), type_="unique")
        batch.create_check_constraint(
            op.f("ck_transfers_closing"), "(kind IN ('post', 'void', 'expire')) = (pending IS NOT NULL)"
        )
        batch.create_check_constraint(op.f("ck_transfers_expiring"), "expires_ms IS NULL OR kind = 'pending'")
        batch.create_check_constraint(op.f("ck_transfers_hash"), "length(hash) = 64")
    for name, column, unique in (
        ("ux_transfers_pending", "pending", True),
        ("ix_transfers_expires", "expires_ms", False),
    ):
        few = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "transfers", [column], unique=unique, sqlite_where=few, postgresql_where=few)
    guard(op.get_bind())


def downgrade() -> None:
    unguard(op.get_bind())
    op.drop_index("ix_transfers_expires", "transfers")
    op.drop_index("ux_transfers_pending", "transfers")
    with op.batch_alter_table("transfers") as batch:
        for name in ("ck_transfers_closing", "ck_transfers_expiring", "ck_transfers_hash"):
            batch.drop_constraint(op.f(name), type_="check")
        batch.create_unique_constraint(op.f("uq_transfers_pending"), ["pending"])
        batch.drop_column("hash")
        batch.drop_column("expires_ms")
    with op.batch_alter_table("charges") as batch:
        batch.drop_constraint(op.f("ck_charges_price"), type_="check")
    with op.batch_alter_table("usage_records") as batch:
        batch.drop_constraint(op.f("ck_usage_records_positive"), type_="check")
        batch.drop_index("ux_usage_records_allocation_start")
        batch.create_index("ix_usage_records_allocation", ["allocation"])


def _chain(connection: sa.Connection) -> None:
    """Chain what is there, in the order it was committed."""
    table = sa.table("transfers", *(sa.column(name) for name in ("seq", "hash", *_FIELDS)))
    keep = sa.update(table).where(table.c.seq == sa.bindparam("row")).values(hash=sa.bindparam("link"))
    previous, seq = GENESIS, -1
    while rows := connection.execute(
        sa.select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(_BATCH)
    ).all():
        links = []
        for row in rows:
            known = {name: getattr(row, name) for name in _FIELDS}
            known |= {"kind": TransferKind(row.kind), "pending": row.pending or ""}
            previous, seq = link(previous, Transfer(**known)), row.seq
            links.append({"row": seq, "link": previous})
        connection.execute(keep, links)


_FIELDS = (
    "id",
    "kind",
    "debit",
    "credit",
    "amount_micros",
    "currency",
    "at_ms",
    "cause",
    "pending",
    "note",
    "expires_ms",
)
