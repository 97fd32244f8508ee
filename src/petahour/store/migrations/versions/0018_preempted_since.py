"""Since when an allocation makes way for the operator is stored, so that no later cancellation hides it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("allocations", sa.Column("preempted_ms", sa.BigInteger(), nullable=True))
    causes = "stop_cause IN ('preempted', 'maintenance', 'recalled') OR stop_for <> ''"
    op.execute(f"UPDATE allocations SET preempted_ms = stop_ms WHERE {causes}")


def downgrade() -> None:
    op.drop_column("allocations", "preempted_ms")
