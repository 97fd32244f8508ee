"""`conservation` and `audit`: whether everything adds up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.log import DatabaseUrl, DataDir, log_of
from petahour.cli.options import AsJson

if TYPE_CHECKING:
    from petahour.model.events import Event

SHOWN = 20


def add_to(app: typer.Typer) -> None:
    app.command(short_help="Show where every accelerator-hour went.")(conservation)
    app.command(short_help="Recompute everything from the raw events.")(audit)


def conservation(
    from_ms: Annotated[int | None, typer.Option(min=0, help="Start of the window, UTC epoch milliseconds.")] = None,
    to_ms: Annotated[int | None, typer.Option(min=0, help="End of the window; now without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show where every accelerator-hour went; exit 1 if any is lost or doubled."""
    from petahour.cli.render import show_json
    from petahour.cli.session import connect
    from petahour.cli.statement_view import show_conservation

    with connect() as client:
        result = client.conservation(from_ms=from_ms, to_ms=to_ms)
    if as_json:
        show_json(result)
    else:
        show_conservation(result)
    if not result.ok:
        raise typer.Exit(ExitCode.FAILED)


def audit(
    events: Annotated[
        bool, typer.Option("--events", help="Read the event log alone, and judge every event as it comes.")
    ] = False,
    recording: Annotated[Path | None, typer.Option(help="With --events: the log of a recording.")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Recompute everything from the raw events and transfers; exit 1 if anything disagrees."""
    if events or recording is not None:
        _audit_events(recording, data_dir, database_url, as_json=as_json)
        return
    from petahour.cli.render import progress, show_json
    from petahour.cli.session import connect
    from petahour.cli.statement_view import show_audit

    with connect() as client, progress("Recomputing"):
        result = client.audit()
    if as_json:
        show_json(result)
    else:
        show_audit(result)
    if not result.ok:
        raise typer.Exit(ExitCode.FAILED)


def _audit_events(recording: Path | None, data_dir: Path | None, database_url: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from petahour.cli.render import show_json
    from petahour.control.audit.stream import audit_log

    count = 0

    def counted(log: Iterable[Event]) -> Iterator[Event]:
        nonlocal count
        for event in log:
            count += 1
            yield event

    if recording is not None:
        from petahour.simulator.recording import read_recording

        log: Iterable[Event] = read_recording(recording).events
    else:
        log = log_of(data_dir, database_url)
    findings = list(audit_log(counted(log)))
    if as_json:
        show_json({"ok": not findings, "events": count, "findings": [asdict(one) for one in findings]})
    else:
        for one in findings[:SHOWN]:
            typer.echo(f"BROKEN  event {one.seq}: {one.rule}: {one.detail}")
        if len(findings) > SHOWN:
            typer.echo(f"and {len(findings) - SHOWN} more")
        typer.echo(f"{count:,} events, {len(findings):,} findings" if findings else f"{count:,} events, all hold")
    if findings:
        raise typer.Exit(ExitCode.FAILED)
