"""`topup`, `balance`, `usage`, `invoice`, `prices`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from petahour.cli.options import AsJson, Month, TenantName


def add_to(app: typer.Typer) -> None:
    for command in (topup, balance, usage, invoice, prices):
        app.command()(command)


def topup(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="A decimal number, such as 1000.00.")],
    currency: Annotated[str | None, typer.Option(help="The tenant's own without it.")] = None,
    key: Annotated[
        str | None, typer.Option(help="The payment's reference: one reference is one credit, however often sent.")
    ] = None,
    note: Annotated[str, typer.Option(help="A word for the ledger.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add prepaid credit to a tenant; above what you may add alone, a second person approves."""
    from petahour.cli.render import money, show_json
    from petahour.cli.session import connect
    from petahour.client.statements import Topup

    with connect() as client:
        paid_in = currency or client.tenant(tenant).currency
        done = client.terms.request_topup(tenant, amount, currency=paid_in, key=key, note=note)
    if as_json:
        show_json(done)
        return
    if not isinstance(done, Topup):
        wanted = money(done.amount_micros, done.currency)
        waits = " wait for a second person" if done.state == "waiting" else ""
        typer.echo(f"{wanted} for {tenant}{waits} (key {done.key}): {done.state}")
        return
    credit = money(done.balance.posted_micros, done.balance.currency)
    typer.echo(f"{money(done.transfer.amount_micros, done.transfer.currency)} added; {tenant} has {credit}")


def balance(tenant: TenantName = None, as_json: AsJson = False) -> None:
    """Show a tenant's prepaid credit."""
    from petahour.cli.render import money, show_facts, show_json
    from petahour.cli.session import connect, tenant_or_own

    with connect() as client:
        credit = client.balance(tenant_or_own(client, tenant))
    if as_json:
        show_json(credit)
        return
    show_facts(
        [
            ("tenant", credit.tenant),
            ("credit", money(credit.posted_micros, credit.currency)),
            ("held for running jobs", money(credit.held_micros, credit.currency)),
            ("available", money(credit.available_micros, credit.currency)),
        ]
    )


def usage(tenant: TenantName = None, month: Month = None, as_json: AsJson = False) -> None:
    """Show what was used in a month, record by record."""
    from petahour.cli.render import Column, brief, duration, hours, make_table, print_plain, show_json
    from petahour.cli.session import connect, month_or_this, tenant_or_own
    from petahour.model.money import format_micros

    with connect() as client:
        used = client.usage(tenant_or_own(client, tenant), month=month_or_this(month))
    if as_json:
        show_json(used)
        return
    if not used.records:
        typer.echo(f"{used.tenant} used nothing in {used.month}.")
        return
    columns = (
        Column(title="JOB"),
        Column(title="PROJECT", wraps=True),
        Column(title="TYPE"),
        Column(title="TIER"),
        Column(title="FROM (UTC)"),
        Column(title="FOR", right=True),
        Column(title="X", right=True),
        Column(title="BILLED", right=True),
        Column(title="WAIVED", right=True),
        Column(title="AMOUNT", right=True),
    )
    rows = [
        (
            row.job,
            row.project,
            row.type + ("*" if row.rehearsal else ""),
            row.tier,
            brief(row.start_ms),
            duration(row.end_ms - row.start_ms),
            row.accelerators,
            hours(row.billed_ams),
            hours(row.waived_ams),
            format_micros(row.amount_micros, used.currency),
        )
        for row in used.records
    ]
    title = f"{used.tenant}, {used.month}: accelerator-hours, amounts in {used.currency}; * rehearsal, not payable"
    print_plain(make_table(columns, rows, gap=1), title=title)


def invoice(tenant: TenantName = None, month: Month = None, as_json: AsJson = False) -> None:
    """Show a month's invoice; of the present month, as it stands."""
    from petahour.cli.render import show_json
    from petahour.cli.session import connect, month_or_this, tenant_or_own

    with connect() as client:
        name, chosen = tenant_or_own(client, tenant), month_or_this(month)
        if as_json:
            show_json(client.invoice(name, chosen))
        else:
            typer.echo(client.invoice_text(name, chosen), nl=False)


def prices(
    currency: Annotated[str | None, typer.Option(help="Only books in this currency.")] = None, as_json: AsJson = False
) -> None:
    """Show the price of an accelerator-hour, by type and tier: of the books in force, and of those to come."""
    from petahour.cli.book_order import over
    from petahour.cli.render import Column, instant, make_table, print_plain, show_json
    from petahour.cli.session import connect
    from petahour.model.money import format_micros

    with connect() as client:
        books = [book for book in client.prices() if currency in (None, book.currency)]
    if as_json:
        show_json({"books": books})
        return
    if not books:
        typer.echo("No price books.")
    now_ms = time.time_ns() // 1_000_000
    for number, book in enumerate(book for book in books if not over(book, books, now_ms)):
        tiers = [tier for tier in ("on-demand", "reserved", "spot") if any(row.tier == tier for row in book.prices)]
        table = {(row.type, row.tier): format_micros(row.micros, book.currency) for row in book.prices}
        columns = (Column(title="TYPE"), *(Column(title=tier.upper(), right=True) for tier in tiers))
        rows = [(name, *(table.get((name, tier)) for tier in tiers)) for name in sorted({key[0] for key in table})]
        title = f"{book.id}, {book.currency} per accelerator-hour, "
        title += f"{'from' if book.effective_ms > now_ms else 'since'} {instant(book.effective_ms)}"
        print_plain(make_table(columns, rows), title=("\n" if number else "") + title)
