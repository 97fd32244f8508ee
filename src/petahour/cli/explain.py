"""`petahour explain`: where a number of the ledger comes from."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from petahour.cli.options import AsJson


def explain(
    subject: Annotated[
        Literal["charge", "transfer", "usage", "allocation"],
        typer.Argument(metavar="WHAT", help="charge, transfer, usage or allocation."),
    ],
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    as_json: AsJson = False,
) -> None:
    """Show where a number comes from: charge, price and its version, transfers, usage record, events, job."""
    from petahour.cli.explanation_view import show_explanation
    from petahour.cli.render import show_json
    from petahour.cli.session import connect

    with connect() as client:
        found = client.explain(subject, name)
    if as_json:
        show_json(found)
    else:
        show_explanation(found)
