"""How the way from a number to its job is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer

from petahour.cli.render import Column, duration, instant, make_table, money, places, precise, print_plain, show_facts
from petahour.client.explanation import Charge, Explanation, LentPart, Movement, Piece, ToldEvent
from petahour.model.money import format_micros
from petahour.model.prices import SpotPrice
from petahour.model.time import HOUR_MS, hour_floor

_CARRIED = ("cause", "stop_cause", "end_kind", "engine_started_ms", "engine_ended_ms", "heard_ms", "said", "believed")


def show_explanation(found: Explanation) -> None:
    """From the number asked about, step by step, to the job."""
    if found.movements:
        _show_movements("Transfers", found.movements)
    for part in found.lent:
        _show_lent(part, found.pieces, found.movements[0].transfer.currency)
    allocation, job = found.allocation, found.job
    for piece in found.pieces:
        _show_piece(piece, None if allocation is None else allocation.limit_micros)
    if allocation is not None:
        typer.echo("\nAllocation")
        show_facts(
            [
                ("id", allocation.id),
                ("attempt", allocation.attempt),
                ("on", f"{places(allocation.slots)} of {allocation.type}"),
                ("placed", precise(allocation.placed_ms)),
                ("started", allocation.started_ms and precise(allocation.started_ms)),
                ("ended", allocation.ended_ms and precise(allocation.ended_ms)),
                ("end", allocation.end_kind),
            ]
        )
    if found.events:
        _show_events(found.events)
    if job is not None:
        typer.echo("\nJob")
        show_facts(
            [
                ("id", job.id),
                ("name", job.name),
                ("of", f"{job.tenant}/{job.project}, submitted by {job.user}"),
                ("state", job.state),
                ("command", " ".join(job.command)),
            ]
        )


def _show_lent(part: LentPart, pieces: Iterable[Piece], currency: str) -> None:
    hours, share = f"{part.lent_ams / HOUR_MS:,.6f}", f"{part.share_ppm / 10_000:g} %"
    for piece in pieces:
        of = f"{piece.usage.billed_ams / HOUR_MS:,.6f} accelerator-hours of spot"
        text = f"{hours} of {of} lay on seats that {part.reservation} lends; {share} of their price are shared"
        if piece.charge is not None and piece.charge.currency != currency:
            text += f", by the price book in {currency}"
        typer.echo(f"\n{text}.")


def _show_piece(piece: Piece, limit_micros: int | None) -> None:
    usage, charge = piece.usage, piece.charge
    if charge is not None:
        typer.echo(f"\nCharge {charge.id}: {money(charge.amount_micros, charge.currency)}")
        typer.echo(
            f"  {usage.billed_ams / HOUR_MS:,.6f} accelerator-hours at {_price(charge, piece.book_effective_ms)}"
        )
        if piece.book_reason:
            typer.echo(f"  this book was {piece.book_reason}")
        for line in _posted(piece.posted, charge, limit_micros):
            typer.echo(f"  {line}")
    if piece.movements:
        _show_movements("Transfers", piece.movements)
    typer.echo("\nUsage record")
    waived = f"{usage.waived_ams:,} ms ({usage.waive_reason})" if usage.waived_ams else None
    show_facts(
        [
            ("id", usage.id),
            ("from", precise(usage.start_ms)),
            ("to", f"{precise(usage.end_ms)}, {duration(usage.end_ms - usage.start_ms)}"),
            ("in the hour of", instant(usage.hour_ms)),
            ("accelerators", f"{usage.accelerators} x {usage.type}, {usage.tier}"),
            ("billed", f"{usage.billed_ams:,} accelerator-milliseconds"),
            ("waived", waived),
            ("rehearsal", "not payable" if usage.rehearsal else None),
        ]
    )


def _price(charge: Charge, effective_ms: int | None) -> str:
    since = "" if effective_ms is None else f", in force since {instant(effective_ms)}"
    return (
        f"{format_micros(charge.price_micros, charge.currency)} {charge.currency} (book {charge.price_book}{since})"
    )


def _posted(posted: SpotPrice | None, charge: Charge, limit_micros: int | None) -> Iterator[str]:
    """The posted spot price of the hour, what it came from, and whether the job's limit lowered it."""
    if posted is not None:
        before = format_micros(posted.before_micros, posted.currency)
        price = format_micros(posted.price_micros, posted.currency)
        text = f"posted spot price from {instant(posted.hour_ms)} on: {price}, after {before}"
        if posted.capacity_ams:
            held = 100 * min(1, posted.held_ams / posted.capacity_ams)
            text += f" and {held:.1f} % held in the hour of {instant(hour_floor(posted.posted_ms) - HOUR_MS)}"
        yield f"{text} (rule of book {posted.book})"
    if limit_micros is not None:
        limit = f"{format_micros(limit_micros, charge.currency)} {charge.currency}"
        at_limit = ", which is what it is charged at" if charge.price_micros == limit_micros else ""
        yield f"the job pays at most {limit}{at_limit}"


def _show_movements(title: str, movements: Iterable[Movement]) -> None:
    columns = (
        Column(title="TRANSFER"),
        Column(title="KIND"),
        Column(title="FROM"),
        Column(title="TO"),
        Column(title="AMOUNT", right=True),
        Column(title="AT"),
        Column(title="INVOICE"),
        Column(title="NOTE", wraps=True),
    )
    rows = [
        (
            one.transfer.id,
            one.transfer.kind,
            one.transfer.debit,
            one.transfer.credit,
            money(one.transfer.amount_micros, one.transfer.currency),
            instant(one.transfer.at_ms),
            one.invoice or "",
            one.transfer.note,
        )
        for one in movements
    ]
    print_plain(make_table(columns, rows), title=f"\n{title}")


def _show_events(events: Iterable[ToldEvent]) -> None:
    columns = (
        Column(title="EVENT", right=True),
        Column(title="WHEN"),
        Column(title="WHAT"),
        Column(title="TOLD", wraps=True),
    )
    rows = [
        (
            event.seq,
            precise(event.at_ms),
            event.kind,
            "; ".join(f"{name} {event.data[name]}" for name in _CARRIED if event.data.get(name) is not None),
        )
        for event in events
    ]
    print_plain(make_table(columns, rows), title="\nEvents")
