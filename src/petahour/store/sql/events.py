"""The append-only event log in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, insert, select

from petahour.model.events import Event
from petahour.store.sql.rows import event_of, event_row
from petahour.store.sql.schema import events
from petahour.store.sql.statements import rows


class SqlEvents:
    """Events in commit order: writers are serialised, so a reader that saw ``seq`` has seen all before it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, event: Event) -> Event:
        seq = self._connection.execute(insert(events).returning(events.c.seq), event_row(event)).scalar_one()
        return replace(event, seq=seq)

    def after(self, seq: int, *, limit: int) -> Sequence[Event]:
        query = select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
        return rows(self._connection, query, event_of)

    def of_job(self, job_id: str) -> Sequence[Event]:
        return rows(self._connection, select(events).where(events.c.job == job_id).order_by(events.c.seq), event_of)

    def last_seq(self) -> int:
        return self._connection.execute(select(func.max(events.c.seq))).scalar() or 0
