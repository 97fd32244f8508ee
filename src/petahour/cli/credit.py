"""`petahour credit` and `petahour topups`: how long credit lasts, and top-ups that need a second person."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.options import AsJson, TenantName

topups = typer.Typer(help="Top-ups that need a second person: list, approve, refuse, rules.", no_args_is_help=True)
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The payment's reference.")]


def add_to(app: typer.Typer) -> None:
    app.command()(credit)


def credit(tenant: TenantName = None, as_json: AsJson = False) -> None:
    """Show how long a tenant's credit lasts at the present burn."""
    from petahour.cli.render import instant, money, show_facts, show_json
    from petahour.cli.session import connect, tenant_or_own
    from petahour.model.time import format_span

    with connect() as client:
        found = client.terms.credit(tenant_or_own(client, tenant))
    if as_json:
        show_json(found)
        return
    ends = instant(found.exhausted_ms)
    lasts = "more than a century" if found.burn_micros > 0 else "for ever: nothing burns"
    if found.exhausted_ms is not None:
        lasts = format_span(max(0, found.exhausted_ms - found.at_ms))
    over = money(found.overspent_micros, found.currency) if found.overspent_micros else None
    show_facts(
        [
            ("tenant", found.tenant),
            ("credit", money(found.posted_micros, found.currency)),
            ("credit limit", money(found.limit_micros, found.currency) if found.limit_micros else None),
            ("held for running jobs", money(found.held_micros, found.currency)),
            (
                "set aside for this hour",
                money(found.aside_micros, found.currency) if found.aside_micros else None,
            ),
            ("used since last metered", money(found.accrued_micros, found.currency)),
            ("left", money(found.left_micros, found.currency)),
            ("overspent", over),
            ("burn an hour", money(found.burn_micros, found.currency)),
            (
                "of it reservations",
                money(found.reserved_micros, found.currency) if found.reserved_micros else None,
            ),
            ("lasts", lasts),
            ("used up at", ends),
        ]
    )


@topups.command(name="list")
def list_requests(
    everything: Annotated[bool, typer.Option("--all", help="Those decided too.")] = False, as_json: AsJson = False
) -> None:
    """List the top-ups that wait for a second person."""
    from petahour.cli.render import Column, instant, money, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.terms.topup_requests(waiting=not everything)
    if as_json:
        show_json({"requests": found})
        return
    columns = (
        Column(title="TENANT"),
        Column(title="KEY"),
        Column(title="AMOUNT", right=True),
        Column(title="ASKED BY"),
        Column(title="AT"),
        Column(title="STATE", state=True),
        Column(title="DECIDED BY"),
    )
    rows = [
        (
            item.tenant,
            item.key,
            money(item.amount_micros, item.currency),
            item.requested_by,
            instant(item.requested_ms),
            item.state,
            item.decided_by or None,
        )
        for item in found
    ]
    show_table(columns, rows, empty="No top-up waits for a second person.")


@topups.command()
def approve(tenant: TenantArgument, key: KeyArgument, as_json: AsJson = False) -> None:
    """Approve what another person asked for; the credit is added at once."""
    _decide(tenant, key, as_json, approved=True)


@topups.command()
def refuse(tenant: TenantArgument, key: KeyArgument, as_json: AsJson = False) -> None:
    """Refuse what was asked for; its key is used up."""
    _decide(tenant, key, as_json, approved=False)


@topups.command()
def rule(
    currency: Annotated[str, typer.Argument(metavar="CURRENCY")],
    role: Annotated[str, typer.Argument(metavar="ROLE", help="operator or finance.")],
    most: Annotated[str, typer.Option(help="At most so much at once.")],
    alone: Annotated[str, typer.Option(help="Above this a second person approves.")],
    as_json: AsJson = False,
) -> None:
    """Set what a role may add at once, and what it may add alone."""
    from petahour.cli.render import money, show_json
    from petahour.cli.session import connect

    with connect() as client:
        made = client.terms.set_topup_rule(currency, role, most=most, alone=alone)
    if as_json:
        show_json(made)
        return
    limit, free = money(made.most_micros, made.currency), money(made.alone_micros, made.currency)
    typer.echo(f"{made.role} adds at most {limit} at once, and up to {free} alone")


@topups.command()
def rules(as_json: AsJson = False) -> None:
    """List what each role may add; a role without a rule may add any amount alone."""
    from petahour.cli.render import Column, money, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.terms.topup_rules()
    if as_json:
        show_json({"rules": found})
        return
    columns = (Column(title="ROLE"), Column(title="AT MOST", right=True), Column(title="ALONE", right=True))
    rows = [(one.role, money(one.most_micros, one.currency), money(one.alone_micros, one.currency)) for one in found]
    show_table(columns, rows, empty="No rules: operator and finance may add any amount alone.")


def _decide(tenant: str, key: str, as_json: bool, *, approved: bool) -> None:
    from petahour.cli.render import money, show_json
    from petahour.cli.session import connect

    with connect() as client:
        decide = client.terms.approve_topup if approved else client.terms.refuse_topup
        done = decide(tenant, key)
    if as_json:
        show_json(done)
        return
    typer.echo(f"{money(done.amount_micros, done.currency)} for {tenant}: {done.state} by {done.decided_by}")
