"""The append-only event log in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from sqlalchemy import Connection, func, insert, select

from petahour.model.events import Event, EventKind
from petahour.store.sql.bulk import insert_many
from petahour.store.sql.rows import event_of, event_row
from petahour.store.sql.schema import events
from petahour.store.sql.statements import batches, rows

_RECENT = 1_000


class SqlEvents:
    """Events in commit order: writers are serialised, so a reader that saw ``seq`` has seen all before it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, event: Event) -> Event:
        seq = self._connection.execute(insert(events).returning(events.c.seq), event_row(event)).scalar_one()
        return replace(event, seq=seq)

    def append_all(self, new: Sequence[Event]) -> None:
        """Append in this order."""
        rows = [event_row(event) for event in new]
        if rows:
            insert_many(self._connection, events, tuple(rows[0]), [tuple(row.values()) for row in rows])

    def after(self, seq: int, *, limit: int) -> Sequence[Event]:
        query = select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
        return rows(self._connection, query, event_of)

    def of_job(self, job_id: str) -> Sequence[Event]:
        return rows(self._connection, select(events).where(events.c.job == job_id).order_by(events.c.seq), event_of)

    def jobs_after(self, seq: int) -> Set[str]:
        query = select(events.c.job).where(events.c.seq > seq, events.c.job.is_not(None)).distinct()
        return set(self._connection.execute(query).scalars())

    def earlier(self, seq: int, *, jobs: Iterable[str], kinds: Iterable[EventKind]) -> Sequence[Event]:
        wanted = [kind.value for kind in kinds]
        query = select(events).where(events.c.seq <= seq)
        found = list(rows(self._connection, query.where(events.c.job.is_(None), events.c.kind.in_(wanted)), event_of))
        for batch in batches(jobs):
            found += rows(self._connection, query.where(events.c.job.in_(batch)), event_of)
        return sorted(found, key=lambda event: event.seq)

    def any_after(self, seq: int, kinds: Iterable[EventKind]) -> bool:
        wanted = [kind.value for kind in kinds]
        query = select(events.c.seq).where(events.c.seq > seq, events.c.kind.in_(wanted)).limit(1)
        return self._connection.execute(query).first() is not None

    def latest_ms(self) -> int:
        """The latest instant of the last events, zero without any; evidence may lie before the one stored earlier."""
        recent = select(events.c.at_ms).order_by(events.c.seq.desc()).limit(_RECENT).subquery()
        return self._connection.execute(select(func.max(recent.c.at_ms))).scalar() or 0

    def last_seq(self) -> int:
        return self._connection.execute(select(func.max(events.c.seq))).scalar() or 0
