"""`conservation` and `audit`: whether everything adds up."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson


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


def audit(as_json: AsJson = False) -> None:
    """Recompute everything from the raw events and transfers; exit 1 if anything disagrees."""
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
