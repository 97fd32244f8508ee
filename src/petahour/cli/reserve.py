"""`petahour reserve`: capacity promised to a tenant for a window, at a committed price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import AsJson, Month, TenantName

if TYPE_CHECKING:
    from petahour.client.promises import Reservation

app = typer.Typer(
    help="Reservations: create, list, show, confirm, extend, renew, lend, earned, upgrade, cancel.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="RESERVATION", help="Its id, such as res-7q0w4v2m9x.")]
Price = Annotated[str | None, typer.Option(help="Agreed per accelerator-hour; that of the price book without it.")]
_HOUR = "a whole hour of UTC such as 2027-01-01T00:00:00Z"


@app.command()
def create(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Whose it will be.")],
    accelerator_type: Annotated[str, typer.Option("--type", help="The accelerator type.")],
    count: Annotated[int | None, typer.Option(help="How many accelerators.")] = None,
    nodes: Annotated[int | None, typer.Option(help="Instead of a count: on so many nodes ...")] = None,
    per_node: Annotated[int | None, typer.Option(help="... so many each.")] = None,
    begins: Annotated[str | None, typer.Option("--from", help=f"Its beginning, {_HOUR}; now without it.")] = None,
    to: Annotated[str | None, typer.Option(help=f"Its end, {_HOUR}.")] = None,
    months: Annotated[int | None, typer.Option(help="Instead of an end: for so many calendar months.")] = None,
    price: Price = None,
    lend: Annotated[bool, typer.Option("--lend", help="What is unused may be lent to spot, for a share.")] = False,
    share: Annotated[
        str | None, typer.Option(help="Agreed share of what lent seats earn, such as 40%; that of the price book.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Renew it month by month, at its price.")] = False,
    as_json: AsJson = False,
) -> None:
    """Promise accelerators to a tenant for a window, charged for every hour of it, used or not.

    Asked for by the tenant itself, it waits until the operator confirms it.
    """
    from petahour.cli.session import connect

    with connect() as client:
        made = client.promises.reserve(
            tenant,
            accelerator_type,
            count=count,
            nodes=nodes,
            per_node=per_node,
            begins=begins,
            to=to,
            months=months,
            price=price,
            lends=lend,
            share=share,
            renews=renew,
        )
    _show(made, as_json)


@app.command(name="list")
def list_reservations(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Those of one tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """List reservations by their beginning."""
    from petahour.cli.render import Column, instant, places, show_json, show_table
    from petahour.cli.session import connect

    with connect() as client:
        found = client.promises.reservations(tenant)
    if as_json:
        show_json({"reservations": found})
        return
    columns = (
        Column(title="RESERVATION"),
        Column(title="TENANT"),
        Column(title="STATE", state=True),
        Column(title="SHAPE"),
        Column(title="TYPE"),
        Column(title="FROM"),
        Column(title="TO"),
        Column(title="PER HOUR", right=True),
        Column(title="LENDS"),
        Column(title="SEATS", wraps=True),
    )
    rows = [
        (
            one.id,
            one.tenant,
            one.state,
            f"{one.nodes}x{one.per_node}",
            one.type + ("*" if one.rehearsal else ""),
            instant(one.from_ms),
            instant(one.to_ms),
            _price(one),
            _percent(one.share_ppm) if one.lends else "",
            places(one.seats),
        )
        for one in found
    ]
    show_table(columns, rows, empty="No reservations.")


@app.command()
def show(reservation: Name, as_json: AsJson = False) -> None:
    """Show one reservation."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.promises.reservation(reservation), as_json)


@app.command()
def confirm(reservation: Name, price: Price = None, as_json: AsJson = False) -> None:
    """Promise what a tenant requested."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.promises.confirm_reservation(reservation, price=price), as_json)


@app.command()
def extend(
    reservation: Name, to: Annotated[str, typer.Option(help=f"Its new end, {_HOUR}.")], as_json: AsJson = False
) -> None:
    """Let a reservation go on until a later hour, at its price."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.promises.extend_reservation(reservation, to), as_json)


