"""The terms of every job in the event that tells of its submission"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from petahour.store.sql.guards import guard, unguard

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PRIVATE = ("command", "workdir", "environment")
_BATCH = 500


def upgrade() -> None:
    events = sa.table(
        "events", sa.column("seq", sa.BigInteger), sa.column("kind"), sa.column("job"), sa.column("data")
    )
    jobs = sa.table("jobs", sa.column("seq", sa.BigInteger), sa.column("id"), sa.column("project"), sa.column("spec"))
    submitted = (
        sa.select(events.c.seq, events.c.data, jobs.c.seq.label("number"), jobs.c.project, jobs.c.spec)
        .join_from(events, jobs, events.c.job == jobs.c.id)
        .where(events.c.kind == "job-submitted")
        .order_by(events.c.seq)
        .limit(_BATCH)
    )
    connection, seen = op.get_bind(), 0
    unguard(connection)
    while rows := connection.execute(submitted.where(events.c.seq > seen)).mappings().all():
        for row in rows:
            terms = {name: value for name, value in json.loads(row["spec"]).items() if name not in _PRIVATE}
            data = {**json.loads(row["data"]), "number": row["number"], "project": row["project"], "terms": terms}
            connection.execute(
                sa.update(events)
                .where(events.c.seq == row["seq"])
                .values(data=json.dumps(data, ensure_ascii=False, separators=(",", ":")))
            )
        seen = rows[-1]["seq"]
    guard(connection)


def downgrade() -> None:
    """The terms stay: an older Petahour does not look at them."""
