"""`tenant`: tenants and their projects, users, keys and quotas."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.options import AsJson
from petahour.cli.tenant_import import import_slurm

app = typer.Typer(help="Tenants, projects, users, API keys and quotas.", no_args_is_help=True, rich_markup_mode=None)
projects = typer.Typer(help="A tenant's projects.", no_args_is_help=True, rich_markup_mode=None)
users = typer.Typer(help="A tenant's users.", no_args_is_help=True, rich_markup_mode=None)
keys = typer.Typer(help="API keys.", no_args_is_help=True, rich_markup_mode=None)
quotas = typer.Typer(help="A tenant's nominal shares.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(projects, name="project")
app.add_typer(users, name="user")
app.add_typer(keys, name="key")
app.add_typer(quotas, name="quota")
app.command("import-slurm")(import_slurm)

Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name.")]
TenantOrOperator = Annotated[
    str, typer.Argument(metavar="TENANT", help="The tenant's name; \"operator\" for the operator's own people.")
]


@app.command()
def create(
    name: Tenant,
    currency: Annotated[str, typer.Option(help="ISO 4217, such as CNY; it never changes.")],
    title: Annotated[str, typer.Option(help="The name on invoices.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a tenant with a project named default."""
    from petahour.cli.session import connect

    with connect() as client:
        made = client.create_tenant(name, currency=currency, title=title)
    _done(made, f"Tenant {made.name} created, in {made.currency}", as_json)


@app.command("list")
def list_tenants(as_json: AsJson = False) -> None:
    """List tenants."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.tenants()
    if as_json:
        show_json({"tenants": found})
        return
    columns = (
        Column(title="TENANT"),
        Column(title="TITLE", wraps=True),
        Column(title="CURRENCY"),
        Column(title="CREATED"),
    )
    rows = [(item.name, item.title, item.currency, instant(item.created_ms)) for item in found]
    show_table(columns, rows, empty="No tenants.")


@app.command()
def show(name: Tenant, as_json: AsJson = False) -> None:
    """Show a tenant with its projects, quotas and credit."""
    from petahour.cli.render import instant, money, show_facts, show_json
    from petahour.cli.session import connect

    with connect() as client:
        tenant, projects_, shares = client.tenant(name), client.projects(name), client.quotas(name)
        credit = client.balance(name)
    if as_json:
        show_json({"tenant": tenant, "projects": projects_, "quotas": shares, "balance": credit})
        return
    show_facts(
        [
            ("tenant", tenant.name),
            ("title", tenant.title),
            ("currency", tenant.currency),
            ("created", instant(tenant.created_ms)),
            ("projects", ", ".join(item.name for item in projects_)),
            ("quotas", ", ".join(f"{item.nominal} x {item.type}" for item in shares) or None),
            ("credit", money(credit.posted_micros, credit.currency)),
            ("of which held", money(credit.held_micros, credit.currency)),
        ]
    )


@projects.command("create")
def create_project(
    tenant: Tenant,
    name: Annotated[str, typer.Argument(metavar="PROJECT")],
    directory: Annotated[
        str | None, typer.Option(help="An existing directory on the host (operators only); else one is made.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a project, a cost centre with a directory of its own."""
    from petahour.cli.session import connect

    with connect() as client:
        made = client.create_project(tenant, name, directory=directory)
    _done(made, f"Project {made.name} of {made.tenant} created in {made.directory}", as_json)


@projects.command("list")
def list_projects(tenant: Tenant, as_json: AsJson = False) -> None:
    """List a tenant's projects."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.projects(tenant)
    if as_json:
        show_json({"projects": found})
        return
    columns = (Column(title="PROJECT"), Column(title="DIRECTORY"), Column(title="CREATED"))
    rows = [(item.name, item.directory, instant(item.created_ms)) for item in found]
    show_table(columns, rows, empty="No projects.")


@users.command("create")
def create_user(
    tenant: TenantOrOperator,
    name: Annotated[str, typer.Argument(metavar="USER")],
    role: Annotated[
        str, typer.Option(help="tenant-admin, member or viewer; operator or finance for the operator's people.")
    ],
    as_json: AsJson = False,
) -> None:
    """Create a user."""
    from petahour.cli.session import connect

    with connect() as client:
        made = client.create_user(tenant, name, role=role)
    _done(made, f"User {made.name} created as {made.role} of {made.tenant or 'the operator'}", as_json)


@users.command("list")
def list_users(tenant: TenantOrOperator, as_json: AsJson = False) -> None:
    """List a tenant's users."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.users(tenant)
    if as_json:
        show_json({"users": found})
        return
    columns = (Column(title="USER"), Column(title="ROLE"), Column(title="CREATED"))
    rows = [(item.name, item.role, instant(item.created_ms)) for item in found]
    show_table(columns, rows, empty="No users.")


