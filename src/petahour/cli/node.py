"""`petahour node`: maintenance windows of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson, Begins, To

if TYPE_CHECKING:
    from petahour.client.promises import Maintenance

app = typer.Typer(help="Maintenance windows: plan, list, call off.", no_args_is_help=True)


@app.command()
def maintain(
    nodes: Annotated[list[str], typer.Argument(metavar="NODE...", help='Names, or patterns such as "a100-*".')],
    begins: Begins,
    to: To,
    reason: Annotated[str, typer.Option(help="Why; tenants whose jobs wait for it read it.")] = "",
    empty: Annotated[
        bool, typer.Option("--empty", help="Stop everything before it, not only what can go on elsewhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep nodes empty from one instant to another.

    Nothing is placed there that would run into the window. Spot jobs, and those without a walltime that keep
    checkpoints, are told to stop before it begins, with their signal and grace period, and wait for another place.
    """
    from petahour.cli.instants import absolute
    from petahour.cli.render import instant, show_json
    from petahour.cli.session import connect

    with connect() as client:
        made = client.promises.plan_maintenance(
            nodes, begins=absolute(begins, "from"), to=absolute(to, "to"), reason=reason, empties=empty
        )
    if as_json:
        show_json(made)
        return
    typer.echo(f"{made.id}: {_nodes(made)} from {instant(made.from_ms)} to {instant(made.to_ms)}")
    if made.runs_on:
        listed = ", ".join(made.runs_on[:5]) + (f" and {len(made.runs_on) - 5} more" if len(made.runs_on) > 5 else "")
        typer.echo(f"Note: {listed} may run into it and will not be stopped; --empty stops everything", err=True)


@app.command()
def windows(
    past: Annotated[bool, typer.Option("--past", help="Those that are over, too, the latest first.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the maintenance windows that are not over, the next first."""
    from petahour.cli.render import Column, instant, show_json, show_table, yes
    from petahour.cli.session import connect

    with connect() as client:
        found = client.promises.maintenance(past=past)
    if as_json:
        show_json({"windows": found})
        return
    columns = (
        Column(title="WINDOW"),
        Column(title="STATE", state=True),
        Column(title="FROM"),
        Column(title="TO"),
        Column(title="STOPS ALL"),
        Column(title="NODES", wraps=True),
        Column(title="REASON", wraps=True),
    )
    rows = [
        (one.id, one.state, instant(one.from_ms), instant(one.to_ms), yes(one.empties), _nodes(one), one.reason)
        for one in found
    ]
    show_table(columns, rows, empty="No maintenance windows.")


@app.command()
def cancel(
    window: Annotated[str, typer.Argument(metavar="WINDOW", help="Its id, such as mnt-7q0w4v2m9x.")],
    as_json: AsJson = False,
) -> None:
    """Call a maintenance window off; what it drained takes work again."""
    from petahour.cli.render import show_json
    from petahour.cli.session import connect

    with connect() as client:
        found = client.promises.cancel_maintenance(window)
    if as_json:
        show_json(found)
    else:
        typer.echo(f"{found.id} is called off")


def _nodes(window: Maintenance) -> str:
    return ", ".join(window.nodes[:4]) + (f" and {len(window.nodes) - 4} more" if len(window.nodes) > 4 else "")
