"""Contacts and the outbox in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from petahour.model.notices import Channel, Contact, Notice
from petahour.store.sql.rows import plain
from petahour.store.sql.statements import insert_new, one, rows
from petahour.store.sql.terms_schema import contacts, outbox


class SqlNotices:
    """Whom to tell, and what is on its way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_contact(self, contact: Contact) -> None:
        self._connection.execute(insert(contacts), plain(asdict(contact)))

    def remove_contact(self, contact_id: str) -> None:
        self._connection.execute(delete(contacts).where(contacts.c.id == contact_id))

    def contact(self, contact_id: str) -> Contact | None:
        return one(self._connection, select(contacts).where(contacts.c.id == contact_id), _contact_of)

    def contacts(self, tenant: str) -> Sequence[Contact]:
        query = select(contacts).where(contacts.c.tenant == tenant).order_by(contacts.c.created_ms, contacts.c.id)
        return rows(self._connection, query, _contact_of)

    def add(self, notice: Notice) -> bool:
        return insert_new(self._connection, outbox, outbox.c.id, plain(asdict(notice)))

    def save(self, notice: Notice) -> None:
        self._connection.execute(update(outbox).where(outbox.c.id == notice.id), plain(asdict(notice)))

    def due(self, at_ms: int, *, limit: int) -> Sequence[Notice]:
        column = outbox.c
        query = select(outbox).where(column.sent_ms.is_(None), column.failed_ms.is_(None), column.due_ms <= at_ms)
        return rows(self._connection, query.order_by(column.due_ms, column.id).limit(limit), _notice_of)

    def of_tenant(self, tenant: str, *, limit: int) -> Sequence[Notice]:
        column = outbox.c
        query = select(outbox).where(column.tenant == tenant).order_by(column.created_ms.desc(), column.id)
        return rows(self._connection, query.limit(limit), _notice_of)


def _contact_of(row: Mapping[str, Any]) -> Contact:
    return Contact(**{**row, "channel": Channel(row["channel"])})


def _notice_of(row: Mapping[str, Any]) -> Notice:
    return Notice(**{**row, "channel": Channel(row["channel"])})
