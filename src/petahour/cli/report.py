"""`report`: revenue, occupancy, receivables, margin, runway; as tables, files and charts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import DataDir, Month

if TYPE_CHECKING:
    from petahour.client.books import Report, ReportColumn

app = typer.Typer(help="Reports for the operator.", no_args_is_help=True, rich_markup_mode=None)

Form = Annotated[str, typer.Option("--format", help="table, json, csv, parquet or svg (a chart).")]
Output = Annotated[
    Path | None, typer.Option(help="A file; REPORT.FORMAT without it, tables on the screen. - is standard output.")
]
FORMS = {"table": "txt", "json": "json", "csv": "csv", "parquet": "parquet", "svg": "svg"}


@app.command()
def revenue(month: Month = None, form: Form = "table", output: Output = None, data_dir: DataDir = None) -> None:
    """What a month earned, by currency, type and tier."""
    from petahour.cli.session import month_or_this

    _report("revenue", {"month": month_or_this(month)}, form, output, data_dir)


@app.command()
def occupancy(month: Month = None, form: Form = "table", output: Output = None, data_dir: DataDir = None) -> None:
    """Where the fleet's time went: used, lent, reserved and unused, waived, idle, down. It sums to the capacity."""
    from petahour.cli.session import month_or_this

    _report("occupancy", {"month": month_or_this(month)}, form, output, data_dir)


@app.command()
def receivables(form: Form = "table", output: Output = None, data_dir: DataDir = None) -> None:
    """What tenants owe, by how long it is overdue."""
    _report("receivables", {}, form, output, data_dir)


@app.command()
def margin(
    month: Month = None,
    currency: Annotated[str, typer.Option(help="Revenue in this currency, and costs told in it.")] = "CNY",
    energy_price: Annotated[str, typer.Option(help="Of a kilowatt-hour, in that currency.")] = "0.65",
    dollar: Annotated[
        str | None, typer.Option(help="Of one US dollar, for the catalogue's purchase prices, such as 7.1.")
    ] = None,
    years: Annotated[str, typer.Option(help="Over which accelerators are written off.")] = "4",
    form: Form = "table",
    output: Output = None,
    data_dir: DataDir = None,
) -> None:
    """Revenue less power and depreciation of the whole fleet, by type."""
    from petahour.cli.session import month_or_this

    query = {"currency": currency, "energy_price": energy_price, "dollar": dollar, "years": years}
    _report("margin", {**query, "month": month_or_this(month)}, form, output, data_dir)


@app.command()
def runway(
    days: Annotated[int, typer.Option(min=1, max=366, help="The burn is that of so many days.")] = 1,
    form: Form = "table",
    output: Output = None,
    data_dir: DataDir = None,
) -> None:
    """What tenants use a day, and when their prepaid credit is at its end."""
    _report("runway", {"days": str(days)}, form, output, data_dir)


def _report(name: str, query: dict[str, str | None], form: str, output: Path | None, data_dir: Path | None) -> None:
    from petahour.cli.files import known_form, write_file
    from petahour.cli.session import books

    end = known_form(form, FORMS)
    with books(data_dir) as client:
        if form != "table":
            write_file(output or Path(f"{name}.{end}"), client.books.report_file(name, form, query))
            return
        found = client.books.report(name, query)
    _show(found)


def _show(found: Report) -> None:
    from petahour.billing.reports.table import parts_in
    from petahour.cli.render import Column, make_table, print_plain
    from petahour.model.time import HOUR_MS

    columns = tuple(Column(title=one.title, right=one.holds != "text") for one in found.columns)
    names = [one.name for one in found.columns]
    rows = []
    for row in found.rows:
        currency = str(row[names.index("currency")]) if "currency" in names else ""
        cells = [_cell(one, cell, currency) for one, cell in zip(found.columns, row, strict=True)]
        places = [place for place, one in enumerate(found.columns) if one.name in found.series]
        if found.stacked and all(found.columns[place].holds == "hours" for place in places):
            # What is shown sums to the whole that is shown.
            parts = [int(str(row[place] or 0)) for place in places]
            for place, figure in zip(places, parts_in(parts, HOUR_MS, 2), strict=True):
                cells[place] = f"{figure:,}"
        rows.append(cells)
    if rows:
        print_plain(make_table(columns, rows), title=found.title)
    else:
        typer.echo(f"{found.title}: nothing to show.")
    for note in found.notes:
        typer.echo(note)


def _cell(column: ReportColumn, cell: object, currency: str) -> str | None:
    from petahour.cli.render import instant
    from petahour.model.money import MICROS, MINOR_DIGITS
    from petahour.model.time import HOUR_MS, format_span

    if cell is None or not isinstance(cell, int):
        return None if cell is None else str(cell)
    if column.holds == "money":
        return f"{cell / MICROS:,.{MINOR_DIGITS.get(currency, 2)}f}"
    if column.holds == "hours":
        return f"{cell / HOUR_MS:,.2f}"
    if column.holds == "share":
        return f"{cell / 10_000:.1f} %"
    if column.holds == "duration":
        return format_span(cell)
    if column.holds == "instant":
        return instant(cell)
    return f"{cell / 1_000:,.1f}"
