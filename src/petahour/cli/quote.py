"""`quote`: what a piece of work takes on each type of accelerator, what it costs, and how right quotes were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from petahour.cli.options import AsJson
from petahour.cli.quote_calibrate import calibrate
from petahour.cli.submit import SubmitCommand
from petahour.model.errors import UnauthenticatedError, ValidationError

if TYPE_CHECKING:
    from petahour.client.quotes import Quote, QuoteRequest

NEW = "new"
MOST_CONFIG_BYTES = 1024 * 1024


class QuoteGroup(TyperGroup):
    """``petahour quote MODEL`` is short for ``petahour quote new MODEL``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        helps = set(ctx.help_option_names)
        if args and args[0] not in self.commands and args[0] not in helps:
            args = [NEW, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=QuoteGroup,
    help='Quote a piece of work on types of accelerators; "quote MODEL" is short for "quote new MODEL".',
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.command(cls=SubmitCommand, short_help="Measure the throughput of any program by a short run of it.")(calibrate)


@app.command(NEW, short_help="Quote a model's training, a measured program, or plain hours.")
def new(
    model: Annotated[
        str | None, typer.Argument(help="A model's name such as llama-2-70b, or its config.json file.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="How many tokens to train on, such as 2T or 300B.")] = None,
    gang: Annotated[int | None, typer.Option(help="How many accelerators; the best number without it.")] = None,
    plan: Annotated[
        str | None, typer.Option(help="With --gang: how it lies there, such as tp=8,pp=4,zero=1,recompute=full.")
    ] = None,
    types: Annotated[
        str | None, typer.Option(help="Types separated by commas; without it all that the fleet, or --prices, has.")
    ] = None,
    sequence: Annotated[int | None, typer.Option(help="Tokens in a sequence; the model's own without it.")] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences in one optimizer step.")] = None,
    objective: Annotated[str, typer.Option(help="cheapest, fastest or least-energy.")] = "cheapest",
    deadline: Annotated[
        str | None, typer.Option(help="It may be expected to run for at most so long, such as 30d.")
    ] = None,
    tier: Annotated[str, typer.Option(help="reserved, on-demand or spot.")] = "on-demand",
    measured: Annotated[
        str | None, typer.Option(metavar="JOB", help="Instead of a model: the finished job that measured a program.")
    ] = None,
    amount: Annotated[str | None, typer.Option(help="With --measured: how many samples (or what it counts).")] = None,
    hours: Annotated[float | None, typer.Option(help="Instead of a model: plain accelerator-hours.")] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant it is for (operators only).")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Without a control plane: no expected start, and nothing is kept.")
    ] = False,
    prices: Annotated[Path | None, typer.Option(help="Offline: a file of price books.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Offline: which currency of that file, if it has many.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(envvar="PETAHOUR_CATALOG", help="Offline: an overlay for the catalogue.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Quote a model's training on each type of accelerator: duration, energy, price, expected start.

    The control plane quotes with its prices, queue and own runs, and keeps the quote, so that a job may be submitted
    under it. Who is not logged in, or says --offline, gets the same without them.
    """
    from petahour.cli.quote_view import show_quote
    from petahour.cli.render import show_json
    from petahour.cli.session import now_ms
    from petahour.client.quotes import QuoteRequest

    config = _config(model)
    request = QuoteRequest(
        model=None if config is not None else model,
        config=config,
        measured=measured,
        hours=hours,
        tokens=tokens,
        sequence=sequence,
        batch=batch,
        amount=amount,
        types=_types(types),
        gang=gang,
        plan=plan,
        objective=objective,
        deadline=deadline,
        tier=tier,
        tenant=tenant,
    )
    if currency is not None and prices is None:
        raise ValidationError(
            field="currency", value=currency, rule="goes with a file of prices", remedy="Name it with --prices."
        )
    quote = None if offline or prices else _live(request)
    if quote is None:
        quote = _offline(request, prices, currency, catalog)
    if as_json:
        show_json(quote)
    else:
        show_quote(quote, now_ms())


@app.command("list")
def list_quotes(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's (for operators).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List quotes, newest first."""
    from petahour.cli.quote_view import show_quotes
    from petahour.cli.render import show_json
    from petahour.cli.session import connect, now_ms

    with connect() as client:
        found = client.quotes(tenant=tenant, limit=limit)
    if as_json:
        show_json({"quotes": found})
    else:
        show_quotes(found, now_ms())


@app.command()
def show(
    quote: Annotated[str, typer.Argument(metavar="QUOTE", help="The quote's id, such as quote-7q0w4v2m9x.")],
    as_json: AsJson = False,
) -> None:
    """Show a quote again."""
    from petahour.cli.quote_view import show_quote
    from petahour.cli.render import show_json
    from petahour.cli.session import connect, now_ms

    with connect() as client:
        found = client.quote_detail(quote)
    if as_json:
        show_json(found)
    else:
        show_quote(found, now_ms())


@app.command()
def accuracy(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's (for operators).")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare quotes with what their jobs took and were charged."""
    from petahour.cli.quote_view import show_accuracy
    from petahour.cli.render import show_json
    from petahour.cli.session import connect

    with connect() as client:
        found = client.quote_accuracy(tenant=tenant)
    if as_json:
        show_json(found)
    else:
        show_accuracy(found)


def _live(request: QuoteRequest) -> Quote | None:
    """The control plane's quote; None for somebody who is not logged in to any."""
    from petahour.cli.session import connect

    try:
        client = connect()
    except UnauthenticatedError:
        typer.echo("Not logged in: quoted from the catalogue alone, and not kept.", err=True)
        return None
    with client:
        return client.quote(request)


def _offline(request: QuoteRequest, prices: Path | None, currency: str | None, overlay: Path | None) -> Quote:
    from petahour.catalog import load_catalog
    from petahour.cli.render import plain
    from petahour.cli.session import now_ms
    from petahour.client.decode import decode
    from petahour.client.quotes import Quote as Shown
    from petahour.control.quotes.offline import chosen_book, quote_offline
    from petahour.control.quotes.view import quote_view

    catalog = load_catalog(overlay)
    book = chosen_book(catalog, prices, currency, now_ms())
    quote = quote_offline(catalog, request, book, now_ms())
    return decode(Shown, plain(quote_view(quote)))


def _types(text: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    if text is not None and not names:
        raise ValidationError(
            field="types",
            value=text,
            rule="at least one type of accelerator",
            remedy="Name them like --types a100-80g-sxm,ascend-910b3, or leave the option out.",
        )
    return names


def _config(model: str | None) -> dict[str, object] | None:
    """The config.json that MODEL names, None where it is a model's name."""
    if model is None or not model.endswith(".json"):
        return None
    path = Path(model)
    try:
        if path.stat().st_size > MOST_CONFIG_BYTES:
            raise _bad_config(model, f"at most {MOST_CONFIG_BYTES} bytes")
        found = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise _bad_config(model, f"a readable JSON file ({getattr(error, 'strerror', None) or error})") from None
    if not isinstance(found, dict):
        raise _bad_config(model, "a JSON object, as config.json of a model's repository is")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"it says {name}, which is no number in JSON")


def _bad_config(model: str, rule: str) -> ValidationError:
    return ValidationError(field="model", value=model, rule=rule, remedy="Name a model, or its config.json.")