@keys.command("create")
def create_key(
    tenant: TenantOrOperator,
    user: Annotated[str, typer.Argument(metavar="USER")],
    label: Annotated[str, typer.Option(help="What the key is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create an API key of a user. Its text is shown this once."""
    from petahour.cli.session import connect

    with connect() as client:
        made = client.create_key(user, tenant=tenant, label=label)
    if as_json:
        _done(made, "", as_json)
        return
    typer.echo(f"Key {made.id} of {made.user} created; its text is shown this once:", err=True)
    typer.echo(made.key)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List API keys, without their secrets."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.keys()
    if as_json:
        show_json({"keys": found})
        return
    columns = (
        Column(title="KEY"),
        Column(title="TENANT"),
        Column(title="USER"),
        Column(title="ROLE"),
        Column(title="LABEL", wraps=True),
        Column(title="CREATED"),
        Column(title="REVOKED"),
    )
    rows = [
        (
            item.id,
            item.tenant,
            item.user,
            item.role,
            item.label,
            instant(item.created_ms),
            instant(item.revoked_ms),
        )
        for item in found
    ]
    show_table(columns, rows, empty="No keys.")


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="Its id.")], as_json: AsJson = False) -> None:
    """Revoke an API key; from now on it opens nothing."""
    from petahour.cli.session import connect

    with connect() as client:
        client.revoke_key(key)
    _done({"id": key, "revoked": True}, f"{key} is revoked", as_json)


@quotas.command("set")
def set_quota(
    tenant: Tenant,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="An accelerator type.")],
    nominal: Annotated[int, typer.Option(help="How many accelerators are the tenant's own.")],
    borrowing_limit: Annotated[
        int | None, typer.Option(help="How many it may borrow beyond; no bound without it.")
    ] = None,
    lending_limit: Annotated[
        int | None, typer.Option(help="How many of its idle ones others may borrow; all without it.")
    ] = None,
    cohort: Annotated[
        str, typer.Option(help="Who lends to each other; those without one lend among themselves.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Set a tenant's nominal share of an accelerator type."""
    from petahour.cli.session import connect
    from petahour.model.tenants import Quota

    with connect() as client:
        made = client.set_quota(
            Quota(
                tenant=tenant,
                type=type_,
                nominal=nominal,
                borrowing_limit=borrowing_limit,
                lending_limit=lending_limit,
                cohort=cohort,
            )
        )
    _done(made, f"{made.tenant} has a share of {made.nominal} x {made.type}", as_json)


@quotas.command("list")
def list_quotas(tenant: Tenant, as_json: AsJson = False) -> None:
    """List a tenant's nominal shares."""
    from petahour.cli.render import Column, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.quotas(tenant)
    if as_json:
        show_json({"quotas": found})
        return
    columns = (
        Column(title="TYPE"),
        Column(title="NOMINAL", right=True),
        Column(title="MAY BORROW", right=True),
        Column(title="LENDS", right=True),
        Column(title="COHORT"),
    )
    rows = [
        (
            item.type,
            item.nominal,
            "any" if item.borrowing_limit is None else item.borrowing_limit,
            "all" if item.lending_limit is None else item.lending_limit,
            item.cohort,
        )
        for item in found
    ]
    show_table(columns, rows, empty="No quotas; the tenant borrows what nobody was promised.")


def _done(value: object, text: str, as_json: bool) -> None:
    from petahour.cli.render import show_json

    if as_json:
        show_json(value)
    else:
        typer.echo(text)
