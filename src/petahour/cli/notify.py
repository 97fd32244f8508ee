"""`petahour notify`: where a tenant is told of warnings, and what was delivered."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.options import AsJson

app = typer.Typer(help="Who is told of warnings: webhooks and e-mail addresses.", no_args_is_help=True)
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT")]


@app.command()
def add(
    tenant: TenantArgument,
    webhook: Annotated[str | None, typer.Option(help="A URL that gets a signed POST.")] = None,
    email: Annotated[str | None, typer.Option(help="An e-mail address.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a webhook or an e-mail address. A webhook's secret is shown this once."""
    from petahour.cli.render import show_json
    from petahour.cli.session import connect
    from petahour.model.errors import ValidationError

    if (webhook is None) is (email is None):
        raise ValidationError(
            field="webhook", value=None, rule="one of --webhook and --email", remedy="Add them one by one."
        )
    with connect() as client:
        made = client.terms.add_contact(tenant, "webhook" if webhook else "email", webhook or email or "")
    if as_json:
        show_json(made)
        return
    typer.echo(f"{made.id} added: {made.channel} {made.target}")
    if made.secret:
        typer.echo(f"Its secret, shown this once: {made.secret}")


@app.command(name="list")
def list_contacts(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """List a tenant's contacts."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.terms.contacts(tenant)
    if as_json:
        show_json({"contacts": found})
        return
    columns = (Column(title="CONTACT"), Column(title="CHANNEL"), Column(title="TARGET"), Column(title="SINCE"))
    rows = [(item.id, item.channel, item.target, instant(item.created_ms)) for item in found]
    show_table(columns, rows, empty=f"{tenant} has no contacts: nobody is told.")


@app.command()
def remove(tenant: TenantArgument, contact: Annotated[str, typer.Argument(metavar="CONTACT")]) -> None:
    """Remove a contact."""
    from petahour.cli.session import connect

    with connect() as client:
        client.terms.remove_contact(tenant, contact)
    typer.echo(f"{contact} removed")


@app.command(name="try")
def try_contacts(tenant: TenantArgument) -> None:
    """Send a trial notice to every contact of a tenant."""
    from petahour.cli.session import connect

    with connect() as client:
        count = client.terms.try_contacts(tenant)
    typer.echo(f"{count} trial notices are on their way; petahour notify log {tenant} shows what became of them")


@app.command()
def log(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """List the latest notices of a tenant and what became of them."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.terms.notices(tenant)
    if as_json:
        show_json({"notices": found})
        return
    columns = (
        Column(title="AT"),
        Column(title="CHANNEL"),
        Column(title="TARGET"),
        Column(title="TRIES", right=True),
        Column(title="STATE"),
        Column(title="SUBJECT", wraps=True),
    )
    rows = [
        (
            instant(item.created_ms),
            item.channel,
            item.target,
            item.tries,
            "sent" if item.sent_ms else "given up" if item.failed_ms else f"waiting {item.error}".strip(),
            item.subject,
        )
        for item in found
    ]
    show_table(columns, rows, empty="No notices yet.")
