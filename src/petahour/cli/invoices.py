"""`close` and `invoices`: the monthly close, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson, DataDir, Month, TenantName

if TYPE_CHECKING:
    from petahour.cli.render import Column
    from petahour.model.invoices import InvoiceDocument, Party

app = typer.Typer(
    help="Issued invoices: list, print, pay, void, credit; seller and terms.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="As printed, such as PH2026-00001; a draft by its id.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence: it is printed.")]
Key = Annotated[str | None, typer.Option(help="A reference: one is one payment or note, however often sent.")]
# Each format with the end of its file's name.
FORMS = {"pdf": "pdf", "html": "html", "csv": "csv", "json": "json"}
INVOICE_FORMS = {**FORMS, "focus": "focus.csv", "focus-parquet": "focus.parquet"}


def add_to(root: typer.Typer) -> None:
    root.command(short_help="Close a month: issue every tenant's invoice.")(close)
    root.add_typer(app, name="invoices")


def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM, in UTC; it has to be over.")],
    tenant: Annotated[str | None, typer.Option(help="This tenant only.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Only store what the invoices would be.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Close a month: every tenant's use becomes an invoice. Repeating it changes nothing.

    Use that becomes known later is in the next month's invoice. Exit 1 while a tenant has to wait for a running job
    to be metered up to the month's end.
    """
    from petahour.cli.render import Column, make_table, print_plain, show_json
    from petahour.cli.session import books

    with books(data_dir) as client:
        done = client.books.close(month, tenant=tenant, draft=draft)
    if as_json:
        show_json(done)
    elif not done.closes:
        typer.echo("There are no tenants.")
    else:
        listed = _columns()
        columns = (listed[1], Column(title="OUTCOME"), listed[0], *listed[4:], Column(title="WHY", wraps=True))
        rows = []
        for item in done.closes:
            number, _, _, _, *sums = _row(item.document)
            rows.append((item.tenant, item.outcome, number, *sums, item.reason))
        print_plain(make_table(columns, rows), title=f"The close of {done.month}")
    if any(item.outcome == "waiting" for item in done.closes):
        raise typer.Exit(ExitCode.FAILED)


