"""A crash before the n-th statement: the process is gone, as far as the database can tell."""

from __future__ import annotations

from sqlalchemy import event

from petahour.store.protocol import Store
from petahour.store.sql.store import SqlStore


class CrashError(Exception):
    """It goes through everything, as the end of a process does."""


class Crashing:
    """Raises CrashError before the n-th statement that is sent while it lasts."""

    def __init__(self, store: Store, statement: int) -> None:
        assert isinstance(store, SqlStore)
        self._engine = store._engine
        self._left = statement

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._count)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            raise CrashError
