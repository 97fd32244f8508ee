"""First schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("debits_micros", sa.BigInteger(), nullable=False),
        sa.Column("credits_micros", sa.BigInteger(), nullable=False),
        sa.Column("pending_debits_micros", sa.BigInteger(), nullable=False),
        sa.Column("pending_credits_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("debits_micros >= 0 AND credits_micros >= 0", name=op.f("ck_accounts_posted")),
        sa.CheckConstraint(
            "pending_debits_micros >= 0 AND pending_credits_micros >= 0", name=op.f("ck_accounts_pending")
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_accounts")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_keys_secret_hash")),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=True),
        sa.Column("job", sa.String(length=40), nullable=True),
        sa.Column("allocation", sa.String(length=60), nullable=True),
        sa.Column("node", sa.String(length=120), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_job"), ["job"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("submitted_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("preemptions", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("submission_key", sa.String(length=200), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_jobs")),
        sa.UniqueConstraint("id", name=op.f("uq_jobs_id")),
        sa.UniqueConstraint("tenant", "submission_key", name=op.f("uq_jobs_tenant_submission_key")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_jobs_state"), ["state"], unique=False)
        batch_op.create_index("ix_jobs_tenant_seq", ["tenant", "seq"], unique=False)

    op.create_table(
        "nodes",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("pool", sa.String(length=120), nullable=False),
        sa.Column("engine", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("accelerators", sa.Integer(), nullable=False),
        sa.Column("switch", sa.String(length=120), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("devices", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("accelerators >= 0", name=op.f("ck_nodes_accelerators")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nodes")),
    )
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tenants")),
    )
    op.create_table(
        "users",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_users")),
    )
    op.create_table(
        "allocations",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("engine", sa.String(length=40), nullable=False),
        sa.Column("slots", sa.Text(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("borrowed", sa.Boolean(), nullable=False),
        sa.Column("price_book", sa.String(length=80), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("metered_ms", sa.BigInteger(), nullable=True),
        sa.Column("stop_cause", sa.String(length=20), nullable=True),
        sa.Column("stop_for", sa.String(length=40), nullable=False),
        sa.Column("stop_ms", sa.BigInteger(), nullable=True),
        sa.Column("end_kind", sa.String(length=20), nullable=True),
        sa.Column("hold_transfer", sa.String(length=160), nullable=False),
        sa.CheckConstraint("ended_ms IS NULL OR ended_ms >= placed_ms", name=op.f("ck_allocations_ended")),
        sa.CheckConstraint("started_ms IS NULL OR started_ms >= placed_ms", name=op.f("ck_allocations_started")),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_allocations_job_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocations")),
        sa.UniqueConstraint("job", "attempt", name=op.f("uq_allocations_job_attempt")),
    )
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_allocations_state"), ["state"], unique=False)

    op.create_table(
        "projects",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_projects_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_projects")),
    )
    op.create_table(
        "quotas",
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("nominal", sa.Integer(), nullable=False),
        sa.Column("borrowing_limit", sa.Integer(), nullable=True),
        sa.CheckConstraint("borrowing_limit IS NULL OR borrowing_limit >= 0", name=op.f("ck_quotas_borrowing")),
        sa.CheckConstraint("nominal >= 0", name=op.f("ck_quotas_nominal")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_quotas_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "type", name=op.f("pk_quotas")),
    )
    op.create_table(
        "transfers",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("debit", sa.String(length=200), nullable=False),
        sa.Column("credit", sa.String(length=200), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=160), nullable=False),
        sa.Column("pending", sa.String(length=160), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_micros >= 0", name=op.f("ck_transfers_amount")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_transfers_two_accounts")),
        sa.ForeignKeyConstraint(["credit"], ["accounts.account"], name=op.f("fk_transfers_credit_accounts")),
        sa.ForeignKeyConstraint(["debit"], ["accounts.account"], name=op.f("fk_transfers_debit_accounts")),
        sa.ForeignKeyConstraint(["pending"], ["transfers.id"], name=op.f("fk_transfers_pending_transfers")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_transfers")),
        sa.UniqueConstraint("id", name=op.f("uq_transfers_id")),
        sa.UniqueConstraint("pending", name=op.f("uq_transfers_pending")),
    )
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transfers_credit"), ["credit"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfers_debit"), ["debit"], unique=False)

    op.create_table(
        "held_accelerators",
        sa.Column("node", sa.String(length=120), nullable=False),
        sa.Column("accelerator", sa.Integer(), nullable=False),
        sa.Column("allocation", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["allocation"], ["allocations.id"], name=op.f("fk_held_accelerators_allocation_allocations")
        ),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"], name=op.f("fk_held_accelerators_node_nodes")),
        sa.PrimaryKeyConstraint("node", "accelerator", name=op.f("pk_held_accelerators")),
    )
    with op.batch_alter_table("held_accelerators", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_held_accelerators_allocation"), ["allocation"], unique=False)

    op.create_table(
        "usage_records",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("allocation", sa.String(length=60), nullable=False),
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("hour_ms", sa.BigInteger(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("accelerators", sa.Integer(), nullable=False),
        sa.Column("billed_ams", sa.BigInteger(), nullable=False),
        sa.Column("waived_ams", sa.BigInteger(), nullable=False),
        sa.Column("waive_reason", sa.String(length=20), nullable=True),
        sa.CheckConstraint(
            "billed_ams + waived_ams = (end_ms - start_ms) * accelerators", name=op.f("ck_usage_records_whole")
        ),
        sa.CheckConstraint("end_ms > start_ms", name=op.f("ck_usage_records_interval")),
        sa.ForeignKeyConstraint(
            ["allocation"], ["allocations.id"], name=op.f("fk_usage_records_allocation_allocations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_records")),
    )
    with op.batch_alter_table("usage_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_usage_records_allocation"), ["allocation"], unique=False)
        batch_op.create_index("ix_usage_records_tenant_hour", ["tenant", "hour_ms"], unique=False)

    op.create_table(
        "charges",
        sa.Column("id", sa.String(length=110), nullable=False),
        sa.Column("usage", sa.String(length=100), nullable=False),
        sa.Column("tenant", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("tier", sa.String(length=20), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("price_book", sa.String(length=80), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("hour_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_micros >= 0", name=op.f("ck_charges_amount")),
        sa.ForeignKeyConstraint(["usage"], ["usage_records.id"], name=op.f("fk_charges_usage_usage_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")),
        sa.UniqueConstraint("usage", name=op.f("uq_charges_usage")),
    )
    with op.batch_alter_table("charges", schema=None) as batch_op:
        batch_op.create_index("ix_charges_tenant_hour", ["tenant", "hour_ms"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("charges", schema=None) as batch_op:
        batch_op.drop_index("ix_charges_tenant_hour")

    op.drop_table("charges")
    with op.batch_alter_table("usage_records", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_records_tenant_hour")
        batch_op.drop_index(batch_op.f("ix_usage_records_allocation"))

    op.drop_table("usage_records")
    with op.batch_alter_table("held_accelerators", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_held_accelerators_allocation"))

    op.drop_table("held_accelerators")
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_transfers_debit"))
        batch_op.drop_index(batch_op.f("ix_transfers_credit"))

    op.drop_table("transfers")
    op.drop_table("quotas")
    op.drop_table("projects")
    with op.batch_alter_table("allocations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_allocations_state"))

    op.drop_table("allocations")
    op.drop_table("users")
    op.drop_table("tenants")
    op.drop_table("nodes")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_tenant_seq")
        batch_op.drop_index(batch_op.f("ix_jobs_state"))

    op.drop_table("jobs")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_job"))

    op.drop_table("events")
    op.drop_table("api_keys")
    op.drop_table("accounts")
