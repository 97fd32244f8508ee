"""`petahour grant` and `petahour refund`: credit that is given, made good, or paid back."""

from __future__ import annotations

from typing import Annotated

import typer

from petahour.cli.options import AsJson

TenantArgument = Annotated[str, typer.Argument(metavar="TENANT")]
AmountArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help="A decimal number, such as 50.00.")]
Key = Annotated[str, typer.Option(help="What you call it, such as a ticket: one key is one, however often sent.")]
Note = Annotated[str, typer.Option(help="Why; it is kept in the ledger and stands on the statement of account.")]


def add_to(app: typer.Typer) -> None:
    for command in (grant, refund):
        app.command()(command)


def grant(
    tenant: TenantArgument,
    amount: AmountArgument,
    key: Key,
    note: Note,
    fault: Annotated[
        bool, typer.Option("--fault", help="It makes a fault good (a service credit), it is no gift.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a tenant prepaid credit that nobody paid for."""
    _move(tenant, "service-credit" if fault else "grant", amount, key, note, as_json=as_json)


def refund(tenant: TenantArgument, amount: AmountArgument, key: Key, note: Note, as_json: AsJson = False) -> None:
    """Note that prepaid credit was paid back to a tenant: at most what was paid for and is not used, held or owed."""
    _move(tenant, "refund", amount, key, note, as_json=as_json)


def _move(tenant: str, kind: str, amount: str, key: str, note: str, *, as_json: bool) -> None:
    from petahour.cli.render import money, show_json
    from petahour.cli.session import connect

    with connect() as client:
        currency = client.tenant(tenant).currency
        done = client.terms.move_credit(tenant, kind, amount, currency=currency, key=key, note=note)
    if as_json:
        show_json(done)
        return
    what = {"grant": "granted", "service-credit": "made good", "refund": "paid back"}[kind]
    left = money(done.balance.posted_micros, currency)
    typer.echo(
        f"{money(done.transfer.amount_micros, currency)} {what}; {tenant} has {left} (transfer {done.transfer.id})"
    )