@app.command()
def lend(
    reservation: Name,
    off: Annotated[bool, typer.Option("--off", help="Lend it no longer; spot on its seats is stopped.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lend what is unused of a reservation to spot from now on, for a share of what that earns."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.promises.lend_reservation(reservation, lends=not off), as_json)


@app.command()
def earned(
    tenant: TenantName = None,
    month: Month = None,
    limit: Annotated[int, typer.Option(help="At most so many, the latest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what a tenant's lent seats earned in a month, share by share; of the present month, so far."""
    from petahour.cli.render import Column, brief, duration, make_table, money, print_plain, show_json
    from petahour.cli.session import connect, month_or_this, tenant_or_own
    from petahour.model.money import format_micros

    with connect() as client:
        name = tenant_or_own(client, tenant)
        found = client.promises.lent_shares(name, month=month_or_this(month), limit=limit)
    if as_json:
        show_json(found)
        return
    if not found.count:
        typer.echo(f"Lent seats earned {found.tenant} nothing in {found.month}.")
        return
    columns = (
        Column(title="RESERVATION"),
        Column(title="TYPE"),
        Column(title="FROM (UTC)"),
        Column(title="FOR", right=True),
        Column(title="AMOUNT", right=True),
        Column(title="TRANSFER"),
        Column(title=""),
    )
    rows = [
        (
            one.reservation,
            one.type + ("*" if one.rehearsal else ""),
            brief(one.start_ms),
            duration(one.end_ms - one.start_ms),
            format_micros(one.amount_micros, found.currency),
            one.transfer,
            "taken back" if one.taken_back else "",
        )
        for one in found.shares
    ]
    shares = f"{found.count} share" + ("s" if found.count > 1 else "")
    title = f"{found.tenant}, {found.month}: {money(found.total_micros, found.currency)} in {shares}"
    title += f", the latest {len(rows)}" if len(rows) < found.count else ""
    title += "; * rehearsal, not payable" if any(one.rehearsal for one in found.shares) else ""
    print_plain(make_table(columns, rows, gap=1), title=title)


@app.command()
def renew(
    reservation: Name,
    off: Annotated[bool, typer.Option("--off", help="Let it end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Renew a reservation month by month, three days before its end, at its price. The owner may switch that off."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.promises.renew_reservation(reservation, renews=not off), as_json)


@app.command()
def upgrade(
    reservation: Name,
    count: Annotated[int, typer.Option(help="How many accelerators more.")],
    price: Price = None,
    as_json: AsJson = False,
) -> None:
    """Enlarge a reservation by one beside it, to the same end; jobs lie on the seats of both."""
    from petahour.cli.session import connect

    with connect() as client:
        _show(client.promises.upgrade_reservation(reservation, count, price=price), as_json)


@app.command()
def cancel(
    reservation: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the fee without being asked.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a reservation with the present hour, or before it begins, against a fee, which is asked for first."""
    from petahour.cli.agree import agree
    from petahour.cli.render import instant, money, show_json
    from petahour.cli.session import connect

    with connect() as client:
        known = client.promises.reservation(reservation)
        agreed = known.early_end_fee_micros or 0
        if agreed and not yes:
            agree(
                f"{known.id} of {known.tenant}, promised until {instant(known.to_ms)}, would end at "
                f"{instant(known.early_end_ms)} for a fee of {money(agreed, known.currency)}"
            )
        ended = client.promises.end_reservation(reservation, fee_micros=None if yes else agreed)
    if as_json:
        show_json(ended)
        return
    when = f"ends at {instant(ended.to_ms)}" if ended.state in ("active", "ended") else "is cancelled"
    fee = f", for a fee of {money(ended.fee_micros, ended.currency)}" if ended.fee_micros else ""
    typer.echo(f"{ended.id} {when}{fee}")


def _show(one: Reservation, as_json: bool) -> None:
    from petahour.cli.render import instant, money, places, show_facts, show_json

    if as_json:
        show_json(one)
        return
    show_facts(
        (
            ("reservation", one.id + (f", enlarges {one.of}" if one.of else "")),
            ("state", one.state),
            ("tenant", one.tenant),
            ("accelerators", f"{one.nodes} x {one.per_node} {one.type}" + (" (rehearsal)" if one.rehearsal else "")),
            ("window", f"{instant(one.from_ms)} to {instant(one.to_ms)}"),
            ("renewal", _renewal(one)),
            ("price", f"{_price(one)} per accelerator-hour, used or not"),
            ("unused part", _unused(one)),
            ("seats", places(one.seats) or "none before it is confirmed"),
            ("charged up to", instant(one.billed_ms) or "nothing yet"),
            ("earned by lending", money(one.lent_micros, one.currency) if one.lent_micros else None),
        )
    )


def _price(one: Reservation) -> str:
    from petahour.cli.render import money

    return money(one.price_micros, one.currency)


def _renewal(one: Reservation) -> str | None:
    from petahour.cli.render import instant

    if one.renews_to_ms is None:
        return None
    if one.renewal == "refused":
        return f"until {instant(one.renews_to_ms)} was refused so far; it is tried every hour"
    return f"on {instant(one.renews_at_ms)}, until {instant(one.renews_to_ms)}"


def _unused(one: Reservation) -> str:
    if not one.lends:
        return "is left to its owner"
    return f"is lent to spot; {_percent(one.share_ppm)} of what that earns is the owner's"


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:g} %"
