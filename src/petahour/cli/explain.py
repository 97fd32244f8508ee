"""`petahour explain`: where a number of the ledger or of an invoice comes from."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from petahour.cli.options import AsJson, DataDir


def explain(
    subject: Annotated[
        Literal["invoice", "charge", "transfer", "usage", "allocation"],
        typer.Argument(metavar="WHAT", help="invoice, charge, transfer, usage or allocation."),
    ],
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id; an invoice's number, or NUMBER/LINE.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Of a line: at most so many transfers.")] = 100,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show where a number comes from: invoice line, transfers, charge, price and its version, usage, events, job."""
    from petahour.cli.explanation_view import show_explanation
    from petahour.cli.invoice_explanation_view import show_invoice
    from petahour.cli.render import show_json
    from petahour.cli.session import books

    with books(data_dir) as client:
        if subject == "invoice":
            number, _, line = name.partition("/")
            billed = client.books.explain(number, line=_whole(line), limit=limit)
            show_json(billed) if as_json else show_invoice(billed)
            return
        found = client.explain(subject, name)
    if as_json:
        show_json(found)
    else:
        show_explanation(found)


def _whole(line: str) -> int | None:
    if not line:
        return None
    if not line.isascii() or not line.isdecimal() or len(line) > 5:
        raise typer.BadParameter(f"a line is a number from 1, such as PH2026-00001/1, not {line}.")
    return int(line)
