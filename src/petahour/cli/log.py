"""The event log, from wherever a command is told to read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.model.errors import ValidationError

if TYPE_CHECKING:
    from petahour.model.events import Event

DataDir = Annotated[
    Path | None, typer.Option(help="Read the control plane's own database here, which may be running or not.")
]
DatabaseUrl = Annotated[
    str | None, typer.Option(envvar="PETAHOUR_DATABASE_URL", help="The same where it is PostgreSQL.")
]

_PAGE = 5_000


def log_of(data_dir: Path | None, database_url: str | None) -> Iterator[Event]:
    """Every event in order: of a database where one is named, else of the control plane that answers."""
    if data_dir is None and database_url is None:
        return _asked()
    if data_dir is not None and database_url is not None:
        raise ValidationError(
            field="data-dir",
            value=str(data_dir),
            rule="a data directory or a database URL",
            remedy="Leave out one of them.",
        )
    return _stored(data_dir, database_url)


def _stored(data_dir: Path | None, database_url: str | None) -> Iterator[Event]:
    from petahour.cli.database import stored

    seq = 0
    with stored(data_dir or Path(), database_url) as store:
        while True:
            # A transaction a page: nobody who writes waits for a reader of years.
            with store.read() as tx:
                events = tx.events.after(seq, limit=_PAGE)
            if not events:
                return
            yield from events
            seq = events[-1].seq


def _asked() -> Iterator[Event]:
    from petahour.cli.session import connect
    from petahour.model.events import Event, EventKind

    seq = 0
    with connect() as client:
        while events := client.events(after=seq, limit=_PAGE):
            for event in events:
                yield Event(
                    kind=EventKind(event.kind),
                    at_ms=event.at_ms,
                    seq=event.seq,
                    tenant=event.tenant,
                    job=event.job,
                    allocation=event.allocation,
                    node=event.node,
                    data=event.data,
                )
            seq = events[-1].seq
