"""`fleet`: nodes, who holds their accelerators, drain and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson

if TYPE_CHECKING:
    from petahour.client.types import Node

app = typer.Typer(help="List nodes and who holds them; drain and resume.", rich_markup_mode=None)
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="The node's name.")]


@app.callback(invoke_without_command=True)
def fleet(context: typer.Context, as_json: AsJson = False) -> None:
    """List nodes and who holds them; drain and resume."""
    if context.invoked_subcommand is None:
        list_nodes(as_json=as_json)


@app.command("list")
def list_nodes(as_json: AsJson = False) -> None:
    """List nodes, their accelerators and who holds them."""
    from petahour.cli.render import Column, show_json, show_table, yes
    from petahour.cli.session import connect

    with connect() as client:
        found = client.fleet()
    if as_json:
        show_json(found)
        return
    columns = (
        Column(title="NODE"),
        Column(title="TYPE"),
        Column(title="STATE", state=True),
        Column(title="FREE", right=True),
        Column(title="OF", right=True),
        Column(title="REHEARSAL"),
        Column(title="SWITCH"),
        Column(title="HELD BY", wraps=True),
    )
    rows = [
        (
            node.name,
            node.type,
            node.state,
            node.free,
            node.accelerators,
            yes(node.rehearsal),
            node.switch,
            _held(node),
        )
        for node in found.nodes
    ]
    show_table(columns, rows, empty="No nodes.")
    for note in found.notes:
        typer.echo(f"Note: {note}", err=True)


@app.command()
def drain(
    node: NodeName,
    reason: Annotated[str, typer.Option(help="Why, for those who look later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Place nothing new on a node; what runs there runs on."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.drain(node, reason=reason), as_json)


@app.command()
def resume(node: NodeName, as_json: AsJson = False) -> None:
    """Take new work on a drained node again."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.resume(node), as_json)


def _show(node: Node, as_json: bool) -> None:
    from petahour.cli.render import show_json

    if as_json:
        show_json(node)
    else:
        typer.echo(f"{node.name} is {node.state}" + (f": {node.reason}" if node.reason else ""))


def _held(node: Node) -> str:
    """Accelerators by holder, such as ``acme job-7q0w4v2m9x [0-3]``; the reason of a node that takes nothing."""
    from petahour.cli.render import ranges

    held: dict[str, list[int]] = {}
    for holder in node.holders:
        if holder.tenant is not None:
            held.setdefault(" ".join(filter(None, (holder.tenant, holder.job))), []).append(holder.index)
    texts = [f"{who} [{ranges(indexes)}]" for who, indexes in held.items()]
    if node.reason:
        texts.append(f"({node.reason})")
    return ", ".join(texts)
