"""How the way from an invoice to its jobs is shown."""

from __future__ import annotations

import typer

from petahour.cli.render import Column, instant, make_table, print_plain
from petahour.client.explanation import BilledEntry, InvoiceExplanation
from petahour.model.money import format_micros
from petahour.model.time import HOUR_MS


def show_invoice(found: InvoiceExplanation) -> None:
    """Its lines with what is bound to each; then, of the line asked about, every transfer with the job behind it."""
    _show_lines(found)
    if found.line is None:
        typer.echo(f"\nWhat a line bills: petahour explain invoice {found.number}/LINE")
        return
    _show_entries(found)
    line = found.lines[found.line - 1]
    shown = sum(one.amount_micros for one in found.entries)
    if len(found.entries) < line.transfers:
        typer.echo(f"\n{len(found.entries)} of {line.transfers} transfers, {_money(shown, found)}; more with --limit")
    first = next((one.charge for one in found.entries if one.charge), None)
    if first is not None:
        typer.echo(f"\nFrom there to the events and the job: petahour explain charge {first}")


def _show_lines(found: InvoiceExplanation) -> None:
    columns = (
        Column(title="LINE", right=True),
        Column(title="KIND"),
        Column(title="MONTH"),
        Column(title="PROJECT"),
        Column(title="WHAT"),
        Column(title="HOURS", right=True),
        Column(title="TRANSFERS", right=True),
        Column(title="THEY COME TO", right=True),
        Column(title="BILLED", right=True),
    )
    rows = [
        (
            one.number,
            one.kind,
            one.month,
            one.project,
            one.note or f"{one.type}, {one.tier}",
            f"{one.accelerator_ms / HOUR_MS:,.3f}",
            f"{one.transfers:,}",
            _money(one.posted_micros, found),
            _money(one.amount_micros, found),
        )
        for one in found.lines
    ]
    net = _money(found.net_micros, found)
    title = f"Invoice {found.number} of {found.tenant} for {found.month}, {net} before tax"
    print_plain(make_table(columns, rows), title=title)


def _show_entries(found: InvoiceExplanation) -> None:
    columns = (
        Column(title="CHARGE"),
        Column(title="FROM"),
        Column(title="HOURS", right=True),
        Column(title="PRICE", right=True),
        Column(title="BOOK"),
        Column(title="AMOUNT", right=True),
        Column(title="ALLOCATION"),
        Column(title="JOB"),
    )
    rows = [_entry(one, found) for one in found.entries]
    print_plain(make_table(columns, rows), title=f"\nLine {found.line}")


def _entry(one: BilledEntry, found: InvoiceExplanation) -> tuple[object, ...]:
    amount = _money(one.amount_micros, found)
    if one.kind == "lent-share":
        hours = f"{one.accelerator_ms / HOUR_MS:,.6f}"
        price = format_micros(one.price_micros, found.currency)
        return one.usage, instant(one.start_ms), hours, price, one.price_book, amount, None, None
    if not one.charge:
        return one.note or one.cause, instant(one.at_ms), None, None, None, amount, None, None
    price, hours = format_micros(one.price_micros, found.currency), f"{one.accelerator_ms / HOUR_MS:,.6f}"
    return one.charge, instant(one.start_ms), hours, price, one.price_book, amount, one.allocation, one.job


def _money(micros: int, found: InvoiceExplanation) -> str:
    return f"{format_micros(micros, found.currency)} {found.currency}"