@app.command("list")
def list_invoices(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.")] = None,
    month: Annotated[str | None, typer.Option(help="Of this month only, as YYYY-MM.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="draft, issued, paid or void; can be repeated.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List invoices and credit notes, oldest first."""
    from petahour.cli.render import show_json, show_table
    from petahour.cli.session import books

    with books(data_dir) as client:
        found = client.books.invoices(tenant=tenant, month=month, states=state or ())
    if as_json:
        show_json({"invoices": found})
    else:
        show_table(
            _columns(), [_row(item) for item in found], empty='No invoices. "petahour close MONTH" makes them.'
        )


@app.command("print")
def print_invoice(
    number: Number,
    form: Annotated[str, typer.Option("--format", help="pdf, html, csv, json, focus or focus-parquet.")] = "pdf",
    language: Annotated[str | None, typer.Option(help="en or zh; the tenant's own without it.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="A file; NUMBER.FORMAT without it. - is standard output.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write an invoice or credit note as a file; focus: its charges by the FOCUS specification of cost and usage."""
    from petahour.cli.files import known_form, write_file
    from petahour.cli.session import books

    end = known_form(form, INVOICE_FORMS)
    with books(data_dir) as client:
        content = client.books.file(number, form, language=language)
    write_file(output or Path(f"{number}.{end}"), content)


@app.command()
def statement(
    tenant: TenantName = None,
    month: Month = None,
    form: Annotated[str, typer.Option("--format", help="pdf, html, csv or json.")] = "pdf",
    language: Annotated[str | None, typer.Option(help="en or zh; the tenant's own without it.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="A file; statement-TENANT-MONTH.FORMAT without it. - is standard output.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a statement of account: what moved in a month on a tenant's credit and receivable."""
    from petahour.cli.files import known_form, write_file
    from petahour.cli.session import books, month_or_this, tenant_or_own

    end = known_form(form, FORMS)
    with books(data_dir) as client:
        name, chosen = tenant_or_own(client, tenant), month_or_this(month)
        content = client.books.statement(name, chosen, form, language=language)
    write_file(output or Path(f"statement-{name}-{chosen}.{end}"), content)


@app.command()
def pay(
    number: Number,
    amount: Annotated[str | None, typer.Option(help="A decimal number; all that is due without it.")] = None,
    key: Key = None,
    note: Annotated[str, typer.Option(help="A word for the ledger.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Note that a payment came in for an invoice."""
    from petahour.cli.session import books

    with books(data_dir) as client:
        _show(client.books.pay(number, amount=amount, key=key, note=note), as_json)


@app.command()
def void(number: Number, reason: Reason, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Declare an unpaid invoice void; its month can then be closed again."""
    from petahour.cli.session import books

    with books(data_dir) as client:
        _show(client.books.void(number, reason=reason), as_json)


@app.command()
def credit(
    number: Number,
    line: Annotated[int, typer.Option(help="The line's number on the invoice.")],
    reason: Reason,
    amount: Annotated[str | None, typer.Option(help="Before tax; what the line has left without it.")] = None,
    key: Key = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take a part of an invoice's line back, with its share of the tax, by a credit note."""
    from petahour.cli.session import books

    with books(data_dir) as client:
        _show(client.books.credit(number, line=line, amount=amount, reason=reason, key=key), as_json)


Name = Annotated[str | None, typer.Option(help="The company's name, as invoices print it.")]
Lines = Annotated[list[str] | None, typer.Option(help="One line; repeat it for further ones.")]
Word = Annotated[str | None, typer.Option()]
Days = Annotated[int | None, typer.Option(help="Days from issue to payment.")]


@app.command()
def seller(
    name: Name = None,
    address: Lines = None,
    country: Word = None,
    tax_id: Word = None,
    email: Word = None,
    phone: Word = None,
    bank: Lines = None,
    prefix: Annotated[str | None, typer.Option(help="What every number begins with.")] = None,
    terms_days: Days = None,
    note: Annotated[str | None, typer.Option(help="A sentence at the foot of every document.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Name who issues invoices; without options, show it. What is not said stays as it is."""
    from petahour.cli.session import books
    from petahour.client import ApiError
    from petahour.model.invoices import Party, Seller

    changes = _party(name, address, country, tax_id, email, phone, bank)
    own: dict[str, Any] = {"prefix": prefix, "terms_days": terms_days, "note": note}
    own = {key: value for key, value in own.items() if value is not None}
    with books(data_dir) as client:
        try:
            found = client.books.seller()
        except ApiError as error:
            if error.status != 409 or not changes:
                raise
            found = Seller(party=Party(name=""))
        if changes or own:
            found = client.books.set_seller(replace(found, party=replace(found.party, **changes), **own))
    _show_party(found.party, ("prefix", found.prefix), ("terms", f"{found.terms_days} days"), ("note", found.note))


@app.command()
def terms(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    name: Name = None,
    address: Lines = None,
    country: Word = None,
    tax_id: Word = None,
    email: Word = None,
    phone: Word = None,
    tax_name: Annotated[str | None, typer.Option(help="Such as VAT.")] = None,
    tax_rate: Annotated[str | None, typer.Option(help='On top of prices, such as "13%".')] = None,
    terms_days: Days = None,
    language: Annotated[str | None, typer.Option(help="en or zh.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Set a tenant's name on invoices, address, tax and terms; without options, show them."""
    from petahour.cli.session import books
    from petahour.control.billing_terms import parse_rate
    from petahour.documents.figures import percent

    changes = _party(name, address, country, tax_id, email, phone, None)
    own: dict[str, Any] = {"tax_name": tax_name, "terms_days": terms_days, "language": language}
    own["tax_rate_ppm"] = None if tax_rate is None else parse_rate(tax_rate)
    own = {key: value for key, value in own.items() if value is not None}
    with books(data_dir) as client:
        found = client.books.terms(tenant)
        if changes or own:
            found = client.books.set_terms(replace(found, party=replace(found.party, **changes), **own))
    days = "the seller's" if found.terms_days is None else f"{found.terms_days} days"
    tax = f"{found.tax_name} {percent(found.tax_rate_ppm)}"
    _show_party(found.party, ("tax", tax), ("terms", days), ("language", found.language))


def _columns() -> tuple[Column, ...]:
    from petahour.cli.render import Column

    left = ("NUMBER", "TENANT", "MONTH", "STATE")
    right = ("NET", "TAX", "TOTAL", "DUE")
    titles = (*(Column(title=name) for name in left), *(Column(title=name, right=True) for name in right))
    return (*titles, Column(title=""), Column(title="ISSUED"), Column(title="DUE BY"))


def _row(document: InvoiceDocument | None) -> tuple[object, ...]:
    """A document in a listing: number, tenant, month, state, net, tax, total, due, currency, and its dates."""
    from petahour.model.invoices import InvoiceState
    from petahour.model.money import format_micros
    from petahour.model.time import to_iso

    if document is None:
        return (None,) * 11
    due_micros = None if document.state is InvoiceState.DRAFT else document.due_micros
    sums = (document.net_micros, document.tax_micros, document.total_micros, due_micros)
    figures = (None if micros is None else format_micros(micros, document.currency) for micros in sums)
    number = document.number or document.id
    days = (document.issued_ms, document.due_ms if due_micros and due_micros > 0 else None)
    dates = (None if at_ms is None else to_iso(at_ms)[:10] for at_ms in days)
    state = "written off" if document.written_off else document.state.value
    return (number, document.tenant, document.month, state, *figures, document.currency, *dates)


def _party(
    name: str | None,
    address: list[str] | None,
    country: str | None,
    tax_id: str | None,
    email: str | None,
    phone: str | None,
    bank: list[str] | None,
) -> dict[str, Any]:
    """The fields of a party that were named."""
    given: dict[str, Any] = {"name": name, "country": country, "tax_id": tax_id, "email": email, "phone": phone}
    given |= {"address": tuple(address) if address else None, "bank": tuple(bank) if bank else None}
    return {key: value for key, value in given.items() if value is not None}


def _show_party(party: Party, *more: tuple[str, object]) -> None:
    from petahour.cli.render import show_facts

    facts = [("name", party.name), ("address", ", ".join(party.address)), ("country", party.country)]
    facts += [("tax id", party.tax_id), ("e-mail", party.email), ("phone", party.phone)]
    facts += [("bank", ", ".join(party.bank))]
    show_facts((name, value) for name, value in (*facts, *more) if value)


def _show(document: InvoiceDocument, as_json: bool) -> None:
    from petahour.cli.render import make_table, print_plain, show_json

    if as_json:
        show_json(document)
    else:
        print_plain(make_table(_columns(), [_row(document)]))
