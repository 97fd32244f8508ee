"""`petahour terms`, `budget`, `dunning` and `write-off`: how tenants pay, and what becomes of those who do not."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.options import AsJson, DataDir

terms = typer.Typer(help="How tenants pay: before, or later up to a limit.", no_args_is_help=True)
budget = typer.Typer(help="What projects may spend in a month.", no_args_is_help=True)
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT")]
ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT")]


def add_to(app: typer.Typer) -> None:
    app.command()(dunning)
    app.command(name="write-off")(write_off)


@terms.command(name="set")
def set_terms(
    tenant: TenantArgument,
    postpaid: Annotated[bool, typer.Option("--postpaid/--prepaid", help="Use is owed, or taken from credit.")],
    limit: Annotated[str, typer.Option(help="What may be owed at most.")] = "0",
    days: Annotated[
        str, typer.Option(help="Days after the due date: remind, no new jobs, stop spot, stop all.")
    ] = "1,7,14,30",
    as_json: AsJson = False,
) -> None:
    """Set how a tenant pays, and when an overdue invoice has which consequence."""
    from petahour.cli.render import money, show_json
    from petahour.cli.session import connect

    remind, stop_new, stop_spot, stop_all = _whole("days", days, like="1,7,14,30", count=4)
    with connect() as client:
        made = client.terms.set_credit_terms(
            tenant, postpaid=postpaid, limit=limit, days=(remind, stop_new, stop_spot, stop_all)
        )
        currency = "" if as_json else client.tenant(tenant).currency
    if as_json:
        show_json(made)
        return
    owes = f"later and may owe {money(made.limit_micros, currency)}" if made.postpaid else "before"
    typer.echo(f"{tenant} pays {owes}")


@terms.command()
def show(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """Show how a tenant pays."""
    from petahour.cli.render import money, show_facts, show_json
    from petahour.cli.session import connect

    with connect() as client:
        found, currency = client.terms.credit_terms(tenant), client.tenant(tenant).currency
    if as_json:
        show_json(found)
        return
    show_facts(
        [
            ("tenant", tenant),
            ("pays", "later" if found.postpaid else "before"),
            ("may owe", money(found.limit_micros, currency) if found.postpaid else None),
            ("reminded after", f"{found.remind_days} days overdue"),
            ("no new jobs after", f"{found.stop_new_days} days"),
            ("spot stopped after", f"{found.stop_spot_days} days"),
            ("all stopped after", f"{found.stop_all_days} days"),
        ]
    )


@budget.command(name="set")
def set_budget(
    tenant: TenantArgument,
    project: ProjectArgument,
    limit: Annotated[str, typer.Argument(metavar="LIMIT", help="For a calendar month (UTC).")],
    hard: Annotated[bool, typer.Option("--hard", help="At the limit the project's jobs are stopped.")] = False,
    alerts: Annotated[str, typer.Option(help="Per cent of the limit at which the tenant is told.")] = "50,80,100",
    as_json: AsJson = False,
) -> None:
    """Set what a project may spend in a month."""
    from petahour.cli.render import money, show_json
    from petahour.cli.session import connect

    with connect() as client:
        made = client.terms.set_budget(
            tenant, project, limit, hard=hard, alerts=_whole("alerts", alerts, like="50,80,100")
        )
        currency = client.tenant(tenant).currency
    if as_json:
        show_json(made)
        return
    typer.echo(f"{tenant}/{project} may spend {money(made.limit_micros, currency)} a month")


@budget.command(name="list")
def list_budgets(tenant: TenantArgument, as_json: AsJson = False) -> None:
    """List a tenant's budgets with what is spent of them this month."""
    from petahour.cli.render import Column, money, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found, currency = client.terms.budgets(tenant), client.tenant(tenant).currency
    if as_json:
        show_json({"budgets": found})
        return
    columns = (
        Column(title="PROJECT"),
        Column(title="SPENT", right=True),
        Column(title="LIMIT", right=True),
        Column(title="PART", right=True),
        Column(title="AT THE LIMIT"),
    )
    rows = [
        (
            one.project,
            money(one.spent_micros, currency),
            money(one.limit_micros, currency),
            f"{100 * one.spent_micros // one.limit_micros} %",
            "its jobs are stopped" if one.hard else "the tenant is told",
        )
        for one in found
    ]
    show_table(columns, rows, empty=f"No project of {tenant} has a budget.")


@budget.command()
def remove(tenant: TenantArgument, project: ProjectArgument) -> None:
    """Remove a project's budget."""
    from petahour.cli.session import connect

    with connect() as client:
        client.terms.remove_budget(tenant, project)
    typer.echo(f"{tenant}/{project} has no budget")


def dunning(as_json: AsJson = False) -> None:
    """List tenants with overdue invoices, and how far their collection has come."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.terms.dunning()
    if as_json:
        show_json({"dunning": found})
        return
    columns = (Column(title="TENANT"), Column(title="STEP"), Column(title="SINCE"))
    rows = [(one.tenant, one.step, instant(one.since_ms)) for one in found]
    show_table(columns, rows, empty="Nobody is being dunned.")


def write_off(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The invoice's number.")],
    reason: Annotated[str, typer.Option(help="Why the debt is given up.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Give up what is still due of an invoice: from the receivable to bad debt."""
    from petahour.cli.render import show_json
    from petahour.cli.session import books

    with books(data_dir) as client:
        done = client.terms.write_off(number, reason=reason)
    if as_json:
        show_json(done)
        return
    typer.echo(f"{done.number} of {done.tenant}: {done.reason}")


def _whole(field: str, text: str, *, like: str, count: int | None = None) -> tuple[int, ...]:
    from petahour.model.errors import ValidationError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 6 for part in parts) or (count is not None and len(parts) != count):
        raise ValidationError(
            field=field,
            value=text,
            rule="whole numbers with commas between them" + (f", {count} of them" if count else ""),
            remedy=f'Write them like "{like}".',
        )
    return tuple(int(part) for part in parts)
