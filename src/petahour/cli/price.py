"""`petahour price`: publish price books, list them, and show what things cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from petahour.cli.options import AsJson

app = typer.Typer(help="Price books: publish, list, show.", no_args_is_help=True)


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A prices.toml.")], as_json: AsJson = False
) -> None:
    """Publish the price books of a file. A book already published as it is changes nothing."""
    from petahour.cli.book_order import gaps
    from petahour.cli.render import show_json
    from petahour.cli.session import connect

    text = _read(file)
    with connect() as client:
        ids = client.terms.publish_prices(text)
        books = () if as_json else client.prices()
    if as_json:
        show_json({"books": ids})
        return
    typer.echo(f"Published: {', '.join(ids)}")
    for warning in gaps(ids, books):
        typer.echo(f"Warning: {warning}", err=True)


@app.command(name="list")
def list_books(as_json: AsJson = False) -> None:
    """List the price books, the newest last."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        books = client.prices()
    if as_json:
        show_json({"books": books})
        return
    columns = (
        Column(title="BOOK"),
        Column(title="CURRENCY"),
        Column(title="FROM"),
        Column(title="UNTIL"),
        Column(title="WEEK AT"),
        Column(title="PRICES", right=True),
        Column(title="PUBLISHED"),
        Column(title="BY", wraps=True),
    )
    rows = [
        (
            book.id,
            book.currency,
            instant(book.effective_ms),
            instant(book.until_ms),
            _offset(book.utc_offset_ms),
            len(book.prices),
            instant(book.published_ms),
            book.published_by,
        )
        for book in books
    ]
    show_table(columns, rows, empty="No price books.")


@app.command()
def show(
    book: Annotated[str | None, typer.Argument(metavar="[BOOK]", help="The book in force without it.")] = None,
    at: Annotated[
        str | None, typer.Option(help="An instant such as 2027-01-01T08:00:00+08:00; now without it.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="With this tenant's own terms.")] = None,
    currency: Annotated[str | None, typer.Option(help="The book of this currency.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what an accelerator-hour costs at an instant, by type and tier."""
    from petahour.billing.tariff_file import DAYS
    from petahour.cli.render import Column, instant, make_table, print_plain, show_json
    from petahour.cli.session import connect
    from petahour.model.money import format_micros

    with connect() as client:
        found = client.terms.prices_at(at_ms=_instant(at), tenant=tenant, book=book, currency=currency)
    if as_json:
        show_json(found)
        return
    tiers = [tier for tier in ("on-demand", "reserved", "spot") if any(row.tier == tier for row in found.rows)]
    table = {
        (row.type, row.tier): format_micros(row.micros, found.currency) + ("*" if row.banded else "")
        for row in found.rows
    }
    columns = (Column(title="TYPE"), *(Column(title=tier.upper(), right=True) for tier in tiers))
    rows = [(name, *(table.get((name, tier)) for tier in tiers)) for name in sorted({key[0] for key in table})]
    day, hour = divmod(found.hour_of_week, 24)
    title = f"{found.book}, {found.currency} per accelerator-hour"
    title += f", at {instant(found.at_ms)} ({DAYS[day]} {hour:02d}:00 at {_offset(found.utc_offset_ms)})"
    title += f", for {found.tenant}" if found.tenant else ""
    print_plain(make_table(columns, rows), title=title)
    if any(row.banded for row in found.rows):
        typer.echo("* less beyond a volume of the month")
    if found.lent_share_ppm:
        share = f"{found.lent_share_ppm / 10_000:g} %"
        typer.echo(f"{share} of what spot earns on seats that a reservation lends is its owner's")


@app.command()
def spot(
    type_: Annotated[str | None, typer.Option("--type", help="Only of this accelerator type.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only in this currency.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=10_000, help="So many of the last hours, and the next one.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Show the posted prices of spot, what each came from, and the next hour's; the newest last."""
    from petahour.cli.render import Column, instant, show_json, show_table
    from petahour.cli.session import connect
    from petahour.model.money import format_micros

    with connect() as client:
        posted = client.terms.spot_prices(currency=currency, type_name=type_, hours=hours)
    if as_json:
        show_json({"prices": posted})
        return
    columns = (
        Column(title="FROM"),
        Column(title="TYPE"),
        Column(title="PRICE", right=True),
        Column(title="BEFORE", right=True),
        Column(title="OCCUPANCY", right=True),
        Column(title="BOOK"),
    )
    rows = [
        (
            instant(one.hour_ms),
            one.type,
            f"{format_micros(one.price_micros, one.currency)} {one.currency}",
            f"{format_micros(one.before_micros, one.currency)} {one.currency}",
            f"{100 * min(1, one.held_ams / one.capacity_ams):.1f} %" if one.capacity_ams else None,
            one.book,
        )
        for one in posted
    ]
    show_table(columns, rows, empty="No posted spot prices: what is sold as spot has its book's price.")


def _instant(text: str | None) -> int | None:
    from petahour.billing.fields import read_instant

    return None if text is None else read_instant(text, "at")


def _offset(offset_ms: int) -> str:
    hours = offset_ms // 3_600_000
    return f"UTC{hours:+03d}:00" if hours else "UTC"


def _read(file: Path) -> str:
    from petahour.model.errors import ValidationError

    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(
            field="file", value=str(file), rule=f"a readable UTF-8 file ({error})", remedy="Check the path."
        ) from None
