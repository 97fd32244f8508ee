"""The database of a control plane, opened beside it: for commands that believe nobody's word but the rows'."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from petahour.model.errors import NotFoundError
from petahour.store.sql.store import SqlStore, open_existing, sqlite_url

_FILE = "petahour.db"


def home_of(data_dir: Path) -> Path:
    """The control plane's own directory: of what a demonstration leaves behind, that is the ``data`` in it."""
    within = data_dir / "data"
    return within if not (data_dir / _FILE).is_file() and (within / _FILE).is_file() else data_dir


@contextmanager
def stored(data_dir: Path, database_url: str | None) -> Iterator[SqlStore]:
    """The store as it lies there; nothing is migrated or created. Raises NotFoundError when there is none."""
    path = home_of(data_dir) / _FILE
    if database_url is None and not path.is_file():
        raise NotFoundError(
            field="data-dir",
            value=str(data_dir),
            rule="a directory with a petahour.db",
            remedy="Name the control plane's with --data-dir, or its PostgreSQL with --database-url.",
        )
    store = open_existing(database_url or sqlite_url(path))
    try:
        yield store
    finally:
        store.close()
